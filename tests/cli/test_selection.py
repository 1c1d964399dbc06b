"""Which sessions are listed."""

from __future__ import annotations

import argparse
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from proxy.cli import overview
from proxy.cli.selection import past_time
from proxy.sessions.catalogue import inspect
from tests.command_line import claude_proxy
from tests.recorded import LogMaker

if TYPE_CHECKING:
    from pathlib import Path


def log(session_id: str, *, exit_code: int | None = 0, **started: Any) -> bytes:
    """Return the log of a session that did nothing, as its start and end say; without an end it has crashed."""
    maker = LogMaker(session_id)
    lines = maker.started(("claude", "--input-format", "stream-json"), **started)
    return lines if exit_code is None else lines + maker.ended(exit_code=exit_code)


@pytest.fixture
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data directory with sessions of every kind that is over."""
    sessions = tmp_path / "sessions"
    sessions.mkdir()
    for session_id, content in {
        "20260101T000000.000000Z-good": log("good", name="Nightly build"),
        "20260102T000000.000000Z-bad": log("bad", exit_code=3, cwd="/home/dev/other"),
        "20260103T000000.000000Z-dead": log("dead", exit_code=None, cwd="/home/dev/project/sub"),
    }.items():
        (sessions / f"{session_id}.jsonl").write_bytes(content)
    monkeypatch.setenv("CLAUDE_PROXY_DATA_DIR", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("", ["dead", "bad", "good"]),
        ("-n 1", ["dead"]),
        ("--outcome ok", ["good"]),
        ("--outcome failed,crashed", ["dead", "bad"]),
        ("--outcome failed,crashed -n 1", ["dead"]),
        ("--state ended", ["bad", "good"]),
        ("--state failed", ["dead"]),
        ("--state over", ["dead", "bad", "good"]),
        ("--state running", []),
        ("--state waiting,executing", []),
        ("--name build", ["good"]),
        ("--name night*", ["good"]),
        ("--name ight*", []),
        ("--cwd /home/dev/project", ["dead", "good"]),
        ("--cwd /home/dev/project/", ["dead", "good"]),
        ("--cwd /home/dev/proj", []),
        ("--cwd / --outcome failed", ["bad"]),
    ],
)
def test_sessions_that_fit(data_dir: Path, words: str, found: list[str]) -> None:
    """Each question alone and with others, also with a limit: the newest that fit."""
    said = json.loads(claude_proxy("sessions", "--json", *words.split()).stdout)
    assert [one["session_id"].rpartition("-")[2] for one in said["sessions"]] == found


def test_a_session_of_an_unknown_folder_is_in_none(data_dir: Path) -> None:
    """A log whose first record does not say where the command ran is in no folder, not in all."""
    lost = log("lost").replace(b'"cwd":"/home/dev/project"', b'"cwd":null')
    (data_dir / "sessions" / "20260104T000000.000000Z-lost.jsonl").write_bytes(lost)
    said = json.loads(claude_proxy("sessions", "--json", "--cwd", "/").stdout)
    assert [one["session_id"].rpartition("-")[2] for one in said["sessions"]] == ["dead", "bad", "good"]


def test_logs_are_read_no_further_than_needed(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a log's ends say is not looked for in all of it."""
    described: list[int] = []
    describe = overview._described

    def noting(data_dir: str, infos: list[Any]) -> list[dict[str, Any]]:
        described.append(len(infos))
        return describe(data_dir, infos)

    monkeypatch.setattr(overview, "_described", noting)
    claude_proxy("sessions", "--json", "--cwd", "/home/dev/other")
    claude_proxy("sessions", "--json", "--state", "running")
    claude_proxy("sessions", "--json", "--name", "nothing", "--outcome", "ok")
    assert described == [1]


def test_when_none_fits_it_is_said(data_dir: Path) -> None:
    """An empty table would look like an empty data directory."""
    assert claude_proxy("sessions", "--outcome", "blocked").stdout == "None of 3 sessions fits.\n"


def test_since(data_dir: Path) -> None:
    """A session that began at the time itself is in, one before it is not."""
    started = inspect(str(data_dir / "sessions/20260101T000000.000000Z-good.jsonl")).started_at
    assert started is not None
    later = (datetime.fromisoformat(started) + timedelta(microseconds=1)).isoformat()
    for time, count in ((started, 3), (later, 0)):
        assert (
            len(json.loads(claude_proxy("sessions", "--json", "--since", time).stdout)["sessions"]) == count
        )


def test_times_that_people_write() -> None:
    """So long ago, a date, a time with a zone, or without one in UTC, as records have it."""
    now = datetime.now(UTC).timestamp() * 1_000_000
    assert abs(past_time("2h") - (now - 7_200_000_000)) < 60_000_000
    assert past_time("1970-01-02") == 86_400_000_000
    assert past_time("1970-01-01T01:00") == past_time("1970-01-01T02:00+01:00") == 3_600_000_000
    assert past_time("999999w") < past_time("0001-01-01") == past_time("0001-01-01T00:00+14:00")
    for wrong in ("", "2", "yesterday", "2y", "-1h"):
        with pytest.raises(argparse.ArgumentTypeError, match="it takes a time such as"):
            past_time(wrong)
