"""A run that its own program watches: what it does is validated before, and on record after."""

import contextlib
import inspect
import itertools
import logging
import os
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Self, TypeVar

import anyio
import anyio.abc
import anyio.to_thread
import msgspec

from proxy.client.calls import Calls
from proxy.client.errors import (
    ClientError,
    InvalidCommandError,
    NotFoundError,
    RequestError,
    ServerFaultError,
    UnreachableError,
)
from proxy.client.models import CaptureOptions, Event, ValidationAnswer, ValidationRequest
from proxy.client.paging import Question, every
from proxy.client.process import Claude, Messages
from proxy.client.retries import Absence
from proxy.client.turns import Answer, Turns
from proxy.client.validation import as_json, encoded, judged_here

_log = logging.getLogger("claude_proxy.client")
_T = TypeVar("_T")
_PATIENCE_S = 10.0
"""How long the server may take to judge or record. The work does not wait longer, nor does its cancellation."""
_GIVE_UP_S = 60.0
"""For how long a server that went away, or that reads a log late, is waited for: as `events` does by default."""
_LOOK_S = 0.05
"""Between two looks for a session that has just begun: the server reads a new log within a tenth of a second."""
_LONGEST_RESULT = 65_536
"""Bytes of a result that are recorded whole; of a longer one the beginning is."""


@dataclass(slots=True)
class Step:
    """A running command; its `result` is recorded when it completes."""

    number: int
    result: Any = None


class Run:
    """A monitoring session of the server for the work of a program.

    The work never fails because of the recording: `lost` counts the events that could not be recorded, `trouble` has
    the reason, and the logger `claude_proxy.client` reports it. One task enters and leaves a run.
    """

    def __init__(self, calls: Calls, name: str | None, options: CaptureOptions) -> None:
        self.name = name
        self.session_id = ""
        self.lost = 0
        self.trouble: ClientError | None = None
        self._calls = calls
        self._options = options
        self._absence = Absence()
        self._numbers = itertools.count(1)
        self._processes: list[Claude] = []
        self._tasks: anyio.abc.TaskGroup

    async def __aenter__(self) -> Self:
        """Start the session. ClientError: it cannot be started, and nothing has begun."""

        async def start() -> None:
            with _patience():
                self.session_id = (await self._calls.start_session(self.name, self._options)).session_id

        try:
            # Cancelled while the server makes it, it would be left behind: so its id is waited for.
            await to_the_end(start)
            self._tasks = anyio.create_task_group()
            await self._tasks.__aenter__()
        except anyio.get_cancelled_exc_class():
            await to_the_end(self._stop)
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        """End what still runs, and stop the session, whatever happened."""
        try:
            await to_the_end(self._end)
        finally:
            self._tasks.cancel_scope.cancel()
            await self._tasks.__aexit__(None, None, None)

    async def event(self, event_type: str, data: Mapping[str, Any]) -> bool:
        """Record an event of the program; return whether it was recorded.

        Args:
            event_type: letters, digits, `_`, `-` and dots.
            data: any value that JSON can represent.

        Example:
            async with client.monitored("nightly") as run:
                await run.event("cleanup_done", {"files": 7})
        """
        try:
            with self._asking():
                return (await self._calls.post_event(self.session_id, event_type, data)).recorded
        except ClientError as error:
            self.lost, self.trouble = self.lost + 1, error
            _log.warning(
                "monitoring.event_lost session=%s type=%s error=%s", self.session_id, event_type, error
            )
            return False

    @contextlib.asynccontextmanager
    async def command(self, command: Mapping[str, Any]) -> AsyncIterator[Step]:
        """Validate a command (see the schema `commands`), and record its start and its end.

        The end is a completion with the step's `result`, or a failure with the error, each with the duration in
        milliseconds.

        Raises:
            InvalidCommandError: it is not valid; the body does not run.

        Example:
            async with client.monitored("nightly") as run:
                async with run.command({"action": "prompt", "prompt": "tidy up"}) as step:
                    step.result = "tidied"
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
            described = {"type": type(error).__name__, "message": _said(error)}
            await to_the_end(
                partial(self.event, "command_failed", {**about, **_since(began), "error": described})
            )
            raise
        done = {**about, **_since(began), "result": recordable(step.result)}
        await to_the_end(partial(self.event, "command_completed", done))

    async def execute(
        self, command: Mapping[str, Any], operation: Callable[[], Awaitable[_T]] | Callable[[], _T]
    ) -> _T:
        """Run an operation as a command, and return its result.

        Args:
            command: as for `command`.
            operation: awaited, or run in a thread if it is a plain function.

        Raises:
            InvalidCommandError: the command is not valid; the operation does not run.

        Example:
            async with client.monitored("nightly") as run:
                assert await run.execute({"action": "prompt", "prompt": "add"}, lambda: 3 + 4) == 7
        """
        async with self.command(command) as step:
            if inspect.iscoroutinefunction(operation):
                step.result = await operation()
            else:
                step.result = await anyio.to_thread.run_sync(operation)
                if isinstance(step.result, Awaitable):
                    step.result = await step.result
            result: _T = step.result
            return result

    async def claude(
        self,
        arguments: Sequence[str],
        *,
        prompt: str | None = None,
        messages: Messages | None = None,
        claude: str | None = None,
        cwd: str | None = None,
        env: Mapping[str, str] | None = None,
    ) -> AsyncGenerator[Event, None]:
        """Run a wrapped `claude`, and yield the events of its session live.

        Args:
            arguments: those of `claude`, with `-p`; other sessions cannot be followed.
            prompt: the prompt, written to standard input; None: it is among the arguments.
            messages: input for `--input-format stream-json`; each message is validated before it is sent, and each
                prompt is recorded as a command.
            claude: the program; by default `CLAUDE_PROXY_CLAUDE`, else the first `claude` on PATH.
            cwd: the working directory.
            env: variables in addition to those of this program.

        Raises:
            InvalidCommandError: the prompt or a message is not valid; the process is ended.
            RequestError: it could not be run, started no session, or exited with a status other than 0.

        Example:
            arguments = ["-p", "hello", "--output-format", "stream-json", "--verbose"]
            async with client.monitored("nightly") as run:
                async for event in run.claude(arguments):
                    print(event.event_type)
        """
        if None not in (prompt, messages):
            raise ValueError("a prompt is text, and messages are not: give one of them")
        process = Claude(arguments, name=self.name, program=claude, cwd=cwd, env=env)
        self._processes.append(process)
        try:
            if messages is None:
                async with self.command(process.command(prompt)) as step:
                    answer = Answer()
                    async with contextlib.aclosing(self._followed(process, prompt, ())) as events:
                        async for event in events:
                            answer.take(event)
                            yield event
                    ended = {"session_id": process.session_id, "exit_code": process.exit_status}
                    step.result = {**ended, **answer.told}
            else:
                turns = Turns(self.event, self._numbers)
                try:
                    async with contextlib.aclosing(self._followed(process, None, messages)) as events:
                        async for event in events:
                            await turns.take(event)
                            yield event
                except BaseException as error:
                    await to_the_end(partial(turns.leave, error))
                    raise
        finally:
            await to_the_end(process.close)
            self._processes.remove(process)

    async def _followed(
        self, process: Claude, prompt: str | None, messages: Messages
    ) -> AsyncGenerator[Event, None]:
        """Start a process and yield its session's events until it has ended."""
        await process.start(await self._data_dir(), self._tasks, prompt, messages, self._line)
        question = Question({"session_id": process.session_id})
        until = anyio.current_time() + _GIVE_UP_S
        while process.exit_status is None or process.has_session:  # else its id was given back, if it had one
            events = every(self._calls, question, follow=True, give_up_s=_GIVE_UP_S, was_served=True)
            try:
                async with contextlib.aclosing(events):
                    async for event in events:
                        yield event
                break
            except NotFoundError:
                if question.given and process.has_session:  # it was removed
                    raise
                if anyio.current_time() > until:
                    sentence = f"The server does not know of {process.session_id} after {_GIVE_UP_S:g} s."
                    raise ServerFaultError(sentence) from None
                await anyio.sleep(_LOOK_S)
        await process.ended()

    async def _data_dir(self) -> str:
        health = await self._calls.health()
        data_dir = health.checks.get("data_directory", {}).get("path")
        if not isinstance(data_dir, str) or not await anyio.to_thread.run_sync(os.path.isdir, data_dir):
            raise RequestError(
                f"The server's data directory {data_dir!r} is not on this machine: run it here."
            )
        return data_dir

    async def _line(self, message: Mapping[str, Any]) -> bytes:
        """Return a message as it is written to a process. InvalidCommandError: it is not valid."""
        answer = await self._judged("stdin", message)
        if answer.verdict != "valid":
            described = {"message": dict(message), "errors": answer.validation_errors}
            await self.event("command_rejected", described)
            raise InvalidCommandError(answer)
        return as_json(message) + b"\n"

    async def _judged(self, schema_type: str, value: Mapping[str, Any]) -> ValidationAnswer:
        """Judge a value, here where the server will not: the work does not fail for that."""
        try:
            with self._asking():
                return await self._calls.validate(schema_type, value)
        except ClientError:
            one = encoded(ValidationRequest(schema_type=schema_type, data=value))
            return await anyio.to_thread.run_sync(judged_here, one)

    @contextlib.contextmanager
    def _asking(self) -> Iterator[None]:
        """Bound what the work waits for the server. UnreachableError: it does not answer, or did not a moment ago."""
        if self._absence.lasts:
            raise UnreachableError("The server was away a moment ago.")
        began = anyio.current_time()
        try:
            with _patience():
                yield
        except UnreachableError:
            self._absence.note(began)
            raise

    async def _end(self) -> None:
        for process in list(self._processes):
            await process.close()
        await self._stop()

    async def _stop(self) -> None:
        if not self.session_id:
            return
        try:
            with _patience():
                await self._calls.stop_session(self.session_id)
        except ClientError as error:
            self.trouble = error
            _log.warning("monitoring.not_stopped session=%s error=%s", self.session_id, error)


@contextlib.contextmanager
def _patience() -> Iterator[None]:
    try:
        with anyio.fail_after(_PATIENCE_S):
            yield
    except TimeoutError:
        raise UnreachableError(
            f"The server did not answer within {_PATIENCE_S:g} s.", may_have_arrived=True
        ) from None


async def to_the_end(work: Callable[[], Awaitable[_T]]) -> _T:
    """Finish some work even if cancelled meanwhile; the cancellation takes effect afterwards.

    A shield alone protects against a scope of anyio, but not against a cancellation by `asyncio` itself. A task group
    waits for its tasks in both cases.
    """
    results: list[_T] = []
    errors: list[Exception] = []

    async def do() -> None:
        with anyio.CancelScope(shield=True):
            try:
                results.append(await work())
            except Exception as error:
                errors.append(error)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(do)
    if errors:
        raise errors[0]
    return results[0]


def recordable(value: Any) -> Any:
    """Return a value that JSON can represent: the value itself, or a description of it."""
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
