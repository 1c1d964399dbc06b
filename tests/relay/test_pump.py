"""One direction of one stream: logged first, passed on second, and ended as its two sides end."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from proxy.relay.pump import Pump
from proxy.relay.recording import StreamRecorder
from proxy.sessions.record import lifecycle
from proxy.sessions.writer import SessionLog
from tests.relay.wrapper import BOUND_S, read_all, read_exactly, read_line, write_all
from tests.sessions.logs import read_log

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.sessions.logs import Log

MESSAGE = b'{"type":"novelty","n":%d}\n'
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


class Line:
    """A pump between two pipes."""

    def __init__(self, data_dir: Path, *, declared: bool = True, source_is_ours: bool = True) -> None:
        self.log = WatchedLog(data_dir)
        self.recorder = StreamRecorder("s", "stdout", declared=declared, judged=True, redact=True)
        source, self.writer = os.pipe()
        self.reader, sink = os.pipe()
        self.faults: list[str] = []
        self.pump = Pump(
            "stdout",
            source,
            sink,
            self.recorder,
            self.log,
            source_is_ours=source_is_ours,
            on_idle=lambda: None,
            on_fault=lambda name, error: self.faults.append(f"{name}: {error!r}"),
        )

    def start(self) -> Line:
        """Start pumping."""
        self.pump.start()
        return self

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


@pytest.mark.parametrize("message", [MESSAGE, LONG], ids=["short", "long"])
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


@pytest.mark.parametrize("message", [MESSAGE, LONG], ids=["short", "long"])
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
    assert line.ended().lines("stdout") == [(MESSAGE % 1)[:-1]]
    with pytest.raises(BrokenPipeError):
        os.write(line.writer, b"x")


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


def test_a_fault_of_ours_ends_the_stream_and_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line that upsets the recorder ends the pump: both sides are closed, and the relay learns why."""
    line = Line(tmp_path)
    line.log.append([])

    def upset(lines: list[bytes], data: bytes) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(line.recorder, "bodies", upset)
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
    data = b"".join((LONG if number % 3 == 0 else MESSAGE) % number for number in range(300))
    feeder = threading.Thread(target=write_all, args=(line.writer, data))
    feeder.start()
    assert read_exactly(line.reader, len(data)) == data
    feeder.join()
    os.close(line.writer)
    assert line.ended().lines("stdout") == data.splitlines()
    assert line.pump.delivered == len(data)


def test_records_are_numbered_as_their_lines_passed(line: Line) -> None:
    """The order in the log is the order on the wire."""
    for number in range(10):
        write_all(line.writer, MESSAGE % number)
        read_line(line.reader)
    os.close(line.writer)
    assert [record.fields["message"]["n"] for record in line.ended().of("stdout")] == list(range(10))
