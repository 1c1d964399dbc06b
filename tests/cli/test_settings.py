"""``claude-proxy config``: as somebody who runs a server uses it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from proxy.config import KEYS
from tests.command_line import claude_proxy

if TYPE_CHECKING:
    from pathlib import Path


def run(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the program."""
    command = [sys.executable, "-m", "proxy", *words]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=120, env={**os.environ, **environment}
    )


def test_show_says_where_each_value_came_from(tmp_path: Path) -> None:
    """Every key is there, with its source; secrets are not."""
    path = tmp_path / "c.yaml"
    path.write_text("security:\n  tokens: [hush]\napi: {port: 1, host: 127.0.0.2}")
    ran = run("config", "show", "--json", "--config", str(path), "--port", "2", CLAUDE_PROXY_API__WORKERS="3")
    shown = json.loads(ran.stdout)
    assert list(shown) == list(KEYS)
    assert shown["api.port"] == {"value": 2, "source": "--port"}
    assert shown["api.workers"] == {"value": 3, "source": "CLAUDE_PROXY_API__WORKERS"}
    assert shown["api.host"] == {"value": "127.0.0.2", "source": f"{path}, line 3"}
    assert shown["logging.level"] == {"value": "INFO", "source": "default"}
    people = run("config", "show", "--config", str(path)).stdout
    assert [line.split()[0] for line in people.splitlines()] == ["key", *KEYS]
    assert "hush" not in ran.stdout + people


def test_check_lists_everything_that_is_wrong(tmp_path: Path) -> None:
    """One line for each mistake and status 2; status 0 when there is none."""
    path = tmp_path / "c.yaml"
    path.write_text("api: {prot: 1}\nx: 1")
    ran = run("config", "check", "--config", str(path))
    assert (ran.returncode, len(ran.stderr.splitlines())) == (2, 2)
    path.write_text("api: {port: 1}")
    ran = run("config", "check", "--config", str(path))
    assert (ran.returncode, ran.stderr) == (0, "")


def test_nothing_starts_half_configured(tmp_path: Path) -> None:
    """A wrong variable stops a session and a server alike, before anything is done."""
    for variable, meant in (("API__WORKRES", "API__WORKERS"), ("VALIDATON", "VALIDATION")):
        wrong = {f"CLAUDE_PROXY_{variable}": "2", "CLAUDE_PROXY_DATA_DIR": str(tmp_path / "d")}
        for words in (["--", sys.executable, "-c", "print(1)"], ["serve"], ["sessions"]):
            ran = run(*words, **wrong)
            assert (ran.returncode, ran.stdout) == (2, "")
            assert f"did you mean CLAUDE_PROXY_{meant}?" in ran.stderr
    assert not (tmp_path / "d").exists()


def test_a_session_takes_its_keys_from_variables(tmp_path: Path) -> None:
    """What a wrapped session uses can be set in the environment by its key as well."""
    variables = {
        "CLAUDE_PROXY_STORAGE__DATA_DIRECTORY": str(tmp_path),
        "CLAUDE_PROXY_VALIDATION__MODE": "off",
    }
    said = """print('{"type":"keep_alive"}')"""
    run("--server", "off", "--", sys.executable, "-c", said, **variables)
    log = (tmp_path / "sessions" / "latest.jsonl").read_text()
    assert '"message":{"type":"keep_alive"}' in log
    assert "verdict" not in log.splitlines()[1]


def test_a_data_directory_that_is_a_file(tmp_path: Path) -> None:
    """One sentence that says what to change."""
    place = tmp_path / "file"
    place.touch()
    ran = run("sessions", "--data-dir", str(place))
    assert (ran.returncode, "is a file" in ran.stderr) == (2, True)
    ran = run("sessions", "--data-dir=")
    assert (ran.returncode, ran.stderr) == (2, "claude-proxy: option --data-dir needs a value\n")


@pytest.mark.parametrize("policy", [None, "{permissions: {deny: [1]}}"])
def test_check_reads_the_policy_as_a_session_does(tmp_path: Path, policy: str | None) -> None:
    """Regression: the configuration was right, and every session with it stopped with status 2."""
    if policy is not None:
        (tmp_path / "policy.yaml").write_text(policy)
    (tmp_path / "config.yaml").write_text("policy: {file: policy.yaml}")
    ran = claude_proxy("config", "check", "--config", str(tmp_path / "config.yaml"))
    assert (ran.status, ran.stderr.count("\n")) == (2, 1)
    assert f"the policy {tmp_path / 'policy.yaml'}" in ran.stderr
