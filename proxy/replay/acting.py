"""Performs a script: the steps one after the other, in the process that stands in for ``claude``.

When the last step is done, the end of the input is waited for and the exit status is 0, as with Claude Code. A step
that expects what does not come before the input ends is a divergence: said on stderr, and by the exit status.
"""

from __future__ import annotations

import itertools
import json
import os
import sys
import time
from collections import deque

from proxy.escaping import escape_controls
from proxy.replay import messages
from proxy.replay.script import signal_number
from proxy.replay.wire import Journal, Wire

TYPE_CHECKING = False  # `typing` and `signal` (for its `enum`) take long to import
if TYPE_CHECKING:
    import signal
    from collections.abc import Callable, Mapping
    from typing import Any, NoReturn

    from proxy.replay.script import Script, Step
else:
    import _signal as signal

DIVERGED = 76
"""The exit status when the client did not do what was expected: EX_PROTOCOL of sysexits.h."""
AS_CLAUDE: dict[str, int | str] = {"SIGTERM": 143, "SIGINT": 0, "SIGHUP": 129}
"""What Claude Code does on signals: the exit statuses that it gives."""
_AT_ONCE = 1 << 16


class _InputEnded(Exception):  # noqa: N818 - nothing wrong in itself
    """The input ended where a step waits for a line."""


class Actor:
    """Is ``claude``, as a script says."""

    def __init__(self, script: Script, arguments: list[str], journal: Journal, report: str | None) -> None:
        """``arguments``: the client's. ``report``: a file that gets one line of JSON when the script ends by itself."""
        self._script = script
        self._arguments = arguments
        self._journal = journal
        self._report = report
        self._inbox: deque[bytes] = deque()
        self._request: dict[str, Any] = {}  # the control request that was expected last
        self._last = b""  # the line that was expected last
        self._number = 0
        self._wire = Wire(self._on_line, journal)
        self._do_signals({**AS_CLAUDE, **script.signals})

    def perform(self) -> NoReturn:
        """Do the steps, and end."""
        environment = {name: value for name, value in os.environ.items() if self._journal.is_kept}
        self._journal.note("started", argv=self._arguments, cwd=_cwd(), pid=os.getpid(), env=environment)
        try:
            self._steps(self._script.steps)
            self._wire.wait(None)
        except _InputEnded as missing:
            self._end(DIVERGED, str(missing))
        self._end(0)

    def _steps(self, steps: list[Step]) -> None:
        for name, argument in steps:
            getattr(self, f"_do_{name}")(argument)
            self._wire.look()

    # -- speaking ----------------------------------------------------------------------------------------------

    def _do_send(self, several: list[dict[str, Any]]) -> None:
        self._wire.write(b"".join(messages.encoded(message) + b"\n" for message in several))

    def _do_reply(self, text: str) -> None:
        init = messages.init(self._next())
        answer = messages.assistant(self._next(), text)
        self._do_send([init, answer, messages.result(self._next(), text)])

    def _do_line(self, data: bytes) -> None:
        self._wire.write(data)

    _do_text = _do_hex = _do_line

    def _do_stderr(self, data: bytes) -> None:
        self._wire.write(data, 2)

    def _do_flood(self, flood: dict[str, Any]) -> None:
        line, lines = messages.flood_line(flood["bytes"]), flood["lines"]
        at_once = max(1, _AT_ONCE // flood["bytes"])
        for first in range(0, lines, at_once):
            several = range(first, min(first + at_once, lines))
            self._wire.write(b"".join(map(line, several)), flood["stream"])
            self._wire.look()

    def _do_ask(self, request: dict[str, Any]) -> None:
        request_id = f"ask-{self._next()}"
        self._do_send([{"type": "control_request", "request_id": request_id, "request": request}])
        wanted = {"type": "control_response", "subtype": None, "contains": b"", "within": None}
        self._do_expect({**wanted, "id": request_id})

    def _do_answer(self, payload: dict[str, Any]) -> None:
        subtype = str(messages.subtype_of(self._request))
        self._wire.answer(messages.answer(self._request, {subtype: payload}))

    # -- listening ---------------------------------------------------------------------------------------------

    def _on_line(self, line: bytes) -> None:
        self._inbox.append(line)
        if self._script.answers is None or b'"control_request"' not in line:
            return
        request = messages.decoded(line)
        if request is None or request.get("type") != "control_request":
            return
        if not self._script.by_hand & {messages.subtype_of(request), ""}:
            self._wire.answer(messages.answer(request, self._script.answers))

    def _do_expect(self, wanted: dict[str, Any]) -> None:
        found = self._wire.wait(wanted["within"], lambda: self._take(wanted))
        if found or (wanted["type"] == "end" and self._wire.ended):
            return
        what = "/".join(filter(None, (wanted["type"], wanted["subtype"])))
        if self._wire.ended:
            raise _InputEnded(f"the input ended where the script expects {what}")
        if not self._wire.reading:
            self._end(DIVERGED, f"the script does not read (`read: off`) where it expects {what}")
        self._end(DIVERGED, f"nothing came within {wanted['within']:g} s where the script expects {what}")

    def _take(self, wanted: dict[str, Any]) -> bool:
        """Take lines until one is the wanted one; those before it are passed over."""
        while self._inbox:
            line = self._inbox.popleft()
            if self._fits(line, wanted):
                self._last = line
                return True
        return False

    def _fits(self, line: bytes, wanted: dict[str, Any]) -> bool:
        if wanted["type"] == "end" or wanted["contains"] not in line:
            return False
        if wanted["type"] == "any":
            return True
        message = messages.decoded(line)
        if message is None or message.get("type") != wanted["type"]:
            return False
        inner = message.get("request") or message.get("response")
        inner = inner if isinstance(inner, dict) else message
        if "id" in wanted and inner.get("request_id") != wanted["id"]:
            return False
        if wanted["subtype"] not in (None, inner.get("subtype"), message.get("subtype")):
            return False
        if wanted["type"] == "control_request":
            self._request = message
        return True

    def _do_echo(self, lines: int | None) -> None:
        wanted = {"type": "any", "contains": b""}
        for _ in itertools.count() if lines is None else range(lines):
            if not self._wire.wait(None, lambda: self._take(wanted)):
                break
            self._wire.write(self._last + b"\n")

    def _do_read(self, how: tuple[bool, tuple[int, float] | None]) -> None:
        self._wire.reading, self._wire.pace = how

    # -- time, ends and what lasts -----------------------------------------------------------------------------

    def _do_delay(self, seconds: float) -> None:
        self._wire.wait(seconds)

    def _do_drain(self, _: None) -> None:
        self._wire.drain()

    def _do_repeat(self, repeat: tuple[int | None, list[Step]]) -> None:
        times, steps = repeat
        try:
            for _ in itertools.count() if times is None else range(times):
                self._steps(steps)
        except _InputEnded:
            if times is not None:
                raise

    def _do_hang(self, _: None) -> NoReturn:
        self._wire.wait(None)
        while True:
            time.sleep(3600)

    def _do_exit(self, status: int) -> NoReturn:
        self._end(status)

    def _do_die(self, number: int) -> NoReturn:
        self._journal.note("ended", signal=number)
        self._note(None, None)
        die(number)

    def _do_close(self, fd: int) -> None:
        self._wire.close(fd)

    def _do_child(self, child: dict[str, Any]) -> None:
        pid = os.fork()
        if pid:
            self._journal.note("child", pid=pid)
            return
        for number in set(map(signal_number, AS_CLAUDE)):
            signal.signal(number, signal.SIG_DFL)
        for fd in {0, 1, 2} - set(child["holds"]):
            self._wire.close(fd)
        time.sleep(child["seconds"])
        os.write(child["holds"][0] if child["holds"] else 1, child["line"])
        os._exit(0)

    def _do_signals(self, actions: Mapping[str, int | str]) -> None:
        on_signals(actions, self._caught)

    def _caught(self, name: str, action: int | str) -> None:
        self._journal.note("signal", signal=name)
        if action == "die":
            self._do_die(signal_number(name))
        if action != "ignore":
            self._end(int(action))

    def _end(self, status: int, divergence: str | None = None) -> NoReturn:
        if divergence:
            sys.stderr.write(f"claude-proxy replay: {escape_controls(divergence)}\n")
            sys.stderr.flush()
        self._journal.note("ended", status=status, divergence=divergence)
        self._note(status, divergence)
        os._exit(status)

    def _note(self, status: int | None, divergence: str | None) -> None:
        found = [{"kind": "missing", "sentence": divergence}] if divergence else []
        append_report(self._report, {"arguments": self._arguments, "exit_code": status, "divergences": found})

    def _next(self) -> int:
        self._number += 1
        return self._number


def append_report(path: str | None, report: dict[str, Any]) -> None:
    """Add a run to the report, one JSON object a line. OSError when that cannot be."""
    if path:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        os.write(fd, json.dumps(report).encode() + b"\n")
        os.close(fd)


def on_signals(actions: Mapping[str, int | str], caught: Callable[[str, int | str], None]) -> None:
    """Have a function called with a signal's name and the action that belongs to it."""
    for name, action in actions.items():
        # What the names stand for now is kept, not what they will stand for when the loop is over.
        signal.signal(signal_number(name), lambda _, __, name=name, action=action: caught(name, action))  # type: ignore[misc]


def die(number: int) -> NoReturn:
    """Die by a signal, without leaving a core file."""
    import resource  # noqa: PLC0415 - only here

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if number not in (signal.SIGKILL, signal.SIGSTOP):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [number])
    os.kill(os.getpid(), number)
    while True:  # a signal that by default is ignored kills nobody
        time.sleep(3600)


def _cwd() -> str | None:
    try:
        return os.getcwd()
    except OSError:
        return None
