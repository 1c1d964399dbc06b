"""What must hold of every wrapped run, whatever it was about."""

from __future__ import annotations

import json
from itertools import pairwise
from signal import Signals
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.rig.recording import Recording
    from tests.rig.wrapping import Log, Record, Wrapped

__all__ = ["assert_faithful", "assert_log_is_whole", "assert_nothing_changed", "unexpected_verdicts"]

STREAMS = ("stdin", "stdout")


def assert_faithful(wrapped: Wrapped) -> None:
    """Hold everything that the two recorders saw and the wrapper wrote against each other."""
    outside, inside, logs = wrapped.outside(), wrapped.inside(), wrapped.logs()
    assert len(outside) == len(inside) == len(logs), "each run has one log"
    for outer, inner, log in zip(outside, inside, logs, strict=True):
        assert_nothing_changed(outer, inner)
        assert_log_is_whole(log, inner)


def assert_nothing_changed(outer: Recording, inner: Recording) -> None:
    """Both sides of the wrapper saw the same bytes and the same exit status."""
    assert inner.stdin == outer.stdin
    assert inner.stdout == outer.stdout
    assert inner.exit == outer.exit


def assert_log_is_whole(log: Log, seen: Recording) -> None:
    """The log holds every line byte for byte, between a true beginning and a true end."""
    assert [record.seq for record in log.records] == list(range(len(log.records)))
    assert all(one.ts < other.ts for one, other in pairwise(log.records))
    assert {record.session_id for record in log.records} == {log.path.stem}
    for stream, data in zip(STREAMS, (seen.stdin, seen.stdout), strict=True):
        _assert_lines(log.lines(stream), data.split(b"\n"))

    started, ended = log.event("session_started"), log.event("session_ended")
    assert log.records[0].event is not None
    assert log.records[0].event["data"] == started
    assert log.records[-1].event is not None
    assert log.records[-1].event["data"] == ended
    assert started["format"] == 1
    for recorded, given in zip(started["command"][1:], seen.argv, strict=True):
        assert recorded == given or "[redacted]" in recorded
    signal = ended.get("signal")
    assert (ended["exit_code"] if signal is None else -Signals[signal]) == seen.exit
    for stream in STREAMS:
        verdicts = [record.verdict for record in log.lines(stream) if not record.is_blank]
        assert ended["counts"][stream] == {str(v): verdicts.count(v) for v in set(verdicts)}


def unexpected_verdicts(log: Log) -> list[tuple[str, str | None, str, str]]:
    """Return every line that is not `valid` as it should be: stream, verdict, errors and the beginning of the line."""
    return [
        (record.stream, record.verdict, json.dumps(record.errors), record.line[:300].decode())
        for stream in STREAMS
        for record in log.lines(stream)
        if record.verdict != (None if record.is_blank else "valid")
    ]


def _assert_lines(records: list[Record], lines: list[bytes]) -> None:
    if lines and lines[-1] == b"":
        lines = lines[:-1]
    assert len(records) == len(lines)
    for record, line in zip(records, lines, strict=True):
        if record.redacted:  # the record differs there on purpose, and only there
            assert b"redacted" in record.line.lower()
            assert json.loads(record.line).keys() == json.loads(line).keys()
        else:
            assert record.line == line
