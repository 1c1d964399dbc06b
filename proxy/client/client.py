"""The client: one method a route, and what is made of them."""

import os
from collections.abc import AsyncGenerator, AsyncIterable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, Literal, Self
from urllib.parse import quote

import msgspec

from proxy.client import models
from proxy.client.address import Address
from proxy.client.monitored import Run
from proxy.client.paging import Question, every
from proxy.client.streaming import Listening, Wanted
from proxy.client.transport import Transport
from proxy.client.validation import Validator, as_json

__all__ = ["AsyncClient"]

_API = "/api/v1"
_SESSIONS = f"{_API}/monitoring/sessions"
_CHECKS = f"{_API}/compliance/runs"


class AsyncClient:
    """Asks the server of a data directory.

        async with AsyncClient() as client:
            print(await client.status())

    Calls raise `ClientError`, by blame: see `proxy.client.errors`. Those that may be repeated are, with growing
    pauses; events are posted and sessions are started at most once.
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
            timeout_s: how long one attempt may take.
            retries: further attempts of a call that may be repeated.
        """
        self._transport = Transport(
            Address(base_url, data_dir),
            token=token or os.environ.get("CLAUDE_PROXY_TOKEN"),
            timeout_s=timeout_s,
            retries=retries,
        )
        self._validator = Validator(self._transport)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections; the client is of no use afterwards."""
        await self._transport.close()

    # -- how the server and the sessions are -------------------------------------------------------------------

    async def health(self) -> models.Health:
        """Return whether the server is well; one that is not is an answer too."""
        return await self._transport.call("GET", "/health", models.Health)

    async def health_live(self) -> dict[str, Any]:
        """Return that the server's process answers."""
        return await self._transport.call("GET", "/health/live", dict[str, Any])

    async def health_ready(self) -> models.Readiness:
        """Return whether requests should be sent to the server now; that they should not is an answer too."""
        return await self._transport.call("GET", "/health/ready", models.Readiness)

    async def prometheus(self) -> str:
        """Return the server's figures as Prometheus takes them."""
        return await self._transport.document("/metrics", bytes.decode)

    async def status(self) -> models.Status:
        """Return what every running session does."""
        return await self._transport.call("GET", "/status", models.Status)

    async def monitoring_status(self) -> models.MonitoringStatus:
        """Return counts and the server's uptime."""
        return await self._transport.call("GET", f"{_API}/monitoring/status", models.MonitoringStatus)

    async def sessions(self, *, limit: int | None = None, offset: int | None = None) -> models.SessionPage:
        """Return a page of sessions, live and past, newest first."""
        query = {"limit": limit, "offset": offset}
        return await self._transport.call("GET", _SESSIONS, models.SessionPage, query=query)

    async def session(self, session_id: str) -> models.Session:
        """Return one session."""
        return await self._transport.call("GET", _session(session_id), models.Session)

    async def openapi(self) -> dict[str, Any]:
        """Return the API's own description."""
        return await self._transport.document("/openapi.json", msgspec.json.Decoder(dict[str, Any]).decode)

    # -- what sessions did -------------------------------------------------------------------------------------

    async def overview(self) -> models.Overview:
        """Return what there is, and what happened in the last 24 hours."""
        return await self._transport.call("GET", f"{_API}/monitoring/overview", models.Overview)

    async def metrics(self, *, start_time: str | None = None, end_time: str | None = None) -> models.Metrics:
        """Return what happened in a period, over all sessions."""
        query = {"start_time": start_time, "end_time": end_time}
        return await self._transport.call("GET", f"{_API}/monitoring/metrics", models.Metrics, query=query)

    async def analysis(self, session_id: str) -> models.Analysis:
        """Return what a session did, where its time and money went, and what stands out."""
        return await self._transport.call("GET", f"{_session(session_id)}/analysis", models.Analysis)

    async def drift(self, session_id: str) -> models.Drift:
        """Return what passed in a session that the specification does not have.

        While it is not `complete`, asking again goes on in a log that is too long for one answer.
        """
        return await self._transport.call("GET", f"{_session(session_id)}/drift", models.Drift)

    async def records(
        self,
        session_id: str,
        *,
        stream: str | None = None,
        verdict: str | None = None,
        type: str | None = None,  # noqa: A002 - the parameter's name in the API
        text: str | None = None,
        from_seq: int | None = None,
        to_seq: int | None = None,
        limit: int | None = None,
        offset: int | None = None,
        max_text: int | None = None,
    ) -> models.RecordPage:
        """Return a page of a session's records, long values shortened."""
        query = {
            "stream": stream,
            "verdict": verdict,
            "type": type,
            "text": text,
            "from_seq": from_seq,
            "to_seq": to_seq,
            "limit": limit,
            "offset": offset,
            "max_text": max_text,
        }
        path = f"{_session(session_id)}/records"
        return await self._transport.call("GET", path, models.RecordPage, query=query)

    async def record(self, session_id: str, seq: int, *, max_text: int | None = None) -> dict[str, Any]:
        """Return one record as it is in the log; with ``max_text`` as in a page."""
        path = f"{_session(session_id)}/records/{int(seq)}"
        return await self._transport.call("GET", path, dict[str, Any], query={"max_text": max_text})

    # -- specifications and validation -------------------------------------------------------------------------

    async def specifications(self) -> models.Specifications:
        """Return what schemas are published."""
        return await self._transport.call("GET", f"{_API}/specifications", models.Specifications)

    async def specification(self, name: str) -> dict[str, Any]:
        """Return one JSON Schema, with all that it refers to inside."""
        return await self._transport.call("GET", f"{_API}/specifications/{quote(name)}", dict[str, Any])

    async def validate(
        self, schema_type: str, data: Any, *, request_id: Any = None, fallback: bool = True
    ) -> models.ValidationAnswer:
        """Judge a value by a schema.

        While the server is away it is judged here, with the same schemas, unless ``fallback`` is off: the answer's
        `validation_source` says which.
        """
        return await self._validator.validate(schema_type, data, request_id, fallback=fallback)

    def validate_many(
        self,
        schema_type: str,
        items: Iterable[Any] | AsyncIterable[Any],
        *,
        fallback: bool = True,
        in_flight: int = 4,
    ) -> AsyncGenerator[models.ValidationAnswer, None]:
        """Judge values, however many, and yield the answers in their order.

        They are asked about in batches, of which at most ``in_flight`` are under way: no more is taken of the items.
        An item may be a `ValidationRequest`, with a schema of its own.
        """
        if in_flight < 1:
            raise ValueError(f"in_flight is {in_flight}; it takes a number from 1")
        return self._validator.validate_many(schema_type, items, fallback=fallback, in_flight=in_flight)

    # -- events ------------------------------------------------------------------------------------------------

    async def events_page(
        self,
        *,
        session_id: str | None = None,
        event_types: Sequence[str] | str | None = None,
        start_time: str | None = None,
        end_time: str | None = None,
        limit: int | None = None,
        offset: int | None = None,
        order: Literal["asc", "desc"] | None = None,
        wait: int | None = None,
        max_text: int | None = None,
    ) -> models.EventPage:
        """Return one page of events, as the API gives it; `events` is for all of them."""
        query = {
            "session_id": session_id,
            "event_types": _listed(event_types),
            "start_time": start_time,
            "end_time": end_time,
            "limit": limit,
            "offset": offset,
            "order": order,
            "wait": wait,
            "max_text": max_text,
        }
        path = f"{_API}/monitoring/events"
        return await self._transport.call("GET", path, models.EventPage, query=query, wait_s=wait or 0)

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
            end_time: only what is stamped no later.
            newest_first: the other way round, which has an end by itself.
            follow: go on with what comes, until the session is over or, without one, for ever.
            page_size: events that are asked for at once, at most 10,000.
            give_up_s: for how long a server that went away is waited for when following.
        """
        if follow and (newest_first or end_time is not None):
            raise ValueError("follow goes forward and has no end: leave out newest_first and end_time")
        types = _listed(event_types)
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

        It comes back by itself when the connection or the server is lost, and goes on where it was; a server that
        stays away longer than ``give_up_s`` is an UnreachableError. Whoever takes slowly is sent slowly. Where events
        may be missing there is a `Gap`.
        """
        wanted = Wanted(
            session_id=session_id, event_types=_listed(event_types), over=over, give_up_s=give_up_s
        )
        return Listening(self._transport, wanted, after or "").events()

    # -- sessions of one's own ---------------------------------------------------------------------------------

    async def start_session(
        self, name: str | None = None, capture_options: models.CaptureOptions | None = None
    ) -> models.MonitoringSession:
        """Start a session for events of one's own."""
        options = capture_options or models.CaptureOptions()
        body = as_json({"session_name": name, "capture_options": options})
        return await self._transport.call(
            "POST", _SESSIONS, models.MonitoringSession, body=body, repeatable=False
        )

    async def post_event(self, session_id: str, event_type: str, data: Mapping[str, Any]) -> models.Recorded:
        """Record an event in a session that was started with `start_session`."""
        body = as_json({"session_id": session_id, "event_type": event_type, "data": dict(data)})
        path = f"{_API}/monitoring/events"
        return await self._transport.call("POST", path, models.Recorded, body=body, repeatable=False)

    async def stop_session(self, session_id: str) -> models.Stopped:
        """Stop a session that was started with `start_session`."""
        path = f"{_session(session_id)}/stop"
        return await self._transport.call("POST", path, models.Stopped, body=b"{}", repeatable=False)

    def monitored(
        self, name: str | None = None, *, capture_options: models.CaptureOptions | None = None
    ) -> Run:
        """Return a run that is monitored between entering and leaving it.

        async with client.monitored("nightly") as run:
            async with run.command({"action": "prompt", "prompt": "tidy up"}) as step:
                step.result = await work()
        """
        return Run(self, name, capture_options or models.CaptureOptions())

    # -- checks of programs that stand in for claude -----------------------------------------------------------

    async def start_check(
        self,
        wrapper: str,
        *,
        arguments: Sequence[str] = (),
        scenarios: Sequence[str] = (),
        as_argument: bool | None = None,
        variables: Sequence[str] = (),
        threshold: float | None = None,
    ) -> models.Check:
        """Begin to check a wrapper on the server's machine; RefusedError unless the server has `compliance.enabled`.

        Args:
            wrapper: the program, by its path or as a name on the server's PATH.
            arguments: its own.
            scenarios: names or patterns; by default all.
            as_argument: whether `claude` is its first argument; by default that is found out.
            variables: further variables in which it looks for `claude`.
            threshold: the score, of 100, from which it passes; by default 100.
        """
        asked = {
            "wrapper": wrapper,
            "arguments": [*arguments],
            "scenarios": [*scenarios],
            "as_argument": as_argument,
            "variables": [*variables],
            **({} if threshold is None else {"threshold": threshold}),
        }
        return await self._transport.call(
            "POST", _CHECKS, models.Check, body=as_json(asked), repeatable=False
        )

    async def check(self, run_id: str, *, wait: int | None = None, seen: int | None = None) -> models.Check:
        """Return a check as it is, or after ``wait`` seconds at most as soon as more than ``seen`` scenarios ended."""
        query = {"wait": wait, "seen": seen}
        return await self._transport.call("GET", _check(run_id), models.Check, query=query, wait_s=wait or 0)

    async def cancel_check(self, run_id: str) -> models.Check:
        """Stop a check and wait until its processes are gone; one that has ended stays as it is."""
        return await self._transport.call("POST", f"{_check(run_id)}/cancel", models.Check, body=b"{}")


def _check(run_id: str) -> str:
    return f"{_CHECKS}/{quote(run_id, safe='')}"


def _session(session_id: str) -> str:
    return f"{_SESSIONS}/{quote(session_id, safe='')}"


def _listed(event_types: Sequence[str] | str | None) -> str | None:
    return event_types if event_types is None or isinstance(event_types, str) else ",".join(event_types)
