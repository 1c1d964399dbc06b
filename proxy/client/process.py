"""A wrapped `claude` as a child of this program: started, fed, and ended."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterable, Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any

import anyio
from anyio.abc import ByteReceiveStream, ByteSendStream, Process, TaskGroup

from proxy.claude_command import Call
from proxy.client.errors import RequestError
from proxy.client.validation import each
from proxy.sessions.identity import log_path, new_session_id

_GRACE_S = 2.5
"""Between SIGTERM and SIGKILL. Claude Code ends within a second of SIGTERM, and the wrapper right after it."""
_COMPLAINT_BYTES = 4096
"""The end of its standard error that an error quotes: enough for a traceback's last lines."""
_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
_START = f"import sys; sys.path.insert(0, {_ROOT!r}); from proxy.cli import main; main()"

Messages = Iterable[Mapping[str, Any]] | AsyncIterable[Mapping[str, Any]]
Encode = Callable[[Mapping[str, Any]], Awaitable[bytes]]


class Claude:
    """One process, behind the wrapper. Its session is recorded in a data directory of this machine."""

    def __init__(
        self,
        arguments: Sequence[str],
        *,
        name: str | None,
        program: str | None,
        cwd: str | None,
        env: Mapping[str, str] | None,
    ) -> None:
        self.session_id = new_session_id()
        self.program = program or os.environ.get("CLAUDE_PROXY_CLAUDE") or "claude"
        self._arguments = arguments
        self._name = name
        self._cwd = cwd
        self._environment = {**os.environ, **(env or {})}
        self._log = ""
        self._process: Process | None = None
        self._feeding = anyio.CancelScope()
        self._fed = anyio.Event()
        self._unfed: Exception | None = None
        self._heard = anyio.Event()
        self._complaint = b""

    def command(self, prompt: str | None) -> dict[str, Any]:
        """Return what it is asked to do, in the vocabulary `commands`."""
        prompt = prompt or Call(self._arguments).operand or ""
        return {"action": "prompt", "prompt": prompt, "arguments": [*self._arguments]}

    @property
    def exit_status(self) -> int | None:
        """How it ended: a negative number is a signal; None: it runs, or was not started."""
        return None if self._process is None else self._process.returncode

    @property
    def has_session(self) -> bool:
        """Whether a session was begun. False may become True for as long as the process runs."""
        return os.path.exists(self._log)

    async def start(
        self, data_dir: str, tasks: TaskGroup, prompt: str | None, messages: Messages, encode: Encode
    ) -> None:
        """Start it, recording into a data directory; let tasks write to it what it is told, and read its errors.

        ``encode`` returns a message's line, or raises what is wrong with it: then the process is ended. What is wrong
        is raised by `ended`.
        """
        self._log = log_path(data_dir, self.session_id)
        wrapper = [sys.executable, "-P", "-c", _START, "--data-dir", data_dir, "--server", "off"]
        wrapper += ["--session-id", self.session_id]
        if self._name:
            wrapper += ["--session-name", self._name]
        self._process = process = await anyio.open_process(
            [*wrapper, "--", self.program, *self._arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            cwd=self._cwd,
            env=self._environment,
        )
        assert process.stdin is not None
        assert process.stderr is not None
        tasks.start_soon(self._listen, process.stderr)
        tasks.start_soon(self._feed, process.stdin, prompt, messages, encode)

    async def _listen(self, stderr: ByteReceiveStream) -> None:
        """Read its standard error to the end, and keep the last of it."""
        try:
            with contextlib.suppress(anyio.ClosedResourceError):  # it was ended by us
                async for chunk in stderr:
                    self._complaint = (self._complaint + chunk)[-_COMPLAINT_BYTES:]
        finally:
            self._heard.set()

    async def _feed(
        self, stdin: ByteSendStream, prompt: str | None, messages: Messages, encode: Encode
    ) -> None:
        """Write what it is told, and close its standard input."""
        try:
            # A command that reads no more says so by its exit status.
            with self._feeding, contextlib.suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):
                if prompt is not None:
                    await stdin.send(prompt.encode())
                async for message in each(messages):
                    await stdin.send(await encode(message))
        except Exception as error:  # of a message, or of the program's own iterator
            self._unfed = error
            self._signal(signal.SIGTERM)
        finally:
            self._fed.set()
            with anyio.CancelScope(shield=True):
                await stdin.aclose()

    async def ended(self) -> None:
        """Wait until it has ended.

        Raises:
            RequestError: with a status other than 0, or without a session that could be followed.
            Exception: what is wrong with a message, or was raised by their iterator.
        """
        assert self._process is not None
        status = await self._process.wait()
        self._feeding.cancel()  # whoever has more to say says it to nobody
        await self._fed.wait()
        if self._unfed is not None:
            raise self._unfed
        if status:
            how = f"status {status}" if status > 0 else signal.Signals(-status).name
            with anyio.move_on_after(_GRACE_S):  # what it started may hold the pipe open
                await self._heard.wait()
            complaint = " ".join(self._complaint.decode(errors="replace").split())
            raise RequestError(f"{self.program} exited with {how}" + (f": {complaint}" if complaint else "."))
        if not self.has_session:
            raise RequestError(
                f"{self.program} began no session that could be followed; its arguments need -p."
            )

    async def close(self) -> None:
        """End it if it still runs: SIGTERM, then SIGKILL. To be called where nothing cancels it."""
        self._feeding.cancel()
        if self._process is None:
            return
        for number in (signal.SIGTERM, signal.SIGKILL):
            if self._process.returncode is None:
                self._signal(number)
                with anyio.move_on_after(_GRACE_S):
                    await self._process.wait()
        await self._process.aclose()

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(number)
