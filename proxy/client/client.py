"""The client for programs with an event loop: every call of the API, and what is made of them."""

import os
from collections.abc import AsyncGenerator, Sequence
from types import TracebackType
from typing import Literal, Self

from proxy.client import models
from proxy.client.address import Address
from proxy.client.calls import Calls
from proxy.client.monitored import Run
from proxy.client.paging import Question, every
from proxy.client.queries import listed
from proxy.client.streaming import Listening, Wanted
from proxy.client.transport import Transport


class AsyncClient(Calls):
    """Asks the server of a data directory.

    It is for one event loop, and is closed at the end of ``async with`` or by `close`.

    Example:
        async with AsyncClient() as client:
            print((await client.status()).active_sessions)
    """

    def __init__(
        self,
        base_url: str | None = None,
        *,
        data_dir: str | None = None,
        token: str | None = None,
        timeout_s: float = 30.0,
        retries: int = 4,
    ) -> None:
        """Make a client; nothing is opened yet.

        Args:
            base_url: where the server is; by default `CLAUDE_PROXY_URL`, else it is found through the data directory.
            data_dir: whose server; by default `CLAUDE_PROXY_DATA_DIR`, else the platform's.
            token: for a server that asks for one; by default `CLAUDE_PROXY_TOKEN`.
            timeout_s: seconds that one attempt may take.
            retries: further attempts of a call that may be repeated.

        Raises:
            ValueError: ``base_url`` is no address.
        """
        token = token or os.environ.get("CLAUDE_PROXY_TOKEN")
        address = Address(base_url, data_dir)
        super().__init__(Transport(address, token=token, timeout_s=timeout_s, retries=retries))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections; the client is of no use afterwards."""
        await self._transport.close()

    def events(
        self,
        *,
        session_id: str | None = None,
        event_types: Sequence[str] | str | None = None,
        start_time: str | None = None,
        end_time: str | None = None,
        newest_first: bool = False,
        follow: bool = False,
        page_size: int = 1000,
        give_up_s: float = 60.0,
    ) -> AsyncGenerator[models.Event, None]:
        """Yield all events that fit, oldest first, page by page: none is lost or given twice while more arrive.

        Args:
            session_id: only of this session.
            event_types: only of these types.
            start_time: only what is stamped later (RFC 3339).
            end_time: only what is stamped no later (RFC 3339).
            newest_first: the other way round, which has an end by itself.
            follow: go on with what comes, until the session is over or, without one, for ever.
            page_size: events that are asked for at once, at most 10,000.
            give_up_s: seconds that a server that went away is waited for when following.

        Raises:
            NotFoundError: there is no such session, or it was removed meanwhile.
            ClientError: as for any call.

        Example:
            async for event in client.events(session_id=session_id, event_types=["tool_failed"]):
                print(event.timestamp, event.data["error"])
        """
        if follow and (newest_first or end_time is not None):
            raise ValueError("follow goes forward and has no end: leave out newest_first and end_time")
        types = listed(event_types)
        question = Question(session_id, types, start_time, end_time, newest_first, page_size)
        return every(self, question, follow=follow, give_up_s=give_up_s)

    def stream(
        self,
        *,
        session_id: str | None = None,
        event_types: Sequence[str] | str | None = None,
        after: str | None = None,
        over: Literal["websocket", "sse"] = "websocket",
        give_up_s: float = 60.0,
    ) -> AsyncGenerator[models.Event | models.Gap, None]:
        """Yield what happens from now on, or behind the event whose `id` is ``after``.

        It comes back by itself when the connection or the server is lost, and goes on where it was. Whoever takes
        slowly is sent slowly. Where events may be missing there is a `Gap`.

        Args:
            session_id: only of this session.
            event_types: only of these types.
            after: the `id` of an event that an earlier stream gave.
            over: how the server sends them: a WebSocket, or server-sent events.
            give_up_s: seconds that a server that went away is waited for.

        Raises:
            UnreachableError: the server stays away longer.
            NotFoundError: there is no such session, or it is gone when the connection comes back.

        Example:
            async for event in client.stream(event_types=["permission_requested"]):
                print(event)
        """
        wanted = Wanted(
            session_id=session_id, event_types=listed(event_types), over=over, give_up_s=give_up_s
        )
        return Listening(self._transport, wanted, after or "").events()

    def monitored(
        self, name: str | None = None, *, capture_options: models.CaptureOptions | None = None
    ) -> Run:
        """Return a run that is monitored between entering and leaving it.

        Args:
            name: a label for its session.
            capture_options: what of its events is recorded; by default all.

        Example:
            async with client.monitored("nightly") as run:
                async with run.command({"action": "prompt", "prompt": "tidy up"}) as step:
                    step.result = "tidied"
        """
        return Run(self, name, capture_options or models.CaptureOptions())
