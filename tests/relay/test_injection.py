"""Lines of our own in a stream: between two lines of it, on record in the order of the wire, and never in the way."""

from __future__ import annotations

import fcntl
import os
import termios
from typing import TYPE_CHECKING

from proxy.redaction import Redactor
from proxy.relay.injection import InjectingPump
from proxy.relay.recording import StreamRecorder
from proxy.sessions.record import lifecycle
from proxy.sessions.writer import SessionLog
from tests.relay.wrapper import BOUND_S, read_all, read_exactly

if TYPE_CHECKING:
    from pathlib import Path


def test_a_line_of_our_own_never_splits_another(tmp_path: Path) -> None:
    """Text that is passed on in parts, by another thread, stays in one piece although a line waits to be put in."""
    log = SessionLog(str(tmp_path), "s", lifecycle("s", "session_started", {}))
    source, writer = os.pipe()
    reader, sink = os.pipe()
    pump = InjectingPump(
        "stdout",
        source,
        sink,
        StreamRecorder("s", "stdout", declared=True, judged=True, redactor=Redactor()),
        log,
        source_is_ours=True,
        on_idle=lambda: None,
        on_fault=lambda *_: None,
    )
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
