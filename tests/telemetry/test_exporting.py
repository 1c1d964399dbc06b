"""Spans of sessions that go on: each arrives once, whatever ends in between."""

from __future__ import annotations

import contextlib
import json
import random
import threading
import time
from typing import TYPE_CHECKING

import pytest

from proxy.telemetry import exporting
from proxy.telemetry.collector import CollectorAwayError, CollectorRefusedError
from proxy.telemetry.exporting import Export, Exporter
from tests.analysis.made import events_of
from tests.recorded import NAMES, LogMaker, scenario
from tests.shipping.hosts import Host
from tests.telemetry.receiver import Receiver, receiver
from tests.telemetry.test_traces import spans_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from proxy.telemetry.traces import TraceSpan


class Sink:
    """A collector that keeps what it is sent, and fails as a test says."""

    def __init__(self) -> None:
        self.spans: list[TraceSpan] = []
        self.fails: Callable[[], Exception | None] = lambda: None

    def send(self, spans: Sequence[TraceSpan]) -> None:
        """Take spans, or raise."""
        if spans and (error := self.fails()) is not None:
            raise error
        self.spans += spans

    @property
    def ids(self) -> list[int]:
        """The ids of all spans, as they came."""
        return [span.span_id for span in self.spans]


def now_us() -> int:
    """Return the time: what ended before the export began is not sent."""
    return time.time_ns() // 1000


def exporter(host: Host, sink: Sink, **options: object) -> Exporter:
    """Return an exporter that a process has just begun with."""
    return Exporter(str(host.data_dir), "http://collector", sink, **options)  # type: ignore[arg-type]


def work(one: Exporter) -> None:
    """Look at all logs, and send all that there is."""
    one.look(None)
    for _ in range(2):
        while one.send():
            pass
        one.end_dead()


def expected(*logs: bytes) -> list[int]:
    """Return the ids of the spans of sessions."""
    names = [json.loads(log.partition(b"\n")[0])["session_id"] for log in logs]
    return [
        span.span_id for name, log in zip(names, logs, strict=True) for span in spans_of(events_of(log), name)
    ]


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """A data directory."""
    return Host(tmp_path / "data")


@pytest.mark.parametrize("seed", range(12))
def test_each_span_arrives_once(host: Host, seed: int) -> None:
    """Logs that grow in any pieces, an exporter that ends at any time, a collector that is away: each span once."""
    dice = random.Random(seed)
    sink = Sink()
    sink.fails = lambda: CollectorAwayError("away") if dice.random() < 0.3 else None
    one = exporter(host, sink)
    start_us = now_us() + 1_000_000
    logs = {
        f"s{number}": scenario(name, LogMaker(f"s{number}", start_us))
        for number, name in enumerate(dice.sample(NAMES, 4))
    }
    written = dict.fromkeys(logs, 0)
    with contextlib.ExitStack() as writers:
        for name in logs:
            writers.enter_context(host.writing(name))
        while left := [name for name, log in logs.items() if written[name] < len(log)]:
            name = dice.choice(left)
            piece = logs[name][written[name] : written[name] + dice.randrange(1, 6000)]
            host.append(name, piece)
            written[name] += len(piece)
            with contextlib.suppress(CollectorAwayError):
                work(one)
            if dice.random() < 0.2:
                one.close()
                one = exporter(host, sink)
    sink.fails = lambda: None
    work(one)
    one.close()
    assert sorted(sink.ids) == sorted(expected(*logs.values()))


def test_what_was_before_is_not_sent(host: Host) -> None:
    """Switched on, the export takes what ends from then on: no history, and of a live session no past turn."""
    host.record("past")
    sink = Sink()
    maker = LogMaker("live", now_us() - 60_000_000)
    old = scenario("simple", maker).splitlines(keepends=True)
    host.append("live", b"".join(old[:-1]))
    with host.writing("live"):
        one = exporter(host, sink)
        work(one)
        assert sink.ids == []
    one.close()


def test_what_a_killed_server_could_not_send_comes_later(host: Host) -> None:
    """A server that is killed before it has sent anything leaves behind since when there is something to send."""
    sink = Sink()
    sink.fails = lambda: CollectorAwayError("away")
    log = scenario("simple", LogMaker("s", now_us() + 1_000_000))
    killed = exporter(host, sink)  # never closed
    host.append("s", log)
    with pytest.raises(CollectorAwayError):
        work(killed)
    sink.fails = lambda: None
    one = exporter(host, sink)
    assert one._state.since_us == killed._state.since_us
    work(one)
    one.close()
    assert sink.ids == expected(log)


def test_another_collector_begins_anew(host: Host) -> None:
    """One that was not there before gets nothing of the past, and the address is in no file."""
    sink = Sink()
    one = Exporter(str(host.data_dir), "http://secret@first", sink)  # type: ignore[arg-type]
    host.record("a", start_us=now_us() + 1_000_000)
    work(one)
    one.close()
    assert b"secret" not in (host.data_dir / "otlp.json").read_bytes()
    count = len(sink.ids)
    second = Exporter(str(host.data_dir), "http://second", sink)  # type: ignore[arg-type]
    second.close()
    assert count > 0
    assert len(sink.ids) == count


def test_a_session_that_died_is_told(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was open when the wrapper was killed ends as an error, once."""
    monkeypatch.setattr(exporting, "_LOOK_AT_ALL_S", 0.0)
    sink = Sink()
    one = exporter(host, sink)
    log = scenario("subagent", LogMaker("dead", now_us() + 1_000_000)).splitlines(keepends=True)
    with host.writing("dead"):
        host.append("dead", b"".join(log[: len(log) // 2]))
        work(one)
        before = len(sink.ids)
    for _ in range(2):
        work(one)
        one.close()
        one = exporter(host, sink)
    assert len(sink.ids) > before
    assert len(set(sink.ids)) == len(sink.ids)
    turn = sink.spans[-1]
    assert (turn.is_turn, turn.attributes["claude_proxy.outcome"]) == (True, "unfinished")


def test_a_collector_that_is_away_costs_bounded_memory(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond some spans logs are not read further; when it is back, everything comes."""
    monkeypatch.setattr(exporting, "_MOST_WAITING", 20)
    monkeypatch.setattr(exporting, "_PIECE", 1000)
    sink = Sink()
    sink.fails = lambda: CollectorAwayError("away")
    one = exporter(host, sink)
    logs = [host.record(f"s{number}", "subagent", now_us() + 1_000_000) for number in range(20)]
    for _ in range(50):
        with pytest.raises(CollectorAwayError):
            work(one)
    assert sum(len(session.waiting) for session in one._followed.values()) < 40
    sink.fails = lambda: None
    work(one)
    one.close()
    assert sorted(sink.ids) == sorted(expected(*logs))


def test_refused_spans_hold_up_nothing(host: Host) -> None:
    """What a collector does not want is told and left out; the rest arrives."""
    refusals: list[Exception] = []
    sink = Sink()
    errors = iter([CollectorRefusedError("it answers 400")])
    sink.fails = lambda: next(errors, None)
    one = exporter(host, sink, on_refused=refusals.append)
    host.record("a", start_us=now_us() + 1_000_000)
    work(one)
    log = host.record("b", start_us=now_us() + 1_000_000)
    work(one)
    one.close()
    assert [str(error) for error in refusals] == ["it answers 400"]
    assert sink.ids == expected(log)


def test_little_is_remembered_of_what_is_over(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """The note of what was sent does not grow with all sessions, and their logs are not read again."""
    monkeypatch.setattr(exporting, "_MARGIN_S", -60.0)
    sink = Sink()
    one = exporter(host, sink)
    one._state.settled = 0.0
    for number in range(5):
        host.record(f"s{number}", start_us=now_us() + 1_000_000)
    work(one)
    one.close()
    assert json.loads((host.data_dir / "otlp.json").read_bytes())["sent"] == {}
    count = len(sink.ids)
    work(again := exporter(host, sink))
    again.close()
    assert len(sink.ids) == count


def arrived(given: Receiver, count: int) -> None:
    """Wait until so many spans have arrived."""
    with given.arrived:
        assert given.arrived.wait_for(lambda: len(given.spans) >= count, 60)


def test_a_thread_exports_over_a_restart(host: Host) -> None:
    """The thread sends what is recorded while it goes on, spans and metrics; the next one goes on behind it."""
    with receiver() as given:
        for name in ("first", "second"):
            export = Export(str(host.data_dir), given.url, with_content=False)
            log = host.record(name, "subagent", now_us() + 1_000_000)
            arrived(given, len(given.spans) + len(expected(log)))
            export.stop()
            assert export.trouble is None
    assert len(given.by_id()) == len(given.spans)
    assert "gen_ai.client.token.usage" in given.metrics


def test_an_absent_collector_is_told_once(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who is away is told, once; then it is told that it is back, and everything is there."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "0.2")
    told: list[str | None] = []
    is_back = threading.Event()

    def note(trouble: str | None) -> None:
        told.append(trouble)
        if trouble is None:
            is_back.set()

    with receiver() as given:
        given.statuses["/v1/traces"] = [503] * 3
        export = Export(str(host.data_dir), given.url, with_content=False, on_trouble=note)
        host.record("a", start_us=now_us() + 1_000_000)
        assert is_back.wait(60)
        export.stop()
    assert told == ["it answers 503", None]
    assert not export.is_needed
    assert len(given.by_id()) == len(given.spans)
