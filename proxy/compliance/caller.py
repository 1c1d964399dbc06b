"""Plays the caller of a wrapper: writes, reads, waits, signals and leaves, by the steps of a scenario.

One thread and one `poll`: it reads whatever comes while it writes, as a careful client does. Each wait is bounded by
the patience: so many seconds in which nothing moved.
"""

import base64
import contextlib
import json
import os
import select
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from proxy.compliance import processes
from proxy.compliance.place import Place
from proxy.compliance.scenario import Step
from proxy.replay.messages import decoded, encoded
from proxy.replay.wire import is_drained

_STREAMS = ("stdin", "stdout", "stderr")
_READ_BYTES = 1 << 18  # four times what a pipe holds
_LOOK_S = 0.01  # short beside the start of a process
_AFTER_EXIT_S = 2.0  # for output that is still on its way
_MOST_S = 60.0
"""A step that goes on moving is still ended after so long."""


class StuckError(Exception):
    """A step could not be done; the sentence says which, and what was there instead."""


class Caller:
    """A caller of one command, which is started in a session of its own. Close it, whatever happens."""

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        place: Place,
        *,
        patience_s: float,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> None:
        """OSError when the command cannot be started."""
        self.stdout = bytearray()
        self.stderr = bytearray()
        self.sent = bytearray()
        with processes.starting:
            self.process = subprocess.Popen(
                list(command),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                env=dict(environment),
                cwd=place.directory,
                start_new_session=True,
            )
        streams = self.process.stdin, self.process.stdout, self.process.stderr
        self._streams = {name: stream for name, stream in zip(_STREAMS, streams, strict=True) if stream}
        self._read = {"stdout": self.stdout, "stderr": self.stderr}
        self._patience_s = patience_s
        self._place = place
        self._cancelled = cancelled
        self._exited = _exit_of(self.process)
        self._to_write = memoryview(b"")
        self._at = 0  # where the next awaited line begins
        self._asked: Any = None  # the id of the control request that was awaited last
        for stream in self._streams.values():
            os.set_blocking(stream.fileno(), False)  # our ends of the pipes, which nobody shares

    def play(self, steps: Sequence[Step]) -> None:
        """Do the steps in order.

        Raises:
            StuckError: one cannot be done.
        """
        for number, step in enumerate(steps, 1):
            verb = step.verb.rstrip("_")
            try:
                getattr(self, f"_do_{verb}")(getattr(step, step.verb))
            except StuckError as error:
                raise StuckError(f"step {number}, {verb}: {error}") from None

    def finish(self, patience_s: float | None = None) -> None:
        """End the input, wait for the exit and read what is still there; with another patience where one is given.

        Raises:
            StuckError: it did not end in time.
        """
        patience_s = self._patience_s if patience_s is None else patience_s
        self._streams["stdin"].close()
        self._await_exit(patience_s)
        # A process that holds the pipe open may live on for its own reasons.
        self._pump(lambda: not any(map(self._open, self._read)), min(patience_s, _AFTER_EXIT_S))

    def close(self) -> None:
        """Let go of the streams, and kill all processes of the scenario."""
        for name in _STREAMS:
            self._streams[name].close()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.kill()
        self.process.wait()
        os.close(self._exited)
        processes.end_all(self._place.mark, self.process.pid)

    def write(self, data: bytes) -> None:
        """Write all of it, reading meanwhile."""
        self.sent += data  # all of it: what a wrapper refuses to take is lost as well
        self._to_write = memoryview(data)
        if not self._pump(lambda: not self._to_write, self._patience_s):
            left = len(self._to_write)
            raise StuckError(f"the wrapper took {len(data) - left} of {len(data)} bytes and then no more")

    def wait_for(self, wanted: Mapping[str, Any] | str) -> Any:
        """Read until a line fits; return it, decoded if it is JSON."""
        found: list[Any] = []
        self._pump(lambda: self._find(wanted, found), self._patience_s)
        if not found:
            rest = bytes(self.stdout[self._at :])
            silent = f"nothing came for {self._patience_s:g} s"
            why = silent if self._open("stdout") else "the output ended"
            what = wanted if isinstance(wanted, str) else json.dumps(wanted)
            stderr = f"; stderr: {excerpt(bytes(self.stderr))}" if self.stderr else ""
            lines = bytes(self.stdout[: self._at]).split(b"\n")[:-1]
            last = f"{len(lines)} lines, the last of them {excerpt(lines[-1])}" if lines else "no line at all"
            behind = f"; behind it came {excerpt(rest)}" if rest else ""
            raise StuckError(f"waited for {what}, and {why} after {last}{behind}{stderr}")
        return found[0]

    def wait_for_bytes(self, wanted: bytes) -> None:
        """Read until the newest line or two hold these bytes, without a look at what came before."""
        if not self._pump(lambda: wanted in self.stdout[-4096:], self._patience_s):
            last = excerpt(bytes(self.stdout[-100:]))
            raise StuckError(f"{excerpt(wanted)} did not come; the last bytes are {last}")

    def _do_send(self, message: Mapping[str, Any]) -> None:
        self.write(_line(message))

    def _do_write(self, text: str) -> None:
        self.write(text.encode())

    def _do_write_base64(self, text: str) -> None:
        self.write(base64.b64decode(text))

    def _do_send_many(self, how: Mapping[str, int]) -> None:
        numbers = range(how.get("count", 1))
        self.write(b"".join(user_message(how.get("bytes", 200), number) for number in numbers))

    def _do_await(self, wanted: Mapping[str, Any] | str) -> None:
        message = self.wait_for(wanted)
        if isinstance(message, dict) and message.get("type") == "control_request":
            self._asked = message.get("request_id")

    def _do_await_seen(self, wanted: Mapping[str, Any]) -> None:
        complaint = f"{_event(wanted)} did not reach the stand-in"
        self._look_until(lambda: any(fits(wanted, entry) for entry in self._place.entries()), complaint)

    def _do_await_read(self, _: bool) -> None:
        stdin = self._streams["stdin"]
        complaint = "the wrapper did not read its input"
        self._look_until(lambda: stdin.closed or is_drained(stdin.fileno()), complaint)

    def _look_until(self, done: Callable[[], bool], complaint: str) -> None:
        """Go on reading until something is so that no stream tells of; say so if it is not within the patience."""
        deadline = time.monotonic() + self._patience_s
        while not done():
            if time.monotonic() > deadline:
                raise StuckError(f"{complaint} within {self._patience_s:g} s")
            self._pump(lambda: False, _LOOK_S)

    def _do_answer(self, payload: Mapping[str, Any]) -> None:
        response = {"subtype": "success", "request_id": self._asked, "response": payload}
        self._do_send({"type": "control_response", "response": response})

    def _do_close(self, what: str) -> None:
        for name in _STREAMS if what == "all" else (what,):
            self._streams[name].close()

    def _do_signal(self, name: str, kill: Callable[[int, int], None] = os.kill) -> None:
        with contextlib.suppress(ProcessLookupError):
            kill(self.process.pid, signal.Signals[name])

    def _do_signal_group(self, name: str) -> None:
        self._do_signal(name, os.killpg)

    def _do_await_exit(self, _: bool) -> None:
        self._await_exit(self._patience_s)

    def _await_exit(self, patience_s: float) -> None:
        if not self._pump(lambda: self.process.poll() is not None, patience_s):
            raise StuckError(f"the wrapper did not end within {patience_s:g} s")

    def _do_pause(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        self._pump(lambda: time.monotonic() >= deadline, seconds)

    def _do_rest(self, seconds: float) -> None:
        time.sleep(seconds)

    def _find(self, wanted: Mapping[str, Any] | str, found: list[Any]) -> bool:
        """Look through the lines that came since for one that fits; keep it in ``found``."""
        while (end := self.stdout.find(b"\n", self._at)) >= 0 or (
            self._at < len(self.stdout) and not self._open("stdout")
        ):
            end = end if end >= 0 else len(self.stdout)
            line = bytes(self.stdout[self._at : end])
            self._at = end + 1
            message: Any = line if isinstance(wanted, str) else decoded(line)
            if wanted.encode() in line if isinstance(wanted, str) else fits(wanted, message):
                found.append(message)
                return True
        return not self._open("stdout")

    def _pump(self, done: Callable[[], bool], patience_s: float) -> bool:
        """Read and write until it is done, or nothing moved for so long; return whether it is done."""
        end = time.monotonic() + _MOST_S
        moved = time.monotonic()
        while not done():
            now = time.monotonic()
            if now >= min(end, moved + patience_s):
                return False
            if self._cancelled():
                raise StuckError("the check was stopped")
            if self._move(min(end, moved + patience_s) - now):
                moved = time.monotonic()
        return True

    def _move(self, seconds: float) -> bool:
        """Wait for one of the streams or the exit, for so long at most; return whether anything moved."""
        poller = select.poll()
        stdin = self._streams["stdin"]
        sources = {self._streams[name].fileno(): name for name in self._read if self._open(name)}
        for fd in sources:
            poller.register(fd, select.POLLIN)
        if self._to_write and not stdin.closed:
            poller.register(stdin.fileno(), select.POLLOUT)
        if self.process.returncode is None:
            poller.register(self._exited, select.POLLIN)
        elif not sources:
            self._to_write = memoryview(b"")
        moved = False
        # Now and then it is looked whether the check is cancelled.
        for fd, _ in poller.poll(max(1.0, min(seconds, 0.25) * 1000)):
            if fd in sources:
                data = os.read(fd, _READ_BYTES)
                self._read[sources[fd]] += data
                if not data:
                    self._streams[sources[fd]].close()
                moved = True
            elif fd == self._exited:
                moved = self.process.poll() is not None
            else:
                moved = self._write_some(fd) or moved
        return moved

    def _write_some(self, fd: int) -> bool:
        try:
            count = os.write(fd, self._to_write[:_READ_BYTES])
        except BlockingIOError:
            return False
        except OSError:  # the wrapper has closed its input: so would the stand-in's be
            count = len(self._to_write)
        self._to_write = self._to_write[count:]
        return True

    def _open(self, name: str) -> bool:
        return not self._streams[name].closed


def _exit_of(process: subprocess.Popen[bytes]) -> int:
    """Return a descriptor that can be read when a process has exited, on systems that have none for a process, too."""
    read, write = os.pipe()

    def tell() -> None:
        process.wait()
        os.close(write)

    threading.Thread(target=tell, name="exit", daemon=True).start()
    return read


def fits(wanted: Any, value: Any) -> bool:
    """Tell whether a value has all that is wanted: of an object each named field, all else equal."""
    if isinstance(wanted, Mapping):
        each = wanted.items()
        return isinstance(value, dict) and all(key in value and fits(part, value[key]) for key, part in each)
    return type(wanted) is type(value) and bool(wanted == value)


def excerpt(data: bytes, most: int = 120) -> str:
    """Return the beginning of bytes for a sentence, quoted."""
    text = data[:most].decode("utf-8", "backslashreplace")
    shown = "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
    return f"`{shown}`" + (f" and {len(data) - most} bytes more" if len(data) > most else "")


def user_message(size: int, number: int) -> bytes:
    """Return a user message as one line of ``size`` bytes, or as few as it can have."""

    def line(content: str) -> bytes:
        message = {"role": "user", "content": content}
        return _line({"type": "user", "message": message, "parent_tool_use_id": None})

    start = f"message {number} "
    return line(start + "x" * (size - len(line(start))))


def _line(message: Mapping[str, Any]) -> bytes:
    return encoded(message) + b"\n"


def _event(wanted: Mapping[str, Any]) -> str:
    """Name an entry of the journal."""
    names = {
        "signal": str(wanted.get("signal", "a signal")),
        "line": "a line",
        "end_of_input": "the end of the input",
    }
    return names.get(str(wanted.get("event")), json.dumps(wanted))
