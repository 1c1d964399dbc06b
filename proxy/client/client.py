"""The client for programs with an event loop: every call of the API, and what is made of them."""

import os
from collections.abc import AsyncGenerator, Sequence
from typing import Literal, Self

from proxy.client import models
from proxy.client.address import finder
from proxy.client.calls import Calls
from proxy.client.monitored import Run
from proxy.client.paging import Question, every
from proxy.client.queries import listed
from proxy.client.selections import EventQuery
from proxy.client.streaming import listen
from proxy.client.transport import Transport


class AsyncClient(Calls):
    """Client of the server of a data directory.

    It belongs to one event loop, and is closed at the end of ``async with`` or by `close`.

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
        find = finder(base_url, data_dir)
        super().__init__(Transport(find, token=token, timeout_s=timeout_s, retries=retries))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections; the client cannot be used afterwards."""
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
        """Yield all matching events, oldest first. None is lost or repeated while more arrive.

        Args:
            session_id: only of this session.
            event_types: only of these types.
            start_time: only events with a later timestamp (RFC 3339).
            end_time: only events up to this timestamp (RFC 3339).
            newest_first: newest events first; not with `follow`.
            follow: continue with new events until the session is over, or without a session for ever.
            page_size: events per request, at most 10,000.
            give_up_s: with `follow`, seconds to wait for a server that went away after its first answer.

        Raises:
            NotFoundError: there is no such session, or it was removed meanwhile.
            ClientError: as for any call.

        Example:
            async for event in client.events(session_id=session_id, event_types=["tool_failed"]):
                print(event.timestamp, event.data["error"])
        """
        if follow and (newest_first or end_time is not None):
            raise ValueError("follow goes forward and has no end: leave out newest_first and end_time")
        asked = EventQuery(
            session_id=session_id, event_types=event_types, start_time=start_time, end_time=end_time
        )
        question = Question(asked, page_size, newest_first=newest_first)
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
        """Yield new events, or those behind the event whose `id` is ``after``.

        It reconnects when the connection or the server is lost, and resumes where it was. A slow reader slows the
        server down (backpressure). Where events may be missing, it yields a `Gap`.

        Args:
            session_id: only of this session.
            event_types: only of these types.
            after: the `id` of an event from an earlier stream.
            over: the transport: a WebSocket, or server-sent events.
            give_up_s: seconds to wait for a server that is gone.

        Raises:
            UnreachableError: the server is gone for longer.
            NotFoundError: there is no such session, or it was removed before the client reconnected.

        Example:
            async for event in client.stream(event_types=["permission_requested"]):
                print(event)
        """
        query = {"session_id": session_id, "event_types": listed(event_types)}
        return listen(self._transport, query, place=after or "", over=over, give_up_s=give_up_s)

    def monitored(
        self, name: str | None = None, *, capture_options: models.CaptureOptions | None = None
    ) -> Run:
        """Return a run, a context manager that is monitored while it is entered.

        Args:
            name: a label for its session.
            capture_options: which of its events are recorded; by default all.

        Example:
            async with client.monitored("nightly") as run:
                async with run.command({"action": "prompt", "prompt": "tidy up"}) as step:
                    step.result = "tidied"
        """
        return Run(self, name, capture_options or models.CaptureOptions())
