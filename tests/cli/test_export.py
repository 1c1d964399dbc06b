"""``claude-proxy export``: a past session's traces."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.command_line import claude_proxy
from tests.recorded import LogMaker, scenario
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
