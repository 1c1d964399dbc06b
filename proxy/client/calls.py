"""Every call of the API, one method a route.

All raise `ClientError`, by blame: see `proxy.client.errors`. Those that may be repeated are, with growing pauses;
events are posted and sessions are started at most once. Durations in answers are milliseconds (``..._ms``), times
RFC 3339 in UTC.
"""

from collections.abc import AsyncGenerator, AsyncIterable, Iterable, Mapping, Sequence
from typing import Any, Literal, TypedDict, Unpack
from urllib.parse import quote

import msgspec

from proxy.client import models
from proxy.client.transport import Transport
from proxy.client.validation import Validator, as_json

__all__ = ["Calls", "EventQuery", "RecordQuery", "listed"]

_API = "/api/v1"
_SESSIONS = f"{_API}/monitoring/sessions"
_EVENTS = f"{_API}/monitoring/events"
_CHECKS = f"{_API}/compliance/runs"


class EventQuery(TypedDict, total=False):
    """What a page of events is asked for by. What is left out is not asked for."""

    session_id: str | None
    event_types: Sequence[str] | str | None
    """Several as a sequence, or in a text with commas."""
    start_time: str | None
    """RFC 3339: only what is stamped later."""
    end_time: str | None
    """RFC 3339: only what is stamped no later."""
    limit: int | None
    """1 to 10,000."""
    offset: int | None
    order: Literal["asc", "desc"] | None
    wait: int | None
    """Seconds, up to 60, for which the server waits for an event where there is none."""
    max_text: int | None
    """Characters from which on a text is shortened."""


class RecordQuery(TypedDict, total=False):
    """What a page of records is asked for by. What is left out is not asked for."""

    stream: str | None
    verdict: str | None
    type: str | None
    """Of the message."""
    text: str | None
    """What the record holds somewhere."""
    from_seq: int | None
    to_seq: int | None
    limit: int | None
    offset: int | None
    max_text: int | None
    """Characters from which on a text is shortened."""


class ConversationQuery(TypedDict, total=False):
    """What a page of a conversation is asked for by. What is left out is not asked for."""

    filter: str | None
    """Groups of entries, separated by commas; the API's description names them."""
    from_seq: int | None
    """Begin with what this record, or a later one, says."""
    limit: int | None
    offset: int | None
    max_text: int | None
    """Characters from which on a text is shortened."""


class Calls:
    """The calls, made over one transport."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._validator = Validator(transport)

    # -- how the server and the sessions are -------------------------------------------------------------------

    async def health(self) -> models.Health:
        """Return whether the server is well; one that is not is an answer too.

        Example:
            if (await client.health()).status != "healthy":
                print("look at the server's log")
        """
        return await self._transport.call("GET", "/health", models.Health)

    async def health_live(self) -> dict[str, Any]:
        """Return that the server's process answers.

        Example:
            await client.health_live()
        """
        return await self._transport.call("GET", "/health/live", dict[str, Any])

    async def health_ready(self) -> models.Readiness:
        """Return whether requests should be sent to the server now; that they should not is an answer too.

        Example:
            ready = await client.health_ready()
            print(ready.status, ready.message)
        """
        return await self._transport.call("GET", "/health/ready", models.Readiness)

    async def prometheus(self) -> str:
        """Return the server's figures in the text format of Prometheus.

        Example:
            print(await client.prometheus())
        """
        return await self._transport.document("/metrics", bytes.decode)

    async def openapi(self) -> dict[str, Any]:
        """Return the API's own description, OpenAPI 3.1.

        Example:
            print(list((await client.openapi())["paths"]))
        """
        return await self._transport.document("/openapi.json", msgspec.json.Decoder(dict[str, Any]).decode)

    async def status(self) -> models.Status:
        """Return what every running session does.

        Example:
            for session in (await client.status()).sessions:
                print(session.session_id, session.state, session.waits_for)
        """
        return await self._transport.call("GET", "/status", models.Status)

    async def monitoring_status(self) -> models.MonitoringStatus:
        """Return counts of sessions, events and subscribers, and the server's uptime in seconds.

        Example:
            print((await client.monitoring_status()).total_sessions)
        """
        return await self._transport.call("GET", f"{_API}/monitoring/status", models.MonitoringStatus)

    async def sessions(
        self, *, limit: int | None = None, offset: int | None = None, outcome: str | None = None
    ) -> models.SessionPage:
        """Return a page of sessions, live and past, newest first.

        Args:
            limit: how many at most; the server's default is 100.
            offset: how many of the newest to leave out.
            outcome: only sessions that are over and of these outcomes, separated by commas: `failed,crashed`.

        Example:
            page = await client.sessions(limit=10)
            print(page.total, [session.cost for session in page.sessions])
        """
        query = {"limit": limit, "offset": offset, "outcome": outcome}
        return await self._transport.call("GET", _SESSIONS, models.SessionPage, query=query)

    async def session(self, session_id: str) -> models.Session:
        """Return one session.

        Raises:
            NotFoundError: there is none of that id.

        Example:
            print((await client.session(session_id)).state)
        """
        return await self._transport.call("GET", _session(session_id), models.Session)

    # -- what sessions did -------------------------------------------------------------------------------------

    async def overview(self) -> models.Overview:
        """Return what there is, and what happened in the last 24 hours.

        Example:
            print((await client.overview()).total_sessions)
        """
        return await self._transport.call("GET", f"{_API}/monitoring/overview", models.Overview)

    async def metrics(self, *, start_time: str | None = None, end_time: str | None = None) -> models.Metrics:
        """Return what happened in a period, over all sessions.

        Args:
            start_time: RFC 3339; by default the beginning of all.
            end_time: RFC 3339; by default now.

        Example:
            await client.metrics(start_time="2026-11-22T00:00:00Z")
        """
        query = {"start_time": start_time, "end_time": end_time}
        return await self._transport.call("GET", f"{_API}/monitoring/metrics", models.Metrics, query=query)

    async def analysis(self, session_id: str, *, within: int | None = None) -> models.Analysis:
        """Return what a session did, where its time and money went, and what stands out.

        Args:
            session_id: whose.
            within: seconds after which the answer is of what was read by then; asked again, it goes on from there.

        Raises:
            NotFoundError: there is no such session.

        Example:
            for sentence in (await client.analysis(session_id)).summary:
                print(sentence)
        """
        path = f"{_session(session_id)}/analysis"
        return await self._transport.call("GET", path, models.Analysis, query={"within": within})

    async def drift(self, session_id: str) -> models.Drift:
        """Return what passed in a session that the specification does not have.

        While it is not `complete`, asking again goes on in a log that is too long for one answer.

        Raises:
            NotFoundError: there is no such session.

        Example:
            for sighting in (await client.drift(session_id)).drift:
                print(sighting.kind, sighting.path)
        """
        return await self._transport.call("GET", f"{_session(session_id)}/drift", models.Drift)

    async def conversation(
        self, session_id: str, **query: Unpack[ConversationQuery]
    ) -> models.ConversationPage:
        """Return a page of what a session says to people: prompts, answers, tool calls, and what became of them.

        Args:
            session_id: whose.
            query: which; see `ConversationQuery`.

        Raises:
            NotFoundError: there is no such session.

        Example:
            for entry in (await client.conversation(session_id)).entries:
                print(entry.timestamp, *(part.text for part in entry.parts))
        """
        path = f"{_session(session_id)}/conversation"
        return await self._transport.call("GET", path, models.ConversationPage, query=query)

    async def log(self, session_id: str) -> bytes:
        """Return a session's log as it is now, byte for byte: JSON Lines, all of it in memory.

        Args:
            session_id: whose.

        Raises:
            NotFoundError: there is no such session.

        Example:
            print(len((await client.log(session_id)).splitlines()), "records")
        """
        return await self._transport.document(f"{_session(session_id)}/log", bytes)

    async def page(self, session_id: str) -> str:
        """Return a session as one HTML page to share, as `claude-proxy show --html` writes it.

        Args:
            session_id: whose.

        Raises:
            NotFoundError: there is no such session.

        Example:
            print(len(await client.page(session_id)), "characters")
        """
        return await self._transport.document(f"{_session(session_id)}/page", bytes.decode)

    async def records(self, session_id: str, **query: Unpack[RecordQuery]) -> models.RecordPage:
        """Return a page of a session's records, long values shortened.

        Args:
            session_id: whose.
            query: which; see `RecordQuery`.

        Raises:
            NotFoundError: there is no such session.

        Example:
            page = await client.records(session_id, verdict="invalid", limit=10)
            print([record["errors"] for record in page.records])
        """
        path = f"{_session(session_id)}/records"
        return await self._transport.call("GET", path, models.RecordPage, query=query)

    async def record(self, session_id: str, seq: int, *, max_text: int | None = None) -> dict[str, Any]:
        """Return one record as it is in the log.

        Args:
            session_id: whose.
            seq: its number, from 0.
            max_text: characters from which on a text is shortened, as in a page.

        Raises:
            NotFoundError: there is no such session, or no such record in it.

        Example:
            print((await client.record(session_id, 0))["event"]["data"]["command"])
        """
        path = f"{_session(session_id)}/records/{int(seq)}"
        return await self._transport.call("GET", path, dict[str, Any], query={"max_text": max_text})

    async def events_page(self, **query: Unpack[EventQuery]) -> models.EventPage:
        """Return one page of events, as the API gives it; `events` is for all of them.

        Args:
            query: which; see `EventQuery`.

        Raises:
            NotFoundError: there is no such session.

        Example:
            page = await client.events_page(event_types=["tool_failed"], order="desc", limit=5)
            print(page.total, page.events)
        """
        asked = {**query, "event_types": listed(query.get("event_types"))}
        wait_s = query.get("wait") or 0
        return await self._transport.call("GET", _EVENTS, models.EventPage, query=asked, wait_s=wait_s)

    # -- specifications and validation -------------------------------------------------------------------------

    async def specifications(self) -> models.Specifications:
        """Return what schemas are published.

        Example:
            print([one.name for one in (await client.specifications()).specifications])
        """
        return await self._transport.call("GET", f"{_API}/specifications", models.Specifications)

    async def specification(self, name: str) -> dict[str, Any]:
        """Return one JSON Schema, with all that it refers to inside.

        Raises:
            NotFoundError: there is none of that name.

        Example:
            print((await client.specification("commands"))["title"])
        """
        return await self._transport.call("GET", f"{_API}/specifications/{quote(name)}", dict[str, Any])

    async def validate(
        self, schema_type: str, data: Any, *, request_id: Any = None, fallback: bool = True
    ) -> models.ValidationAnswer:
        """Judge a value by a schema.

        Args:
            schema_type: `stdin`, `stdout`, `commands`, `events`, or the name of any other published schema.
            data: the value; it is judged as the JSON that it makes.
            request_id: comes back in the answer.
            fallback: judge here, with the same schemas, while the server is away, at fault or has too much to do;
                the answer's `validation_source` says which it was.

        Raises:
            RequestError: there is no such schema, or the value is too large.
            TypeError: JSON cannot hold the value.

        Example:
            answer = await client.validate("commands", {"action": "prompt", "prompt": "hello"})
            print(answer.verdict, answer.validation_errors)
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

        Args:
            schema_type: as for `validate`.
            items: the values. One may be a `ValidationRequest`, with a schema of its own.
            fallback: as for `validate`.
            in_flight: batches (of 500 values or 1 MB) that are asked about at once; no more is taken of the items.

        Raises:
            ClientError: as for `validate`.

        Example:
            async for answer in client.validate_many("commands", [{"action": "interrupt"}] * 1000):
                assert answer.valid
        """
        if in_flight < 1:
            raise ValueError(f"in_flight is {in_flight}; it takes a number from 1")
        return self._validator.validate_many(schema_type, items, fallback=fallback, in_flight=in_flight)

    # -- sessions of one's own ---------------------------------------------------------------------------------

    async def start_session(
        self, name: str | None = None, capture_options: models.CaptureOptions | None = None
    ) -> models.MonitoringSession:
        """Start a session for events of one's own; `monitored` does so and stops it.

        Args:
            name: a label for people.
            capture_options: what of the posted events is recorded; by default all.

        Example:
            session = await client.start_session("nightly")
            await client.post_event(session.session_id, "cleanup_done", {"files": 7})
            await client.stop_session(session.session_id)
        """
        options = capture_options or models.CaptureOptions()
        body = as_json({"session_name": name, "capture_options": options})
        return await self._transport.call(
            "POST", _SESSIONS, models.MonitoringSession, body=body, repeatable=False
        )

    async def post_event(self, session_id: str, event_type: str, data: Mapping[str, Any]) -> models.Recorded:
        """Record an event in a session that was started with `start_session`.

        Args:
            session_id: the session.
            event_type: letters, digits, `_`, `-` and dots.
            data: what JSON can hold.

        Raises:
            NotFoundError: there is no such session.
            RequestError: it is a wrapped one, it is over, or it has too many events.

        Example:
            session = await client.start_session()
            await client.post_event(session.session_id, "cleanup_done", {"files": 7})
        """
        body = as_json({"session_id": session_id, "event_type": event_type, "data": dict(data)})
        return await self._transport.call("POST", _EVENTS, models.Recorded, body=body, repeatable=False)

    async def stop_session(self, session_id: str) -> models.Stopped:
        """Stop a session that was started with `start_session`.

        Raises:
            NotFoundError: there is no such session.
            RequestError: it is a wrapped one, or it is over.

        Example:
            session = await client.start_session()
            await client.stop_session(session.session_id)
        """
        path = f"{_session(session_id)}/stop"
        return await self._transport.call("POST", path, models.Stopped, body=b"{}", repeatable=False)

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
        """Begin to check a wrapper on the server's machine.

        Args:
            wrapper: the program, by its path or as a name on the server's PATH.
            arguments: its own.
            scenarios: names or patterns; by default all.
            as_argument: whether `claude` is its first argument; by default that is found out.
            variables: further variables in which it looks for `claude`.
            threshold: the score, of 100, from which it passes; by default 100.

        Raises:
            RefusedError: the server has not `compliance.enabled`.

        Example:
            check = await client.start_check("./my-wrapper", scenarios=["exit-status"])
            while not check.has_ended:
                check = await client.check(check.run_id, wait=30, seen=check.completed)
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
        """Return a check as it is, or as soon as more than ``seen`` of its scenarios have ended.

        Args:
            run_id: as `start_check` gave it.
            wait: seconds that it may take, up to 60; None: answer at once.
            seen: how many ended scenarios are known already.

        Raises:
            NotFoundError: there is no such check.

        Example:
            check = await client.start_check("./my-wrapper")
            print((await client.check(check.run_id, wait=30)).completed)
        """
        query = {"wait": wait, "seen": seen}
        return await self._transport.call("GET", _check(run_id), models.Check, query=query, wait_s=wait or 0)

    async def cancel_check(self, run_id: str) -> models.Check:
        """Stop a check and wait until its processes are gone; one that has ended stays as it is.

        Raises:
            NotFoundError: there is no such check.

        Example:
            check = await client.start_check("./my-wrapper")
            await client.cancel_check(check.run_id)
        """
        return await self._transport.call("POST", f"{_check(run_id)}/cancel", models.Check, body=b"{}")


def _check(run_id: str) -> str:
    return f"{_CHECKS}/{quote(run_id, safe='')}"


def _session(session_id: str) -> str:
    return f"{_SESSIONS}/{quote(session_id, safe='')}"


def listed(event_types: Sequence[str] | str | None) -> str | None:
    """Return types of events as the API takes them: in one text, with commas."""
    return event_types if event_types is None or isinstance(event_types, str) else ",".join(event_types)
