"""The configuration file: what it takes, and what it says when it takes something not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from proxy.config import ConfigurationError, Settings, load

if TYPE_CHECKING:
    from pathlib import Path


def settings(folder: Path, text: str) -> Settings:
    """Return the settings of a file with that text."""
    path = folder / "config.yaml"
    path.write_text(text)
    return load(str(path))


def complaint(folder: Path, text: str) -> str:
    """Return what is said about a file with that text."""
    with pytest.raises(ConfigurationError) as raised:
        settings(folder, text)
    return str(raised.value)


def test_an_empty_file_changes_nothing(tmp_path: Path) -> None:
    """A file without a setting means the defaults."""
    assert settings(tmp_path, "# nothing yet\n") == Settings()


def test_sections_are_merged_key_by_key(tmp_path: Path) -> None:
    """A section that sets one key keeps the defaults of its others."""
    assert settings(tmp_path, "api: {port: 0}").api == Settings().api.model_copy(update={"port": 0})


@pytest.mark.parametrize(
    ("text", "size"), [("10MB", 10_000_000), ("1.5 kb", 1500), ("2GB", 2 * 10**9), ("77", 77)]
)
def test_sizes_have_units(tmp_path: Path, text: str, size: int) -> None:
    """A size is a number of bytes, or a number with KB, MB or GB."""
    assert settings(tmp_path, f'api: {{max_request_size: "{text}"}}').api.max_request_size == size


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("api: {prot: 1}", "unknown key api.prot; did you mean api.port?"),
        ("aip: {}", "unknown key aip; did you mean api?"),
        ("zzz: {}", "unknown key zzz; known: api, monitoring"),
        ("api: {port: 65536}", "api.port is 65536: input should be less than or equal to 65535"),
        (
            "validation: {mode: maybe}",
            "validation.mode is 'maybe': input should be 'observe', 'enforce' or 'off'",
        ),
        (
            "security: {rate_limit: 5000 a day}",
            "security.rate_limit is '5000 a day': must be a number of requests",
        ),
        ("api: {max_request_size: much}", "api.max_request_size is 'much'"),
        ("[1, 2]", "must be a mapping of sections (api, monitoring"),
        ("api: {port: [", "is not YAML, line 1"),
        ("\x00", "is not YAML"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, said: str) -> None:
    """A wrong file is refused with the key, what is allowed or the nearest known one, in one line."""
    sentence = complaint(tmp_path, text)
    assert said in sentence
    assert str(tmp_path / "config.yaml") in sentence
    assert "\n" not in sentence


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """A missing file is an error, not a default."""
    with pytest.raises(ConfigurationError, match=r"cannot read the configuration .*: No such file"):
        load(str(tmp_path / "none.yaml"))


def test_the_settings_of_a_large_deployment_are_accepted(tmp_path: Path) -> None:
    """A production file with every section is taken as it stands."""
    text = """\
api: {host: "0.0.0.0", port: 8000, workers: 8, timeout: 60}
monitoring: {max_events_per_session: 500000, session_timeout: 7200, retention_days: 90}
security: {rate_limit: "5000/hour", enable_cors: true, allowed_origins: ["https://a.example", "https://b.example"]}
storage: {data_directory: "/var/lib/claude-proxy", backup_enabled: true, backup_interval: 43200}
logging: {level: "INFO"}
"""
    found = settings(tmp_path, text)
    assert (found.api.workers, found.security.allowed_origins[1]) == (8, "https://b.example")


def test_off_needs_no_quotes(tmp_path: Path) -> None:
    """YAML takes a bare ``off`` for false; it is the documented value all the same."""
    assert settings(tmp_path, "validation: {mode: off}").validation.mode == "off"


def test_a_section_that_is_commented_out_is_empty(tmp_path: Path) -> None:
    """A heading without keys means the defaults."""
    assert settings(tmp_path, "validation:\n#  mode: enforce\napi:\n") == Settings()
