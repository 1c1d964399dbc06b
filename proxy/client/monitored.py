"""A run that its own program watches: what it does is validated before, and on record after."""

import asyncio
import contextlib
import itertools
import logging
import time
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Coroutine,
    Iterable,
    Mapping,
)
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

import msgspec

from proxy.client.errors import ClientError, InvalidCommandError, UnreachableError
from proxy.client.models import CaptureOptions, Event, ValidationAnswer, ValidationRequest
from proxy.client.process import Claude, Messages
from proxy.client.retries import Absence
from proxy.client.turns import Turns
from proxy.client.validation import encoded, judged_here

if TYPE_CHECKING:
    from proxy.client.client import AsyncClient

__all__ = ["Run", "Step", "to_the_end"]

_log = logging.getLogger("claude_proxy.client")
_T = TypeVar("_T")
_PATIENCE_S = 10.0
"""How long the server may take to put something on record. The work does not wait longer, nor does its cancellation."""
_LONGEST_RESULT = 65_536
"""Bytes of a result that are recorded whole; of a longer one the beginning is."""


@dataclass(slots=True)
class Step:
    """One command as it runs; what is put into `result` is recorded with its completion."""

    number: int
    result: Any = None


class Run:
    """A monitoring session of the server's, as long as a program does its work.

    The work never fails for the recording's sake: what could not be recorded is counted in `lost`, the reason is in
    `trouble`, and the log `claude_proxy.client` says so.
    """

    def __init__(self, client: "AsyncClient", name: str | None, options: CaptureOptions) -> None:
        self.name = name
        self.session_id = ""
        self.lost = 0
        self.trouble: ClientError | None = None
        self._client = client
        self._options = options
        self._absence = Absence()
        self._numbers = itertools.count(1)
        self._processes: list[Claude] = []

    async def __aenter__(self) -> Self:
        """Start the session. ClientError: it cannot be started, and nothing has begun."""

        async def start() -> None:
            async with _patience():
                self.session_id = (await self._client.start_session(self.name, self._options)).session_id

        try:
            # Cancelled while the server makes it, it would be left behind: so its id is waited for.
            await to_the_end(start())
        except asyncio.CancelledError:
            await to_the_end(self._stop())
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End what still runs, and stop the session, whatever happened."""
        await to_the_end(self._end())

    async def event(self, event_type: str, data: Mapping[str, Any]) -> bool:
        """Record an event of the program's own; return whether it is on record."""
        began = asyncio.get_running_loop().time()
        try:
            if self._absence.lasts:
                raise UnreachableError("The server was away a moment ago.")
            async with _patience():
                return (await self._client.post_event(self.session_id, event_type, data)).recorded
        except ClientError as error:
            if isinstance(error, UnreachableError) and not self._absence.lasts:
                self._absence.note(began)
            self.lost, self.trouble = self.lost + 1, error
            _log.warning(
                "monitoring.event_lost session=%s type=%s error=%s", self.session_id, event_type, error
            )
            return False

    @contextlib.asynccontextmanager
    async def command(self, command: Mapping[str, Any]) -> AsyncIterator[Step]:
        """Validate a command (of the vocabulary `commands`), and record what becomes of it.

        Its start, then its completion with the step's `result`, or its failure with the error, each with the
        duration in milliseconds. InvalidCommandError: it is not valid; the body does not run.
        """
        step = Step(next(self._numbers))
        about = {"command_id": step.number, "command": dict(command)}
        answer = await self._judged("commands", command)
        if answer.verdict != "valid":
            await self.event("command_rejected", {**about, "errors": answer.validation_errors})
            raise InvalidCommandError(answer)
        began = time.monotonic()
        try:
            await self.event("command_started", {**about, "validation_source": answer.validation_source})
            yield step
        except BaseException as error:
            told = {"type": type(error).__name__, "message": _said(error)}
            await to_the_end(self.event("command_failed", {**about, **_since(began), "error": told}))
            raise
        done = {**about, **_since(began), "result": recordable(step.result)}
        await to_the_end(self.event("command_completed", done))

    async def execute(
        self, command: Mapping[str, Any], operation: Callable[[], Awaitable[_T]] | Callable[[], _T]
    ) -> _T:
        """Run an operation (awaited, or in a thread of its own when it is a plain function) as a command."""
        async with self.command(command) as step:
            if asyncio.iscoroutinefunction(operation):
                step.result = await operation()
            else:
                step.result = await asyncio.to_thread(operation)
                if isinstance(step.result, Awaitable):
                    step.result = await step.result
            result: _T = step.result
            return result

    async def claude(
        self,
        arguments: Iterable[str],
        *,
        prompt: str | None = None,
        messages: Messages | None = None,
        claude: str | None = None,
        cwd: str | None = None,
        env: Mapping[str, str] | None = None,
    ) -> AsyncGenerator[Event, None]:
        """Run a wrapped `claude`, and yield the events of its session as they come.

        Args:
            arguments: those of `claude`, with `-p`: nothing else is a session that can be followed.
            prompt: what it is asked; written to its standard input. None: it is among the arguments.
            messages: what it is told, for `--input-format stream-json`; each is validated before it is sent, and
                what becomes of each prompt is recorded as of a command.
            claude: the program; by default `CLAUDE_PROXY_CLAUDE`, else the first `claude` on PATH.
            cwd: where it runs.
            env: variables beside those of this program.

        Raises:
            InvalidCommandError: the prompt or a message is not valid. What runs is ended.
            RequestError: it could not be run, began no session, or exited with a status other than 0.
        """
        if prompt is not None and messages is not None:
            raise ValueError("a prompt is text, and messages are not: give one of them")
        process = Claude(
            self._client,
            [*arguments],
            name=self.name,
            judge=self._judged,
            record=self.event,
            claude=claude,
            cwd=cwd,
            env=env,
        )
        self._processes.append(process)
        try:
            if messages is None:
                async with self.command(process.command(prompt)) as step:
                    async with contextlib.aclosing(process.events(prompt, None)) as events:
                        async for event in events:
                            yield event
                    step.result = process.outcome()
            else:
                turns = Turns(self.event, self._numbers)
                try:
                    async with contextlib.aclosing(process.events(None, messages)) as events:
                        async for event in events:
                            await turns.take(event)
                            yield event
                except BaseException as error:
                    await to_the_end(turns.leave(error))
                    raise
        finally:
            await to_the_end(process.close())
            self._processes.remove(process)

    async def _judged(self, schema_type: str, value: Mapping[str, Any]) -> ValidationAnswer:
        """Judge a value, here where the server will not: the work does not fail for that."""
        try:
            return await self._client.validate(schema_type, value)
        except ClientError:
            one = encoded(ValidationRequest(schema_type=schema_type, data=value))
            return await asyncio.to_thread(judged_here, one)

    async def _end(self) -> None:
        for process in list(self._processes):
            await process.close()
        await self._stop()

    async def _stop(self) -> None:
        if not self.session_id:
            return
        try:
            async with _patience():
                await self._client.stop_session(self.session_id)
        except ClientError as error:
            self.trouble = error
            _log.warning("monitoring.not_stopped session=%s error=%s", self.session_id, error)


@contextlib.asynccontextmanager
async def _patience() -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(_PATIENCE_S):
            yield
    except TimeoutError:
        raise UnreachableError(
            f"The server did not answer within {_PATIENCE_S:g} s.", may_have_arrived=True
        ) from None


async def to_the_end(work: Coroutine[Any, Any, _T]) -> _T:
    """Do a work to its end, though cancelled meanwhile: then the cancellation goes on afterwards."""
    task = asyncio.create_task(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError as error:
            if task.cancelled():
                raise
            cancelled = error
        except BaseException:
            pass
    if cancelled is not None:
        if not task.cancelled():
            task.exception()  # who cancelled hears of nothing else
        raise cancelled
    return task.result()


def recordable(value: Any) -> Any:
    """Return a value that JSON can hold: itself, or what can be told of it."""
    try:
        text = msgspec.json.encode(value, enc_hook=repr)
    except Exception:  # whatever a result's own code raises: the run goes on
        return {"unrecordable": type(value).__name__}
    if len(text) > _LONGEST_RESULT:
        return {"shortened": text[:2000].decode(errors="replace"), "bytes": len(text)}
    return msgspec.json.decode(text)


def _said(error: BaseException) -> str:
    try:
        return str(error)[:2000]
    except Exception:  # whatever an error's own code raises: the error itself goes on
        return ""


def _since(began: float) -> dict[str, float]:
    return {"duration_ms": round((time.monotonic() - began) * 1000, 3)}
