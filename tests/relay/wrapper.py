"""How these tests run the wrapper, and how they wait: on pipes and processes, never on time.

Every wait has a bound (`BOUND_S`), which only a hang can reach.
"""

from __future__ import annotations

import fcntl
import os
import select
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from tests.sessions.logs import Log, read_log

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "BOUND_S",
    "CHILDREN",
    "PYTHON",
    "Finished",
    "Running",
    "Wrapper",
    "ends",
    "finish",
    "read_all",
    "read_exactly",
    "read_line",
    "read_some",
    "state_of",
    "write_all",
]

BOUND_S = 60
CHILDREN = Path(__file__).parent / "children"
# Isolated and without `site`, it starts in half the time.
PYTHON = [sys.executable, "-I", "-S"]


class HangError(AssertionError):
    """Something that has to happen did not."""


@dataclass(frozen=True, slots=True)
class Finished:
    """A command that has ended, as its caller saw it."""

    status: int
    stdout: bytes
    stderr: bytes


class Running(subprocess.Popen[bytes]):
    """A running command; killed when the block that it was started in is left."""

    def __exit__(self, *exception: object) -> None:
        if self.poll() is None:
            self.send_signal(signal.SIGCONT)
            self.kill()
        for stream in (self.stdin, self.stdout, self.stderr):
            if stream is not None and not stream.closed:
                stream.close()
        self.wait(BOUND_S)

    @property
    def writer(self) -> int:
        """Where its standard input is written."""
        assert self.stdin is not None
        return self.stdin.fileno()

    @property
    def reader(self) -> int:
        """Where its standard output is read."""
        assert self.stdout is not None
        return self.stdout.fileno()

    def end(self, text: bytes = b"") -> int:
        """Close its standard input, expect it to write exactly ``text`` up to its end, and return its status."""
        if self.stdin is not None and not self.stdin.closed:
            self.stdin.close()
        assert read_all(self.reader) == text
        return self.wait(BOUND_S)


class Wrapper:
    """The wrapper with a data directory of its own."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir

    def command(self, *command: str | Path, options: Sequence[str] = ()) -> list[str]:
        """Return the command line that wraps ``command``."""
        script = Path(sys.executable).with_name("claude-proxy")
        own = ["--server", "off", "--data-dir", str(self.data_dir), *options]
        return [str(script), *own, "--", *map(str, command)]

    def start(self, *command: str | Path, options: Sequence[str] = (), **popen: Any) -> Running:
        """Start a wrapped command, its input and output in pipes unless told otherwise."""
        popen = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "bufsize": 0} | popen
        return Running(self.command(*command, options=options), **popen)

    def run(
        self,
        *command: str | Path,
        given: bytes = b"",
        options: Sequence[str] = (),
        **popen: Any,
    ) -> Finished:
        """Run a wrapped command to its end; ``given`` is its standard input, unless ``stdin`` says otherwise."""
        return finish(self.command(*command, options=options), given, **popen)

    def paths(self) -> list[Path]:
        """Return the logs, oldest first."""
        return sorted(path for path in (self.data_dir / "sessions").glob("*.jsonl") if not path.is_symlink())

    def log(self) -> Log:
        """Return the only log, as it is now."""
        (path,) = self.paths()
        return read_log(path)

    def finished_log(self) -> Log:
        """Return the only log once its writer has let go of it."""
        (path,) = self.paths()
        with path.open("rb") as log:
            fcntl.flock(log, fcntl.LOCK_SH)  # granted when the writer is gone
        return read_log(path)

    def started(self) -> dict[str, Any]:
        """Return what the log tells about the start of the session; the log has to be there."""
        return self.log().event("session_started")


def finish(command: Sequence[str], given: bytes = b"", **popen: Any) -> Finished:
    """Run a command to its end; ``given`` is its standard input, unless ``stdin`` says otherwise."""
    if "stdin" not in popen:
        popen["input"] = given
    popen = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | popen
    done: Any = subprocess.run(list(command), check=False, timeout=BOUND_S, **popen)
    return Finished(done.returncode, done.stdout or b"", done.stderr or b"")


def _wait(fd: int, events: int) -> None:
    poller = select.poll()
    poller.register(fd, events)
    if not poller.poll(BOUND_S * 1000):
        raise HangError(f"nothing happened on descriptor {fd} in {BOUND_S} s")


def read_some(fd: int, limit: int = 1 << 16) -> bytes:
    """Read what is there, at least one byte, or nothing at the end."""
    _wait(fd, select.POLLIN)
    try:
        return os.read(fd, limit)
    except OSError:  # a terminal whose other side is closed
        return b""


def read_exactly(fd: int, count: int) -> bytes:
    """Read ``count`` bytes, fewer only at the end."""
    data = b""
    while len(data) < count and (chunk := read_some(fd, count - len(data))):
        data += chunk
    return data


def read_line(fd: int) -> bytes:
    """Read one line with its newline, and nothing of what follows."""
    line = b""
    while not line.endswith(b"\n") and (byte := read_some(fd, 1)):
        line += byte
    return line


def read_all(fd: int) -> bytes:
    """Read to the end."""
    chunks = []
    while chunk := read_some(fd):
        chunks.append(chunk)
    return b"".join(chunks)


def write_all(fd: int, data: bytes) -> None:
    """Write all of ``data``."""
    view = memoryview(data)
    while view:
        _wait(fd, select.POLLOUT)
        view = view[os.write(fd, view[:4096]) :]


def ends(pid: int) -> None:
    """Wait until a process, of whomever, has ended."""
    if sys.platform != "linux":
        while state_of(pid):
            time.sleep(0.01)  # until it is gone; the time of the test is the bound
        return
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        _wait(handle, select.POLLIN)
    finally:
        os.close(handle)


def state_of(pid: int) -> str:
    """Return the state of a process, as psutil calls it (``stopped``), or nothing when it has ended."""
    try:
        state = psutil.Process(pid).status()
    except psutil.NoSuchProcess:
        return ""
    return "" if state == psutil.STATUS_ZOMBIE else state
