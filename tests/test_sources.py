"""Where settings come from: the file, the environment, options; and what is said when they are wrong."""

from __future__ import annotations

import string
from typing import TYPE_CHECKING

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import structs, to_builtins

from proxy.config import KEYS, Settings
from proxy.sources import ConfigurationError, load, read

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def written(folder: Path, text: str) -> str:
    """Return the path of a file with that text."""
    path = folder / "config.yaml"
    path.write_text(text)
    return str(path)


def complaint(folder: Path, text: str) -> str:
    """Return what is said about a file with that text."""
    with pytest.raises(ConfigurationError) as raised:
        load(written(folder, text))
    return str(raised.value)


def test_an_empty_file_changes_nothing(tmp_path: Path) -> None:
    """A file without a setting means the defaults."""
    assert load(written(tmp_path, "# nothing yet\n")) == Settings()


def test_sections_are_merged_key_by_key(tmp_path: Path) -> None:
    """A section that sets one key keeps the defaults of its others."""
    found = load(written(tmp_path, "api: {port: 0}"))
    assert found.api == structs.replace(Settings().api, port=0)


def test_a_section_that_is_commented_out_is_empty(tmp_path: Path) -> None:
    """A heading without keys means the defaults."""
    assert load(written(tmp_path, "validation:\n#  mode: enforce\napi:\n")) == Settings()


def test_the_settings_of_a_large_deployment_are_accepted(tmp_path: Path) -> None:
    """A production file with every section is taken as it stands."""
    text = """\
api: {host: "0.0.0.0", port: 8000, workers: 8, timeout: 60}
monitoring: {max_events_per_session: 500000, session_timeout: 7200, retention_days: 90}
security: {rate_limit: "5000/hour", enable_cors: true, allowed_origins: ["https://a.example", "https://b.example"]}
storage: {data_directory: "/var/lib/claude-proxy", backup_enabled: true, backup_interval: 43200}
logging: {level: "INFO"}
"""
    found = load(written(tmp_path, text))
    assert (found.api.workers, found.security.allowed_origins[1]) == (8, "https://b.example")


def test_precedence_and_where_each_value_came_from(tmp_path: Path) -> None:
    """Option, short variable, variable, file, default; and each value knows which of them it was."""
    path = written(tmp_path, "api:\n  host: file.example\n  port: 1\n  workers: 2\n  timeout: 5\n")
    environment = {
        "CLAUDE_PROXY_API__HOST": "a",
        "CLAUDE_PROXY_HOST": "b",
        "CLAUDE_PROXY_API__PORT": "2",
        "CLAUDE_PROXY_PORT": "3",
        "CLAUDE_PROXY_API__WORKERS": "4",
        "CLAUDE_PROXY_LOGGING__LEVEL": "",
    }
    found = read(path, environment, {"port": "5", "redact": "on"})
    wanted = {
        "api.host": ("b", "CLAUDE_PROXY_HOST"),
        "api.port": (5, "--port"),
        "api.workers": (4, "CLAUDE_PROXY_API__WORKERS"),
        "api.timeout": (5.0, f"{path}, line 5"),
        "logging.level": ("INFO", "default"),
    }
    assert {name: (found.value(name), found.origin(name)) for name in wanted} == wanted


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("api: {prot: 1}", "line 1: unknown key api.prot; did you mean api.port?"),
        ("aip: {}", "line 1: unknown section aip; did you mean api?"),
        ("zzz: {}", "unknown section zzz; known: api, monitoring"),
        ("port: 1", "line 1: unknown section port; it is a key of a section: api.port"),
        ("api: {rate_limit: 1/day}", "unknown key api.rate_limit; did you mean security.rate_limit?"),
        ("api: {port: yes}", "api.port (@, line 1) is true: it takes"),
        ("monitoring: {retention_days: 0}", "and at most 36500; null for none"),
        ("api:\n  zzz: 1", "line 2: unknown key api.zzz; known: host, port"),
        ("api:\n  port: 65536", "line 2) is 65536: it takes a whole number, from 0 to 65535"),
        ("validation: {mode: maybe}", "is 'maybe': it takes observe, enforce or off"),
        ("security: {rate_limit: 5000 a day}", "is '5000 a day': it takes requests for a time"),
        ("api: {max_request_size: much}", "api.max_request_size"),
        ("api: {port: }", "has no value: it takes a whole number"),
        ("api: 5", "line 1: api is 5: it takes keys (host, port"),
        ("api: {port: 1}\napi: {port: 2}", "line 2: api is there twice, first in line 1"),
        ("api:\n  port: 1\n  port: 2", "line 3: api.port is there twice, first in line 2"),
        ("security:\n  tls_key: k", "line 2): tls_certificate and tls_key go together"),
        ("[1, 2]", "must be a mapping of sections (api, monitoring"),
        ("api: {port: [", "is not YAML, line 1"),
        ("api: {port: 2001-99-99}", "is not YAML"),
        ("[" * 1000, "is not YAML"),
        ("\x00", "is not YAML"),
        ("a" * 1_000_001, "is larger than"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, said: str) -> None:
    """A wrong file is refused with the key, its place, what is allowed or the nearest known one, in one line."""
    sentence = complaint(tmp_path, text)
    assert said.replace("@", str(tmp_path / "config.yaml")) in sentence
    assert str(tmp_path / "config.yaml") in sentence
    assert "\n" not in sentence


def test_everything_that_is_wrong_is_found_at_once(tmp_path: Path) -> None:
    """Nobody has to start five times to find five mistakes."""
    with pytest.raises(ConfigurationError) as raised:
        read(written(tmp_path, "api: {prot: 1, port: x}\nx: 1"), {"CLAUDE_PROXY_API__PROT": "1"})
    assert len(raised.value.faults) == 4
    assert "3 more: `claude-proxy config check`" in str(raised.value)


def test_a_secret_is_never_said(tmp_path: Path) -> None:
    """What is wrong with a token is said without it."""
    sentence = complaint(tmp_path, 'security: {tokens: ["hush hush"]}')
    assert "security.tokens" in sentence
    assert "hush" not in sentence


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """A missing file is an error, not a default."""
    with pytest.raises(ConfigurationError, match=r"cannot read the configuration .*: No such file"):
        load(str(tmp_path / "none.yaml"))
    with pytest.raises(ConfigurationError, match="Is a directory"):
        load(str(tmp_path))


def test_unknown_variables_are_refused() -> None:
    """A mistyped variable is not passed over; other programs' are."""
    with pytest.raises(ConfigurationError, match="did you mean CLAUDE_PROXY_API__WORKERS"):
        read(None, {"CLAUDE_PROXY_API__WORKRES": "2"})
    with pytest.raises(
        ConfigurationError, match=r"CLAUDE_PROXY_DATADIR; did you mean CLAUDE_PROXY_DATA_DIR\?"
    ):
        read(None, {"CLAUDE_PROXY_DATADIR": "/x"})
    # What an orchestrator sets for a service of our name.
    others = {"CLAUDE_PROXY_SERVICE_HOST": "10.0.0.1", "CLAUDE_PROXY_PORT_8000_TCP_PROTO": "tcp"}
    others |= {
        "OTHER__API": "1",
        "CLAUDE_PROXY_CLAUDE": "/x",
        "CLAUDE_PROXY_URL": "http://x",
        "CLAUDE_PROXY_": "1",
    }
    assert read(None, others).settings == Settings()


def test_a_variable_can_take_a_value_away(tmp_path: Path) -> None:
    """What a file sets, `null` in the environment unsets, where a key may have none."""
    path = written(tmp_path, "monitoring: {retention_days: 90}\nlogging: {level: ERROR}")
    assert (
        read(path, {"CLAUDE_PROXY_MONITORING__RETENTION_DAYS": "null"}).settings.monitoring.retention_days
        is None
    )
    with pytest.raises(ConfigurationError, match="it takes DEBUG"):
        read(path, {"CLAUDE_PROXY_LOGGING__LEVEL": "null"})


def test_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative path in a file is relative to its folder, `~` is the home, a variable's path is whole."""
    monkeypatch.setenv("HOME", "/home/dev")
    for text, path in (("d", str(tmp_path / "d")), ("/d", "/d"), ("~/d", "/home/dev/d")):
        found = load(written(tmp_path, f"storage: {{data_directory: {text}}}"))
        assert found.storage.data_directory == path
    with pytest.raises(ConfigurationError, match="absolute"):
        read(None, {"CLAUDE_PROXY_STORAGE__DATA_DIRECTORY": "d"})


def faults(path: str | None, environment: Mapping[str, str]) -> tuple[str, ...] | None:
    """Return what is wrong, None when all is right."""
    try:
        read(path, environment)
    except ConfigurationError as error:
        return error.faults
    return None


LINES = st.lists(
    st.sampled_from([*KEYS, "api.prot", "x.y"]).flatmap(
        lambda name: st.text(string.printable, max_size=12).map(
            lambda value: "{}: {{{}: {}}}".format(*name.split("."), value)
        )
    ),
    max_size=4,
)


@settings(suppress_health_check=list(HealthCheck))
@given(st.one_of(st.binary(max_size=60), LINES.map(lambda lines: "\n".join(lines).encode())))
def test_any_file_is_taken_or_refused(tmp_path: Path, content: bytes) -> None:
    """Whatever a file holds: settings, or one line that says why not; nothing else."""
    path = tmp_path / "config.yaml"
    path.write_bytes(content)
    found = faults(str(path), {})
    assert found is None or (found and all(fault and "\n" not in fault for fault in found))


@given(st.sampled_from(sorted(KEYS)), st.text(max_size=20))
def test_any_variable_is_taken_or_refused(name: str, value: str) -> None:
    """Whatever a variable holds: settings, or one line that says why not."""
    found = faults(None, {KEYS[name].variable: value})
    assert found is None or all(KEYS[name].variable in fault for fault in found)


def test_what_is_shown_can_be_read_back(tmp_path: Path) -> None:
    """Every default, written into a file, is taken: the table of keys can be copied."""
    content = to_builtins(Settings())
    del content["rules"]["named"]  # no key, but where the user's rules are
    assert load(written(tmp_path, yaml.safe_dump(content))) == Settings()
