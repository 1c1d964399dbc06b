"""One direction of one stream: logged first, passed on second, and ended as its two sides end."""

from __future__ import annotations

import contextlib
import itertools
import os
import select
import signal
import tempfile
import threading
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.protocol import Judge
from proxy.redaction import Redactor
from proxy.relay import enforcement
from proxy.relay.framing import Batch
from proxy.relay.injection import InjectingPump
from proxy.relay.pump import READ_BYTES, Pump, ReaderGoneError, capacity
from proxy.relay.recording import StreamRecorder
from proxy.relay.threads import WAKE
from proxy.sessions.record import lifecycle
from proxy.sessions.writer import SessionLog
from tests.relay.wrapper import BOUND_S, read_all, read_exactly, read_line, write_all
from tests.sessions.logs import read_log

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.sessions.logs import Log

MESSAGE = b'{"type":"novelty","n":%d}\n'
VALID = b'{"type":"keep_alive","n":%d}\n'
LONG = b'{"type":"novelty","pad":"' + b"." * 40_000 + b'","n":%d}\n'


class WatchedLog(SessionLog):
    """A log that can be held up before it writes."""

    def __init__(self, data_dir: Path) -> None:
        super().__init__(str(data_dir), "s", lifecycle("s", "session_started", {}))
        self.may_write = threading.Event()
        self.may_write.set()
        self.asked = threading.Semaphore(0)

    def append(self, bodies: Any) -> bool:
        """Write when it is allowed."""
        self.asked.release()
        assert self.may_write.wait(BOUND_S)
        return super().append(bodies)

    def append_line(self, prefix: bytes, line: bytes) -> bool:
        """Write when it is allowed."""
        self.asked.release()
        assert self.may_write.wait(BOUND_S)
        return super().append_line(prefix, line)


class Line:
    """A pump between two pipes."""

    def __init__(
        self,
        data_dir: Path,
        *,
        declared: bool = True,
        source_is_ours: bool = True,
        pump: Callable[..., Pump] = Pump,
        recorder: Callable[..., StreamRecorder] = StreamRecorder,
    ) -> None:
        self.log = WatchedLog(data_dir)
        self.recorder = recorder("s", "stdout", declared=declared, judged=True, redactor=Redactor())
        source, self.writer = os.pipe()
        self.reader, sink = os.pipe()
        self.faults: list[str] = []
        self.idle = threading.Semaphore(0)  # released with each time that it is
        self.pump = pump(
            "stdout",
            source,
            sink,
            self.recorder,
            self.log,
            source_is_ours=source_is_ours,
            on_idle=self.idle.release,
            on_fault=lambda name, error: self.faults.append(f"{name}: {error!r}"),
        )

    def start(self) -> Line:
        """Start pumping."""
        self.pump.start()
        return self

    def watch_both_ends(self) -> None:
        """Do as the relay does when the reader is gone, or the command."""
        unreadable = os.open(os.devnull, os.O_WRONLY)
        self.pump.watch_both_ends(unreadable)
        os.close(unreadable)

    def ended(self) -> Log:
        """Return what is recorded once the pump has ended."""
        self.pump.join(BOUND_S)
        assert self.pump.ended
        self.log.close()
        return read_log(self.path)

    @property
    def path(self) -> Path:
        """Where the log is."""
        return Path(self.log.path)


@pytest.fixture(autouse=True, scope="module")
def waking() -> Iterator[None]:
    """The signal that wakes a pump does no more than that, as in the relay process."""
    before = signal.signal(WAKE, lambda _number, _frame: None)
    yield
    signal.signal(WAKE, before)


@pytest.fixture
def line(tmp_path: Path) -> Iterator[Line]:
    """A pump of messages that runs."""
    line = Line(tmp_path).start()
    yield line
    for fd in (line.writer, line.reader):
        try:
            os.close(fd)
        except OSError:
            continue  # closed by the test
    line.log.may_write.set()
    line.pump.join(BOUND_S)


def is_empty(fd: int) -> bool:
    """Whether there is nothing to be read."""
    os.set_blocking(fd, False)
    try:
        return not os.read(fd, 1)
    except BlockingIOError:
        return True
    finally:
        os.set_blocking(fd, True)


@pytest.mark.parametrize("message", [MESSAGE, VALID, LONG], ids=["short", "valid", "long"])
def test_nothing_passes_before_it_is_logged(line: Line, message: bytes) -> None:
    """With the log held up, not a byte of a message has been passed on; with the log gone on, all of it is."""
    for number in range(3):
        line.log.may_write.clear()
        write_all(line.writer, message % number)
        assert line.log.asked.acquire(timeout=BOUND_S)
        assert is_empty(line.reader)
        line.log.may_write.set()
        assert read_line(line.reader) == message % number
        assert read_log(line.path).lines("stdout")[-1] == (message % number)[:-1]


@pytest.mark.parametrize("message", [MESSAGE, VALID, LONG], ids=["short", "valid", "long"])
def test_the_end_of_the_source_is_passed_on(line: Line, message: bytes) -> None:
    """Everything is delivered, then the far side is closed, and the near one too."""
    for number in range(5):
        write_all(line.writer, message % number)
        assert read_line(line.reader) == message % number
    write_all(line.writer, b"half")
    os.close(line.writer)
    assert read_all(line.reader) == b"half"
    log = line.ended()
    assert log.lines("stdout") == [*[(message % number)[:-1] for number in range(5)], b"half"]


def test_a_closed_reader_is_passed_on(line: Line) -> None:
    """The writer is told at once, although nothing was written; nothing was lost before."""
    write_all(line.writer, MESSAGE % 1)
    assert read_line(line.reader) == MESSAGE % 1
    os.close(line.reader)
    line.watch_both_ends()
    assert line.ended().lines("stdout") == [(MESSAGE % 1)[:-1]]
    with pytest.raises(BrokenPipeError):
        os.write(line.writer, b"x")


def test_a_blocked_read_ends_and_the_stream_goes_on(line: Line) -> None:
    """Once the pump watches both ends it passes on what comes, tells that it waits, and sees its reader go."""
    for number in range(3):
        write_all(line.writer, VALID % number)
        assert read_line(line.reader) == VALID % number
        assert not line.pump.is_idle  # nobody can tell whether it has read more
    for _ in range(2):
        line.watch_both_ends()
    for number in range(3, 6):
        write_all(line.writer, VALID % number)
        assert read_line(line.reader) == VALID % number
    while not line.pump.is_idle:
        assert line.idle.acquire(timeout=BOUND_S)
    os.close(line.reader)
    assert line.ended().lines("stdout") == [(VALID % number)[:-1] for number in range(6)]
    assert line.faults == []


@given(rest=st.lists(st.sampled_from(["write", "watch"]), max_size=6))
def test_no_moment_is_bad_to_begin_to_watch(rest: list[str]) -> None:
    """Whatever the pump does when it is asked to watch both ends, it loses nothing and comes to an end."""
    with tempfile.TemporaryDirectory() as folder:
        line = Line(Path(folder)).start()
        written = 0
        for step in ["write", *rest, "watch"]:
            if step == "write":
                write_all(line.writer, VALID % written)
                written += 1
            else:
                line.watch_both_ends()
        os.close(line.writer)
        assert read_all(line.reader) == b"".join(VALID % number for number in range(written))
        assert line.ended().lines("stdout") == [(VALID % number)[:-1] for number in range(written)]
        os.close(line.reader)


def test_without_a_descriptor_to_spare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pump that could not be given a descriptor to block in watches both ends from the start."""
    with monkeypatch.context() as patch:
        patch.setattr(os, "dup", lambda _fd: (_ for _ in ()).throw(OSError(24, "Too many open files")))
        line = Line(tmp_path)
    assert line.pump.watches_both_ends
    line.start()
    write_all(line.writer, VALID % 1)
    assert read_line(line.reader) == VALID % 1
    os.close(line.reader)
    assert line.ended().lines("stdout") == [(VALID % 1)[:-1]]
    os.close(line.writer)


def test_a_pump_ends_though_its_sink_cannot_be_closed_well(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A network file system says at the close that its disk is full: nobody waits for that pump for ever."""
    write_all(line.writer, MESSAGE % 1)
    assert read_line(line.reader) == MESSAGE % 1
    close = os.close

    def fail(fd: int) -> None:
        close(fd)
        if fd in {line.pump.source, line.pump.sink}:
            raise OSError(122, "Disk quota exceeded")

    with monkeypatch.context() as patch:
        patch.setattr(os, "close", fail)
        close(line.writer)
        line.pump.join(BOUND_S)
    assert line.ended().lines("stdout") == [(MESSAGE % 1)[:-1]]
    assert read_all(line.reader) == b""


def test_what_was_written_to_a_closed_reader_is_on_record(tmp_path: Path) -> None:
    """What the command said before it could notice is recorded; what another program's pipe holds is left there."""
    for ours, expected in ((True, [(MESSAGE % 1)[:-1], b"{half"]), (False, [])):
        line = Line(tmp_path / str(ours), source_is_ours=ours)
        line.log.append([])
        write_all(line.writer, MESSAGE % 1 + b"{half")
        os.close(line.reader)
        line.start()
        assert line.ended().lines("stdout") == expected
        os.close(line.writer)


def test_a_command_that_writes_on_to_a_closed_reader(tmp_path: Path) -> None:
    """Regression: it is stopped once that is on record which its pipe held, however fast it fills the pipe again."""
    line = Line(tmp_path)
    os.set_blocking(line.writer, False)

    def fill() -> None:
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(line.writer, MESSAGE % 1)

    class Refilled(StreamRecorder):
        def record(self, batch: Batch) -> None:
            fill()
            super().record(batch)

    line.pump.recorder = Refilled("s", "stdout", declared=True, judged=True, redactor=Redactor())
    fill()
    os.close(line.reader)
    line.start()
    recorded = line.ended().lines("stdout")
    assert recorded
    assert len(recorded) * len(MESSAGE % 1) <= capacity(line.writer) + READ_BYTES
    with pytest.raises(BrokenPipeError):
        os.write(line.writer, b"more")
    os.close(line.writer)


PLAIN: dict[str, Any] = {}
ANSWERING: dict[str, Any] = {"pump": InjectingPump, "recorder": enforcement.recorders()["stdout"]}
GUARDED: dict[str, Any] = {"pump": InjectingPump, "recorder": enforcement.recorders()["stdin"]}


@pytest.mark.parametrize("kind", [PLAIN, GUARDED], ids=["observe", "enforce"])
@pytest.mark.parametrize("message", [MESSAGE, LONG], ids=["short", "long"])
def test_a_fault_of_ours_in_judging_costs_nothing_but_the_verdict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, message: bytes, kind: dict[str, Any]
) -> None:
    """Lines that could not be judged pass as ever and are recorded as they are, and the fault is told."""
    line = Line(tmp_path, **kind)
    monkeypatch.setattr(line.recorder, "_judge_lines", lambda _lines: 1 / 0)
    line.start()
    write_all(line.writer, message % 1)
    assert read_line(line.reader) == message % 1
    os.close(line.writer)
    log = line.ended()
    assert log.lines("stdout") == [(message % 1)[:-1]]
    assert line.faults == ["stdout: ZeroDivisionError('division by zero')"]
    assert dict(line.recorder.counts) == {"unjudged": 1}
    os.close(line.reader)


@pytest.mark.parametrize("kind", [PLAIN, GUARDED], ids=["observe", "enforce"])
def test_a_fault_of_ours_in_judging_the_last_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: dict[str, Any]
) -> None:
    """A last line without a newline passes and is recorded too, when it could not be judged."""
    line = Line(tmp_path, **kind)
    monkeypatch.setattr(line.recorder, "_judge_lines", lambda _lines: 1 / 0)
    line.start()
    write_all(line.writer, MESSAGE[:-1] % 1)
    os.close(line.writer)
    assert read_all(line.reader) == MESSAGE[:-1] % 1
    log = line.ended()
    assert log.lines("stdout") == [MESSAGE[:-1] % 1]
    assert set(line.faults) == {"stdout: ZeroDivisionError('division by zero')"}
    os.close(line.reader)


def test_a_fault_of_ours_on_the_short_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The line goes the long way, which knows what to do: it is whole, on record, and has its verdict."""
    line = Line(tmp_path)
    monkeypatch.setattr(line.recorder, "prefix", lambda _line: 1 / 0)
    line.start()
    for number in range(3):
        write_all(line.writer, VALID % number)
        assert read_line(line.reader) == VALID % number
    os.close(line.writer)
    assert line.ended().lines("stdout") == [(VALID % number)[:-1] for number in range(3)]
    assert (line.faults, dict(line.recorder.counts)) == ([], {"valid": 3})
    os.close(line.reader)


def test_a_fault_of_ours_ends_the_stream_and_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the pump cannot get over ends it: both sides are closed, and the relay learns why."""
    line = Line(tmp_path)
    line.log.append([])

    def upset(bodies: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(line.log, "append", upset)
    line.start()
    write_all(line.writer, MESSAGE % 1)
    assert read_all(line.reader) == b""
    line.ended()
    assert line.faults == ["stdout: ZeroDivisionError()"]
    with pytest.raises(BrokenPipeError):
        os.write(line.writer, b"x")
    os.close(line.writer)
    os.close(line.reader)


def test_order_of_short_and_long(line: Line) -> None:
    """Large reads take another way than small ones, and arrive and are recorded in order all the same."""
    kinds = (LONG, MESSAGE, VALID)
    data = b"".join(kinds[number % 3] % number for number in range(300))
    feeder = threading.Thread(target=write_all, args=(line.writer, data))
    feeder.start()
    assert read_exactly(line.reader, len(data)) == data
    feeder.join()
    os.close(line.writer)
    assert line.ended().lines("stdout") == data.splitlines()
    assert line.pump.delivered == len(data)


class LateLog(SessionLog):
    """A log in which the writer's thread writes one read, and the next when it is told to."""

    def __init__(self, data_dir: Path) -> None:
        super().__init__(str(data_dir), "s", lifecycle("s", "session_started", {}))
        self.turn = threading.Semaphore(1)

    def append(self, bodies: Any) -> bool:
        """Write when it is its turn."""
        if threading.current_thread() is not threading.main_thread():
            assert self.turn.acquire(timeout=BOUND_S)
        return super().append(bodies)


def test_order_when_the_reader_goes_while_reads_are_under_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was handed over before is in the log before what comes after."""
    log = LateLog(tmp_path)
    recorder = StreamRecorder("s", "stdout", declared=True, judged=True, redactor=Redactor())
    reader, sink = os.pipe()
    os.close(reader)
    done = threading.Semaphore(0)
    pump = Pump(
        "stdout",
        -1,
        sink,
        recorder,
        log,
        source_is_ours=True,
        on_idle=done.release,
        on_fault=lambda *_: None,
    )
    lines = [LONG[:-1] % number for number in range(3)]
    batches = [Batch(line + b"\n", [line]) for line in lines]
    for batch in batches:
        recorder.record(batch)
    for batch in batches[:2]:
        pump._deliver(batch)
    assert done.acquire(timeout=BOUND_S)  # the first has found that the reader is gone
    finish = pump._writer.finish

    def finish_with_the_second() -> None:
        log.turn.release()
        finish()

    monkeypatch.setattr(pump._writer, "finish", finish_with_the_second)
    with pytest.raises(ReaderGoneError):
        pump._deliver(batches[2])
    pump._writer.finish()
    os.close(sink)
    log.close()
    assert read_log(Path(log.path)).lines("stdout") == lines


def test_records_are_numbered_as_their_lines_passed(line: Line) -> None:
    """The order in the log is the order on the wire."""
    for number in range(10):
        write_all(line.writer, MESSAGE % number)
        read_line(line.reader)
    os.close(line.writer)
    assert [record.fields["message"]["n"] for record in line.ended().of("stdout")] == list(range(10))


@pytest.mark.parametrize("kind", [PLAIN, ANSWERING], ids=["observe", "enforce"])
@pytest.mark.parametrize("message", [MESSAGE, VALID, LONG], ids=["short", "valid", "long"])
def test_a_reader_that_is_given_up(tmp_path: Path, message: bytes, kind: dict[str, Any]) -> None:
    """A pump that is blocked in a write ends, with all on record that it has read and that its source held."""
    line = Line(tmp_path, **kind).start()
    written = fill(line, message)
    assert not line.pump.is_idle
    line.pump.give_up()
    recorded = line.ended().lines("stdout")
    assert b"\n".join(recorded) == written.removesuffix(b"\n")
    received = read_all(line.reader)
    assert received == written[: len(received)]
    assert (line.pump.taken, line.pump.delivered) == (len(written), len(received))
    assert line.faults == []
    with pytest.raises(BrokenPipeError):
        os.write(line.writer, b"x")
    os.close(line.writer)
    os.close(line.reader)
    line.pump.give_up()  # which has no descriptor any more, and does nothing


def fill(line: Line, message: bytes) -> bytes:
    """Write messages until neither side of the pump takes any more, and return what was written."""
    os.set_blocking(line.writer, False)
    written = b""
    for number in itertools.count():
        left = message % number
        while left:
            if select.select([], [line.writer], [], 0)[1]:
                size = os.write(line.writer, left)
                written += left[:size]
                left = left[size:]
            elif not select.select([], [line.pump.sink], [], 0)[1]:
                return written
    raise AssertionError


pieces = st.sampled_from(
    [
        b"\n",
        b"\r\n",
        b"{",
        b"}",
        b" ",
        b'{"type":"keep_alive"}\n',
        b'{"type":"user"}\n',
        b"[1]\n",
        b"\xff",
        b"\0",
        b"text\n",
    ]
)
streams = st.lists(pieces | st.binary(max_size=5), max_size=30).map(b"".join)


def through(pump: Pump, data: bytes, places: list[int]) -> bytes:
    """Return what comes out of a pump that reads ``data`` in pieces, cut at the places."""
    edges = sorted({0, len(data), *(place for place in places if place < len(data))})
    reader, sink = os.pipe()
    pump.sink = sink
    for start, stop in pairwise(edges):
        pump._take(data[start:stop])
    pump._finish()
    os.close(sink)
    try:
        return read_all(reader)
    finally:
        os.close(reader)


def whole_lines(data: bytes) -> list[bytes]:
    """Return the lines of a stream, the last one also without a newline."""
    lines = data.split(b"\n")
    return lines if lines[-1] else lines[:-1]


@given(streams, st.lists(st.integers(0, 200), max_size=20), st.booleans(), st.booleans())
def test_any_bytes_and_any_cuts(data: bytes, places: list[int], declared: bool, judged: bool) -> None:
    """Out equals in, and the log gives back each line, for any stream, looked at in any way."""
    with tempfile.TemporaryDirectory() as folder:
        log = SessionLog(folder, "s", lifecycle("s", "session_started", {}))
        recorder = StreamRecorder("s", "stdout", declared=declared, judged=judged, redactor=Redactor())
        pump = Pump(
            "stdout",
            -1,
            -1,
            recorder,
            log,
            source_is_ours=True,
            on_idle=lambda: None,
            on_fault=lambda *_: None,
        )
        assert through(pump, data, places) == data
        log.append([])
        log.close()
        assert read_log(Path(log.path)).lines("stdout") == whole_lines(data)


@given(streams, st.lists(st.integers(0, 200), max_size=20))
def test_any_bytes_and_any_cuts_with_enforcement(data: bytes, places: list[int]) -> None:
    """What comes out is what came in without the invalid lines, and the log has those too."""
    with tempfile.TemporaryDirectory() as folder:
        log = SessionLog(folder, "s", lifecycle("s", "session_started", {}))
        recorder = GUARDED["recorder"]("s", "stdin", declared=True, judged=True, redactor=Redactor())
        pump = InjectingPump(
            "stdin",
            -1,
            -1,
            recorder,
            log,
            source_is_ours=False,
            on_idle=lambda: None,
            on_fault=lambda *_: None,
        )
        lines = whole_lines(data)
        invalid = [judgement.verdict == "invalid" for judgement in Judge("stdin").judge_lines(lines)]
        ends = [b"\n"] * data.count(b"\n") + [b""]
        passing = [
            line + end for line, end, held_back in zip(lines, ends, invalid, strict=False) if not held_back
        ]
        assert through(pump, data, places) == b"".join(passing)
        log.append([])
        log.close()
        records = read_log(Path(log.path)).of("stdin")
        assert [record.line for record in records] == lines
        assert [not record.fields.get("forwarded", True) for record in records] == invalid
