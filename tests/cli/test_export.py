"""``claude-proxy export``: a past session's traces."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from proxy.sessions import firings
from tests.command_line import claude_proxy
from tests.recorded import START_US, LogMaker, firing, scenario
from tests.telemetry.receiver import receiver

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """A data directory with one session."""
    (tmp_path / "sessions").mkdir(mode=0o700)
    (tmp_path / "sessions" / "s.jsonl").write_bytes(scenario("subagent", LogMaker("s")))
    return tmp_path


def test_a_session_is_sent(data_dir: Path) -> None:
    """All spans of a session arrive; sent again they are the same, so that a backend has them once."""
    words = ["--data-dir", str(data_dir), "export", "latest", "--header", "x-key=a=b"]
    with receiver() as given:
        ran = claude_proxy(*words, "--otlp", given.url)
        assert (ran.status, ran.stdout) == (0, f"7 spans of 1 turn are at {given.url}\n")
        claude_proxy(*words, "--otlp", f"{given.url}/v1/traces", "--content")
    assert (len(given.spans), len(given.by_id())) == (14, 7)
    assert [path for path, _ in given.requests] == ["/v1/traces"] * 2
    assert given.requests[0][1]["x-key"] == "a=b"
    without, with_content = given.spans[:7], given.spans[7:]
    assert "input.messages" not in json.dumps(without)
    assert "input.messages" in json.dumps(with_content)


def test_a_session_that_died_is_sent_with_its_open_turn(data_dir: Path) -> None:
    """What was open when the wrapper was killed is sent too."""
    log = data_dir / "sessions" / "s.jsonl"
    log.write_bytes(b"".join(log.read_bytes().splitlines(keepends=True)[:5]))
    with receiver() as given:
        ran = claude_proxy("--data-dir", str(data_dir), "export", "s", "--otlp", given.url)
    assert "of 1 turn are at" in ran.stdout
    (turn,) = (one for one in given.spans if one["parent_id"] == "")
    assert turn["attributes"]["claude_proxy.outcome"] == "unfinished"


def test_what_is_wrong_is_said(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong word is status 2; a place that does not take the spans is status 1, and says how far it came."""
    for words, said in (
        (["s", "--otlp", "localhost:4318"], "it takes a URL with http:// or https://"),
        (["s", "--otlp", "http://x", "--header", "key"], "--header takes NAME=VALUE"),
        (["nobody", "--otlp", "http://127.0.0.1:1"], "no session fits 'nobody'"),
        (["s"], "--otlp"),
    ):
        ran = claude_proxy("--data-dir", str(data_dir), "export", *words)
        assert (ran.status, ran.stdout) == (2, "")
        assert said in ran.stderr
    with receiver() as given:
        given.statuses["/v1/traces"] = [401]
        ran = claude_proxy("--data-dir", str(data_dir), "export", "s", "--otlp", given.url)
    assert ran.status == 1
    assert "has not taken the spans: it answers 401 to 7 spans; 0 spans were sent before" in ran.stderr
    monkeypatch.setitem(
        __import__("sys").modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None
    )
    ran = claude_proxy("--data-dir", str(data_dir), "export", "s", "--otlp", "http://127.0.0.1:1")
    assert ran.status == 2
    assert "pip install 'claude-proxy[otlp]'" in ran.stderr


def test_logs_are_written_byte_for_byte(data_dir: Path, tmp_path: Path) -> None:
    """One by its id, or all since a time; half a line at the end is left out, and what is there is not replaced."""
    log = data_dir / "sessions" / "s.jsonl"
    text = log.read_bytes()
    log.write_bytes(text + b'{"half')
    words = ["--data-dir", str(data_dir), "export"]
    for _ in range(2):  # again, it is there already
        ran = claude_proxy(*words, "latest", "--to", str(tmp_path / "one"))
        assert (ran.status, ran.stderr) == (0, "")
        assert "1 session" in ran.stdout
        assert [path.name for path in (tmp_path / "one").iterdir()] == ["s.jsonl"]
        assert (tmp_path / "one" / "s.jsonl").read_bytes() == text
    log.write_bytes(text + b"{}\n")
    ran = claude_proxy(*words, "s", "--to", str(tmp_path / "one"))
    assert ran.status == 1
    assert "is there already" in ran.stderr
    assert (tmp_path / "one" / "s.jsonl").read_bytes() == text
    ran = claude_proxy(*words, "--since", "2001-01-01", "--to", str(tmp_path / "all"))
    assert (ran.status, (tmp_path / "all" / "s.jsonl").read_bytes()) == (0, text + b"{}\n")
    assert "0 sessions" in claude_proxy(*words, "--since", "1s", "--to", str(tmp_path / "none")).stdout


@pytest.mark.parametrize("redact", ["off", "on", "strict"])
def test_what_rules_found_goes_with_a_log(data_dir: Path, tmp_path: Path, redact: str) -> None:
    """A copy of a session has its `rule_fired` events, with `export --to` and with `redact`; no file is replaced."""
    log = data_dir / "sessions" / "s.jsonl"
    last = json.loads(log.read_bytes().splitlines()[-1])
    firings.append(str(data_dir), "s", firing(START_US, evidence=[last["seq"]], running=["Bash"]))
    words = ["--data-dir", str(data_dir)]
    for _ in range(2):
        assert (
            claude_proxy(*words, "export", "s", "--to", str(tmp_path / "out"), "--redact", redact).status == 0
        )
    copies = [tmp_path / "out" / "s.jsonl"]
    if redact != "off":
        copies.append(tmp_path / "copy.jsonl")
        assert claude_proxy(*words, "--redact", redact, "redact", "s", "-o", str(copies[1])).status == 0
    told = told_by_rules(data_dir, log)
    assert len(told) == 1
    for copy in copies:
        assert copy.with_suffix(".rules").stat().st_mode & 0o777 == 0o600
        assert told_by_rules(data_dir, copy) == told
    before = copies[0].with_suffix(".rules").read_bytes()
    firings.append(str(data_dir), "s", firing(START_US))
    ran = claude_proxy(*words, "export", "s", "--to", str(tmp_path / "out"), "--redact", redact)
    assert (ran.status, "s.rules is there already" in ran.stderr) == (1, True)
    assert copies[0].with_suffix(".rules").read_bytes() == before


def told_by_rules(data_dir: Path, log: Path) -> list[str]:
    """Return what `show` says of the rule, of a log by its path."""
    shown = claude_proxy("--data-dir", str(data_dir), "show", str(log)).stdout
    return [line for line in shown.splitlines() if "dear" in line]


def test_a_folder_that_is_a_data_directory_is_safe(data_dir: Path) -> None:
    """Written to where the log itself is, it is the same file, and stays so."""
    log = data_dir / "sessions" / "s.jsonl"
    before = log.stat().st_ino
    ran = claude_proxy("--data-dir", str(data_dir), "export", "s", "--to", str(log.parent))
    assert (ran.status, log.stat().st_ino) == (0, before)


def test_logs_are_written_without_credentials(data_dir: Path, tmp_path: Path) -> None:
    """`--redact`, before or behind the subcommand, leaves out what `redact` does; the log itself stays as it is."""
    key = "sk-ant-api03-" + "a1B2" * 12
    log = data_dir / "sessions" / "s.jsonl"
    log.write_bytes(log.read_bytes().replace(b'"result":"', f'"result":"{key} '.encode()))
    assert key.encode() in log.read_bytes()
    for number, words in enumerate(
        (
            ["export", "--redact", "on"],
            ["--redact", "on", "export"],
            ["export"],
            ["export", "--redact", "off"],
        )
    ):
        folder = tmp_path / f"out{number}"
        ran = claude_proxy("--data-dir", str(data_dir), *words, "s", "--to", str(folder))
        assert ran.status == 0
        assert (key.encode() in (folder / "s.jsonl").read_bytes()) is (number > 1)


def test_what_goes_with_a_folder(data_dir: Path, tmp_path: Path) -> None:
    """One session or a time goes with a folder, headers and content do not; a time does not go with traces."""
    for given in (["--to", "x"], ["s", "--since", "1d", "--to", "x"], ["--otlp", "http://x"]):
        assert claude_proxy("--data-dir", str(data_dir), "export", *given).status == 2
    ran = claude_proxy("--data-dir", str(data_dir), "export", "s", "--otlp", "http://x", "--redact", "on")
    assert "go with --to" in ran.stderr
    for given in (["--content"], ["--header", "a=b"]):
        ran = claude_proxy("--data-dir", str(data_dir), "export", "s", "--to", str(tmp_path / "x"), *given)
        assert (ran.status, "go with --otlp" in ran.stderr) == (2, True)
