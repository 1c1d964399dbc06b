"""A wrapped `claude` as a child of this program: started, fed, followed through the server, and ended."""

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
    Mapping,
)
from functools import partial
from typing import TYPE_CHECKING, Any

from proxy.client.errors import InvalidCommandError, NotFoundError, RequestError
from proxy.client.models import Event, ValidationAnswer
from proxy.client.paging import patiently
from proxy.client.retries import Patience
from proxy.client.turns import Record
from proxy.client.validation import as_json
from proxy.events.timestamps import format_timestamp

if TYPE_CHECKING:
    from proxy.client.client import AsyncClient

__all__ = ["Claude", "Messages"]

_GRACE_S = 5.0
"""Between asking it to end, once by end of input and once by SIGTERM, and the next step."""
_GIVE_UP_S = 60.0
"""For how long a server that went away is waited for."""
_COMPLAINT_BYTES = 4096
_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
_START = f"import sys; sys.path.insert(0, {_ROOT!r}); from proxy.cli import main; main()"

Messages = Iterable[Mapping[str, Any]] | AsyncIterable[Mapping[str, Any]]


class Claude:
    """One process. Its session is recorded in the server's data directory, which must be on this machine."""

    def __init__(
        self,
        client: "AsyncClient",
        arguments: list[str],
        *,
        name: str | None,
        judge: Callable[[str, Any], Awaitable[ValidationAnswer]],
        record: Record,
        claude: str | None,
        cwd: str | None,
        env: Mapping[str, str] | None,
    ) -> None:
        self.session_id: str | None = None
        self._client = client
        self._name = name
        self._judge = judge
        self._record = record
        self._program = claude or os.environ.get("CLAUDE_PROXY_CLAUDE") or "claude"
        self._arguments = arguments
        self._cwd = cwd
        self._environment = {**os.environ, **(env or {})}
        self._process: asyncio.subprocess.Process | None = None
        self._result: Any = None
        self._feeding: asyncio.Task[None] | None = None
        self._complaining: asyncio.Task[bytes] | None = None

    def command(self, prompt: str | None) -> dict[str, Any]:
        """Return what it is asked to do, in the vocabulary `commands`."""
        words = self._arguments
        for flag in ("-p", "--print"):
            if prompt is None and flag in words[:-1] and not words[words.index(flag) + 1].startswith("-"):
                prompt = words[words.index(flag) + 1]
        if prompt is None and words and not words[-1].startswith("-"):
            prompt = words[-1]
        return {"action": "prompt", "prompt": prompt or "", "arguments": words}

    async def events(self, prompt: str | None, messages: Messages | None) -> AsyncGenerator[Event, None]:
        """Start it and yield its session's events until it has ended.

        Raises:
            RequestError: it could not be run, began no session, or exited with a status other than 0.
        """
        since = format_timestamp(time.time_ns() // 1000 - 5_000_000)
        process = await self._start()
        self._feeding = asyncio.create_task(self._feed(process, prompt, messages))
        session_id = self.session_id = await self._find(process, since)
        if session_id is not None:
            events = self._client.events(session_id=session_id, follow=True)
            async with contextlib.aclosing(events):
                async for event in events:
                    if event.event_type == "run_completed":
                        self._result = event.data.get("result")
                    yield event
        status = await process.wait()
        self._feeding.cancel()  # whoever has more to say says it to nobody
        (unfed,) = await asyncio.gather(self._feeding, return_exceptions=True)
        if isinstance(unfed, Exception):
            raise unfed
        if status:
            raise RequestError(await self._failure(process, status))
        if session_id is None:
            told = f"{self._program} began no session that could be followed; its arguments need -p."
            raise RequestError(told)

    def outcome(self) -> dict[str, Any]:
        """Return what is recorded of it when it has ended well."""
        status = self._process.returncode if self._process else None
        return {"session_id": self.session_id, "exit_code": status, "result": self._result}

    async def close(self) -> None:
        """End it if it still runs: end of input, SIGTERM, SIGKILL."""
        if self._feeding is not None:
            self._feeding.cancel()
            await asyncio.gather(self._feeding, return_exceptions=True)
        process = self._process
        if process is not None and process.returncode is None:
            for number in (signal.SIGTERM, signal.SIGKILL):
                with contextlib.suppress(ProcessLookupError):
                    process.send_signal(number)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_GRACE_S / 2):
                        await process.wait()
                        break
        if process is not None and process.stdin is not None:
            process.stdin.close()
        if self._complaining is not None:
            self._complaining.cancel()
            await asyncio.gather(self._complaining, return_exceptions=True)

    async def _start(self) -> asyncio.subprocess.Process:
        health = await self._client.health()
        data_dir = health.checks.get("data_directory", {}).get("path")
        if not isinstance(data_dir, str) or not await asyncio.to_thread(os.path.isdir, data_dir):
            raise RequestError(
                f"The server's data directory {data_dir!r} is not on this machine: run it here."
            )
        wrapper = [sys.executable, "-P", "-c", _START, "--data-dir", data_dir, "--server", "off"]
        if self._name:
            wrapper += ["--session-name", self._name]
        wrapper += ["--", self._program, *self._arguments]
        self._process = await asyncio.create_subprocess_exec(
            *wrapper,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            cwd=self._cwd,
            env=self._environment,
        )
        assert self._process.stderr is not None
        self._complaining = asyncio.create_task(_end_of(self._process.stderr))
        return self._process

    async def _feed(
        self, process: asyncio.subprocess.Process, prompt: str | None, messages: Messages | None
    ) -> None:
        """Write what it is told. A message that is not valid is not sent, and ends it."""
        assert process.stdin is not None
        try:
            # A command that reads no more says so by its exit status.
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                if prompt is not None:
                    process.stdin.write(prompt.encode())
                async for message in _each(messages or ()):
                    answer = await self._judge("stdin", message)
                    if answer.verdict != "valid":
                        process.terminate()
                        told = {"message": dict(message), "errors": answer.validation_errors}
                        await self._record("command_rejected", told)
                        raise InvalidCommandError(answer)
                    process.stdin.write(as_json(message) + b"\n")
                    await process.stdin.drain()
                await process.stdin.drain()
        finally:
            process.stdin.close()

    async def _find(self, process: asyncio.subprocess.Process, since: str) -> str | None:
        """Return the id of its session; None: it has ended, and had none."""
        patience, others = Patience(give_up_s=_GIVE_UP_S), set[str]()
        while True:
            has_ended = process.returncode is not None
            page = await patiently(
                partial(
                    self._client.events_page,
                    event_types="session_started",
                    start_time=since,
                    limit=10_000,
                    wait=None if has_ended else 1,
                ),
                patience,
            )
            begun = [event.session_id for event in page.events]
            if has_ended:  # pages hold back for a moment what has just happened
                sessions = (await patiently(partial(self._client.sessions, limit=100), patience)).sessions
                begun += [one.session_id for one in sessions if (one.started_at or "") > since]
            for session_id in begun:
                if session_id not in others and await self._is_ours(session_id, process.pid):
                    return session_id
                others.add(session_id)
            if has_ended:
                return None

    async def _is_ours(self, session_id: str, pid: int) -> bool:
        try:
            started = await self._client.record(session_id, 0)
        except NotFoundError:
            return False
        about = started.get("event", {}).get("data", {})
        return bool(about.get("wrapper_pid") == pid)

    async def _failure(self, process: asyncio.subprocess.Process, status: int) -> str:
        how = f"status {status}" if status > 0 else signal.Signals(-status).name
        said = b""
        if self._complaining is not None:
            said = await self._complaining
        told = " ".join(said.decode(errors="replace").split())
        return f"{self._program} exited with {how}" + (f": {told}" if told else ".")


async def _each(messages: Messages) -> AsyncIterator[Mapping[str, Any]]:
    if isinstance(messages, AsyncIterable):
        async for message in messages:
            yield message
    else:
        for message in messages:
            yield message


async def _end_of(stream: asyncio.StreamReader) -> bytes:
    """Read to the end, and return the last of it."""
    kept = b""
    while chunk := await stream.read(65_536):
        kept = (kept + chunk)[-_COMPLAINT_BYTES:]
    return kept
