"""Lines of our own in a stream: between two lines of it, on record in the order of the wire, and never in the way."""

from __future__ import annotations

import fcntl
import os
import termios
from typing import TYPE_CHECKING

from proxy.redaction import Redactor
from proxy.relay.injection import InjectingPump, Injection
from proxy.relay.recording import StreamRecorder
from proxy.sessions.record import lifecycle
from proxy.sessions.writer import SessionLog
from tests.relay.wrapper import BOUND_S, read_all, read_exactly

if TYPE_CHECKING:
    from pathlib import Path


def pump_of(log: SessionLog, source: int, sink: int) -> InjectingPump:
    """Return a pump of a stdout that carries messages."""
    return InjectingPump(
        "stdout",
        source,
        sink,
        StreamRecorder("s", "stdout", declared=True, judged=True, redactor=Redactor()),
        log,
        source_is_ours=True,
        on_idle=lambda: None,
        on_fault=lambda *_: None,
    )


class Noted(Injection):
    """A line that notes whether it was dropped."""

    dropped = False

    def drop(self) -> None:
        """Note it."""
        self.dropped = True


def test_who_comes_too_late_is_told(tmp_path: Path) -> None:
    """Each line is written or dropped, whenever the stream ends."""
    log = SessionLog(str(tmp_path), "s", lifecycle("s", "session_started", {}))
    for _ in range(20):
        source, writer = os.pipe()
        reader, sink = os.pipe()
        pump = pump_of(log, source, sink)
        pump.start()
        lines = [Noted(b'{"type":"keep_alive"}') for _ in range(50)]
        for number, line in enumerate(lines):
            if number == 5:
                os.close(writer)
            pump.inject(line)
        pump.join(BOUND_S)
        pump.inject(late := Noted(b'{"type":"keep_alive"}'))
        assert late.dropped
        assert read_all(reader).count(b"\n") == sum(not line.dropped for line in lines)
        os.close(reader)
    log.close()


def test_a_line_of_our_own_never_splits_another(tmp_path: Path) -> None:
    """Text that is passed on in parts, by another thread, stays in one piece although a line waits to be put in."""
    log = SessionLog(str(tmp_path), "s", lifecycle("s", "session_started", {}))
    source, writer = os.pipe()
    reader, sink = os.pipe()
    pump = pump_of(log, source, sink)
    pump.start()
    part = b"x" * 65536  # as much as a pipe holds
    text, own = part + part + b"end\n", b'{"type":"keep_alive"}\n'
    for _ in range(10):
        for data in (part, part, b"end\n"):  # the second waits for the reader, the third for the second
            assert os.write(writer, data) == len(data)
            while fcntl.ioctl(source, termios.FIONREAD, b"\0" * 4) != b"\0" * 4:
                os.sched_yield()
        pump.inject(own[:-1])
        assert read_exactly(reader, len(text) + len(own)) in (text + own, own + text)
    os.close(writer)
    assert read_all(reader) == b""
    os.close(reader)
    pump.join(BOUND_S)
    log.close()
