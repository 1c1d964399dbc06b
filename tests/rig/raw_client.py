"""A client that speaks Claude Code's stream-json itself: it sees every line, and may send any."""

from __future__ import annotations

import json
import subprocess
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from itertools import count
from typing import TYPE_CHECKING, Any

import anyio
from anyio.streams.buffered import BufferedByteReceiveStream

if TYPE_CHECKING:
    from pathlib import Path

    from anyio.abc import Process

__all__ = ["RawClient", "open_raw_client"]

Message = dict[str, Any]
Answering = Callable[[Message], Message | None]

LINE_WAIT_S = 30.0  # longer than any healthy run is silent
LONGEST_LINE = 64 * 2**20
STREAMING = ("--print", "--output-format", "stream-json", "--verbose", "--input-format", "stream-json")


class RawClient:
    """One running command. Every message read is kept in `seen`, in order.

    `answers` maps the subtype of a control request from Claude Code (`can_use_tool`, `hook_callback`, ...) to a
    function from the request to its answer; what it does not name is answered with an empty success, and a
    function that returns None leaves the request unanswered.
    """

    def __init__(self, process: Process, answers: Mapping[str, Answering]) -> None:
        assert process.stdout is not None
        self.seen: list[Message] = []
        self.process = process
        self._lines = BufferedByteReceiveStream(process.stdout)
        self._answers = dict(answers)
        self._numbers = count(1)

    async def send_bytes(self, data: bytes) -> None:
        """Write bytes as they are."""
        assert self.process.stdin is not None
        await self.process.stdin.send(data)

    async def send(self, message: Any) -> None:
        """Write one message as a line."""
        await self.send_bytes(json.dumps(message, separators=(",", ":")).encode() + b"\n")

    async def say(self, content: str | list[dict[str, Any]], **fields: Any) -> None:
        """Send a user message."""
        await self.send({"type": "user", "message": {"role": "user", "content": content}, **fields})

    async def request(self, subtype: str, **fields: Any) -> str:
        """Send a control request, and return its id."""
        request_id = f"req_{next(self._numbers)}"
        request = {"subtype": subtype, **fields}
        await self.send({"type": "control_request", "request_id": request_id, "request": request})
        return request_id

    async def control(self, subtype: str, **fields: Any) -> Message:
        """Send a control request, and return the `response` object that answers it."""
        request_id = await self.request(subtype, **fields)
        return await self.answer_to(request_id)

    async def answer_to(self, request_id: str) -> Message:
        """Read until a control request of ours is answered."""
        found = await self.until(
            lambda m: m["type"] == "control_response" and m["response"]["request_id"] == request_id
        )
        response: Message = found["response"]
        return response

    async def turn(self, content: str | list[dict[str, Any]], **fields: Any) -> Message:
        """Send a user message and read to the end of its turn; return the result."""
        await self.say(content, **fields)
        return await self.result()

    async def result(self) -> Message:
        """Read until a turn has ended; return its result."""
        return await self.until(lambda m: m["type"] == "result")

    async def until(self, wanted: Callable[[Message], bool]) -> Message:
        """Read, and answer what is asked, until a message is the wanted one.

        Raises EOFError when the output ends before, and TimeoutError when it is silent for too long.
        """
        while (message := await self.read()) is not None:
            if wanted(message):
                return message
        raise EOFError(f"the output ended after {len(self.seen)} messages: {self.seen[-1:]}")

    async def read(self) -> Message | None:
        """Read one message and answer it if it asks; return None at the end of the output."""
        with anyio.fail_after(LINE_WAIT_S):
            try:
                line = await self._lines.receive_until(b"\n", LONGEST_LINE)
            except (anyio.IncompleteRead, anyio.ClosedResourceError):
                return None
        message: Message = json.loads(line)
        self.seen.append(message)
        if message["type"] == "control_request":
            await self._answer(message)
        return message

    async def close(self) -> int:
        """End the input, read the rest of the output, and return the exit status."""
        assert self.process.stdin is not None
        await self.process.stdin.aclose()
        while await self.read() is not None:
            pass
        with anyio.fail_after(LINE_WAIT_S):
            return await self.process.wait()

    async def _answer(self, message: Message) -> None:
        request = message["request"]
        answer = self._answers.get(request["subtype"], _nothing_to_say)(request)
        if answer is None:
            return
        response = {"subtype": "success", "request_id": message["request_id"], "response": answer}
        await self.send({"type": "control_response", "response": response})


def _nothing_to_say(_: Message) -> Message:
    return {}


@asynccontextmanager
async def open_raw_client(
    command: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    answers: Mapping[str, Answering] | None = None,
) -> AsyncIterator[RawClient]:
    """Start a command and speak with it; whatever happens, it is gone afterwards."""
    process = await anyio.open_process(
        command, cwd=cwd, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    async with process, anyio.create_task_group() as tasks:
        client = RawClient(process, answers or {})
        tasks.start_soon(_drain, process)
        try:
            yield client
        finally:
            if process.returncode is None:
                process.terminate()
            tasks.cancel_scope.cancel()


async def _drain(process: Process) -> None:
    """Read complaints away, so that a command that writes many is not held up."""
    assert process.stderr is not None
    async for _ in process.stderr:
        pass
