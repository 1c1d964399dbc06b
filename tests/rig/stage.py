"""A stage: everything that one scenario needs, for one run of it."""

from __future__ import annotations

import dataclasses
import os
from contextlib import aclosing, asynccontextmanager
from typing import TYPE_CHECKING, Any

from claude_agent_sdk import ClaudeAgentOptions, ClaudeSDKClient, StreamEvent

from tests.rig.raw_client import STREAMING, Answering, RawClient, open_raw_client

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

    from claude_agent_sdk.types import Message as SdkMessage

    from tests.rig.environment import Surroundings
    from tests.rig.messages_api import MessagesApi, Play, Script

__all__ = ["Stage"]


class Stage:
    """One run's command, home and share of the Messages API.

    `command` is one executable that stands for Claude Code: itself, or whatever is put in front of it.
    What the scenario's client saw is gathered in `seen`: messages as the SDK gives them, or lines as objects.
    """

    def __init__(self, api: MessagesApi, command: Path, surroundings: Surroundings) -> None:
        self.command = command
        self.surroundings = surroundings
        self.seen: list[Any] = []
        self.exit_statuses: list[int] = []
        self._api = api
        self._play: Play | None = None

    @property
    def project(self) -> Path:
        """The working directory of the run."""
        return self.surroundings.project

    @property
    def requests(self) -> list[tuple[str, dict[str, Any]]]:
        """What Claude Code asked of the Messages API: path and body."""
        return [] if self._play is None else self._play.requests

    def answer(self, script: Script) -> None:
        """Let the Messages API answer by this script from now on."""
        self.surroundings.build()
        self._play = self._api.play(script)

    def variables(self) -> dict[str, str]:
        """Return the variables that this run adds to the environment."""
        if self._play is None:
            self.answer({})
        assert self._play is not None
        return self.surroundings.variables(self._play.base_url)

    def options(self, **options: Any) -> ClaudeAgentOptions:
        """Return options of the Python Agent SDK, filled in with where and how this run takes place."""
        extra = options.pop("env", {})
        return ClaudeAgentOptions(
            cli_path=self.command, cwd=self.project, env={**self.variables(), **extra}, **options
        )

    @asynccontextmanager
    async def sdk(self, **options: Any) -> AsyncIterator[SdkActor]:
        """Open a client of the Python Agent SDK."""
        async with ClaudeSDKClient(self.options(**options)) as client:
            yield SdkActor(client, self.seen)

    @asynccontextmanager
    async def raw(
        self,
        *arguments: str,
        answers: Mapping[str, Answering] | None = None,
        env: Mapping[str, str] | None = None,
        streaming: bool = True,
    ) -> AsyncIterator[RawClient]:
        """Start the command and speak stream-json with it; at the end close it as a good client does."""
        command = [str(self.command), *(STREAMING if streaming else ()), *arguments]
        environment = {**os.environ, **self.variables(), **(env or {})}
        async with open_raw_client(command, cwd=self.project, env=environment, answers=answers) as client:
            try:
                yield client
                self.exit_statuses.append(await client.close())
            finally:
                self.seen.extend(client.seen)


class SdkActor:
    """A client of the Python Agent SDK that keeps what it sees."""

    def __init__(self, client: ClaudeSDKClient, seen: list[Any]) -> None:
        self.client = client
        self.seen = seen

    async def turn(self, prompt: str) -> SdkMessage:
        """Ask, and read to the end of the turn; return its result."""
        await self.client.query(prompt)
        return await self.result()

    async def until_streaming(self) -> None:
        """Read until a piece of an answer has come: then Claude Code is in mid-stream for certain."""
        async with aclosing(self.client.receive_messages()) as messages:  # type: ignore[type-var]
            async for message in messages:
                self.keep(type(message).__name__, message)
                if isinstance(message, StreamEvent) and message.event["type"] == "content_block_delta":
                    return

    async def result(self) -> SdkMessage:
        """Read to the end of the turn; return its result."""
        last: SdkMessage | None = None
        async for message in self.client.receive_response():
            self.keep(type(message).__name__, message)
            last = message
        assert last is not None, "the turn had no messages"
        return last

    def keep(self, what: str, value: Any) -> None:
        """Note something that the client was told, in the order of being told."""
        plain = dataclasses.asdict(value) if dataclasses.is_dataclass(value) else value  # type: ignore[arg-type]
        self.seen.append({"what": what, "value": plain})
