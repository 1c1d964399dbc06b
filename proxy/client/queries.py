"""What is asked of the server: one method a route, each of which may be called again without harm.

All raise `ClientError`, by blame: see `proxy.client.errors`. Durations in answers are milliseconds (``..._ms``), times
RFC 3339 in UTC.
"""

from collections.abc import Sequence
from typing import Any, TypeVar, Unpack
from urllib.parse import quote

import msgspec

from proxy.client import models
from proxy.client.selections import ConversationQuery, EventQuery, RecordQuery
from proxy.client.transport import Transport

API = "/api/v1"
SESSIONS = f"{API}/monitoring/sessions"
EVENTS = f"{API}/monitoring/events"
_T = TypeVar("_T")


class Queries:
    """The queries, sent over one transport."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def _get(self, path: str, kind: type[_T], **query: Any) -> _T:
        return await self._transport.call("GET", path, kind, query=query)

    # -- how the server and the sessions are -------------------------------------------------------------------

    async def health(self) -> models.Health:
        """Return the health of the server; an unhealthy server is an answer, not an error.

        Example:
            if (await client.health()).status != "healthy":
                print("look at the server's log")
        """
        return await self._get("/health", models.Health)

    async def health_live(self) -> dict[str, Any]:
        """Return the liveness of the server's process.

        Example:
            await client.health_live()
        """
        return await self._get("/health/live", dict[str, Any])

    async def health_ready(self) -> models.Readiness:
        """Return whether the server is ready for requests; not ready is an answer, not an error.

        Example:
            ready = await client.health_ready()
            print(ready.status, ready.message)
        """
        return await self._get("/health/ready", models.Readiness)

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

    async def status(self, *, host: str | None = None, team: str | None = None) -> models.Status:
        """Return what every running session does.

        Args:
            host: in a fleet, only sessions of these hosts: names or ids, separated by commas.
            team: in a fleet, only sessions of these teams, separated by commas.

        Example:
            for session in (await client.status()).sessions:
                print(session.session_id, session.state, session.waits_for)
        """
        return await self._get("/status", models.Status, host=host, team=team)

    async def monitoring_status(self) -> models.MonitoringStatus:
        """Return counts of sessions, events and subscribers, and the server's uptime in seconds.

        Example:
            print((await client.monitoring_status()).total_sessions)
        """
        return await self._get(f"{API}/monitoring/status", models.MonitoringStatus)

    async def sessions(
        self,
        *,
        limit: int | None = None,
        offset: int | None = None,
        outcome: str | None = None,
        host: str | None = None,
        team: str | None = None,
    ) -> models.SessionPage:
        """Return a page of sessions, live and past, newest first.

        Args:
            limit: how many at most; the server's default is 1000.
            offset: how many of the newest to skip.
            outcome: only finished sessions with these outcomes, separated by commas: `failed,crashed`.
            host: in a fleet, only sessions of these hosts: names or ids, separated by commas.
            team: in a fleet, only sessions of these teams, separated by commas.

        Example:
            page = await client.sessions(limit=10)
            print(page.total, [session.cost for session in page.sessions])
        """
        query = {"limit": limit, "offset": offset, "outcome": outcome, "host": host, "team": team}
        return await self._get(SESSIONS, models.SessionPage, **query)

    async def session(self, session_id: str) -> models.Session:
        """Return one session.

        Raises:
            NotFoundError: there is no session with that id.

        Example:
            print((await client.session(session_id)).state)
        """
        return await self._get(session_path(session_id), models.Session)

    # -- what sessions did -------------------------------------------------------------------------------------

    async def overview(self) -> models.Overview:
        """Return totals, and the figures of the last 24 hours.

        Example:
            print((await client.overview()).total_sessions)
        """
        return await self._get(f"{API}/monitoring/overview", models.Overview)

    async def metrics(self, *, start_time: str | None = None, end_time: str | None = None) -> models.Metrics:
        """Return what happened in a period, over all sessions.

        Args:
            start_time: RFC 3339; by default there is no lower bound.
            end_time: RFC 3339; by default now.

        Example:
            await client.metrics(start_time="2026-11-22T00:00:00Z")
        """
        return await self._get(
            f"{API}/monitoring/metrics", models.Metrics, start_time=start_time, end_time=end_time
        )

    async def analysis(self, session_id: str, *, within: int | None = None) -> models.Analysis:
        """Return what a session did, where its time and money went, and what stands out.

        Args:
            session_id: the session.
            within: seconds after which the answer covers what was read so far; a repeated call continues from there.

        Raises:
            NotFoundError: there is no such session.

        Example:
            for sentence in (await client.analysis(session_id)).summary:
                print(sentence)
        """
        return await self._get(f"{session_path(session_id)}/analysis", models.Analysis, within=within)

    async def approvals(
        self, session_id: str, *, limit: int | None = None, offset: int | None = None
    ) -> models.ApprovalPage:
        """Return who or what allowed or denied each call of a session, in the order of their results.

        Args:
            session_id: the session.
            limit: calls per page, at most 1000; the server's default is 100.
            offset: how many calls to skip.

        Raises:
            NotFoundError: there is no such session.

        Example:
            for call in (await client.approvals(session_id)).approvals:
                print(call.tool, call.approval.decision, "by", call.approval.by)
        """
        path = f"{session_path(session_id)}/approvals"
        return await self._get(path, models.ApprovalPage, limit=limit, offset=offset)

    async def seal(self, session_id: str) -> models.SealAnswer:
        """Return what the log of a sealed session is known to be: its newest head.

        Raises:
            NotFoundError: there is no such session here.

        Example:
            if head := (await client.seal(session_id)).head:
                print(head.bytes, head.sha256)
        """
        return await self._get(f"{session_path(session_id)}/seal", models.SealAnswer)

    async def drift(self, session_id: str) -> models.Drift:
        """Return what was seen in a session that is not in the specification.

        A long log needs several calls: while the answer is not `complete`, a repeated call continues.

        Raises:
            NotFoundError: there is no such session.

        Example:
            for sighting in (await client.drift(session_id)).drift:
                print(sighting.kind, sighting.path)
        """
        return await self._get(f"{session_path(session_id)}/drift", models.Drift)

    async def conversation(
        self, session_id: str, **query: Unpack[ConversationQuery]
    ) -> models.ConversationPage:
        """Return a page of the conversation as people read it: prompts, answers, tool calls and their results.

        Args:
            session_id: the session.
            query: which; see `ConversationQuery`.

        Raises:
            NotFoundError: there is no such session.

        Example:
            for entry in (await client.conversation(session_id)).entries:
                print(entry.timestamp, *(part.text for part in entry.parts))
        """
        return await self._get(f"{session_path(session_id)}/conversation", models.ConversationPage, **query)

    async def questions(self, session_id: str) -> models.QuestionPage:
        """Return the open permission questions, oldest first, each with the tool's whole input.

        Raises:
            NotFoundError: there is no such session.

        Example:
            for question in (await client.questions(session_id)).questions:
                print(question.request_id, question.tool, question.input)
        """
        return await self._get(f"{session_path(session_id)}/questions", models.QuestionPage)

    async def actions(
        self, session_id: str, *, limit: int | None = None, offset: int | None = None
    ) -> models.ActionPage:
        """Return the actions on a session, refused ones included, newest first, each with its result.

        Args:
            session_id: the session.
            limit: how many at most; the server's default is 100.
            offset: how many of the newest to skip.

        Raises:
            NotFoundError: there is no such session.

        Example:
            for action in (await client.actions(session_id)).actions:
                print(action.action, action.by, action.state)
        """
        path = f"{session_path(session_id)}/actions"
        return await self._get(path, models.ActionPage, limit=limit, offset=offset)

    async def hosts(self) -> models.HostPage:
        """Return the hosts of a fleet by name, with the time when each was last heard; empty without a centre.

        Example:
            for host in (await client.hosts()).hosts:
                print(host.name, host.team, "reachable" if host.reachable else host.heard_at)
        """
        return await self._get(f"{API}/fleet/hosts", models.HostPage)

    async def costs(self, *, start_time: str | None = None, end_time: str | None = None) -> models.CostPage:
        """Return what the sessions of a fleet cost that began in a period, by team, day and model.

        Sessions that were removed are included; empty without a centre.

        Args:
            start_time: RFC 3339; by default there is no lower bound.
            end_time: RFC 3339; by default there is no upper bound.

        Example:
            for one in (await client.costs(start_time="2026-11-01T00:00:00Z")).costs:
                print(one.day, one.team, one.model, one.cost)
        """
        return await self._get(
            f"{API}/fleet/costs", models.CostPage, start_time=start_time, end_time=end_time
        )

    async def search(
        self, text: str, *, limit: int | None = None, after: str | None = None
    ) -> models.SearchPage:
        """Return sessions whose content contains a text, newest first, with the first matching records.

        The server answers after about half a second. While `after` of the answer is not None, there is more to search.
        If the answer is not `complete`, the server is still reading one of these logs, or cannot read it.

        Args:
            text: the text to find; case is ignored for A to Z.
            limit: about how many sessions; the server's default is 20.
            after: `after` of the previous answer, to continue the search.

        Example:
            page = await client.search("rate limit")
            for found in page.sessions:
                print(found.session_id, [record.snippet for record in found.records])
        """
        return await self._get(
            f"{API}/monitoring/search", models.SearchPage, text=text, limit=limit, after=after
        )

    async def log(self, session_id: str) -> bytes:
        """Return a session's log as it is now, byte for byte: JSON Lines, all of it in memory.

        Raises:
            NotFoundError: there is no such session.

        Example:
            print(len((await client.log(session_id)).splitlines()), "records")
        """
        return await self._transport.document(f"{session_path(session_id)}/log", bytes)

    async def page(self, session_id: str) -> str:
        """Return a session as one HTML page to share, as `claude-proxy show --html` writes it.

        Raises:
            NotFoundError: there is no such session.

        Example:
            print(len(await client.page(session_id)), "characters")
        """
        return await self._transport.document(f"{session_path(session_id)}/page", bytes.decode)

    async def records(self, session_id: str, **query: Unpack[RecordQuery]) -> models.RecordPage:
        """Return a page of a session's records, with long values shortened.

        Args:
            session_id: the session.
            query: which; see `RecordQuery`.

        Raises:
            NotFoundError: there is no such session.

        Example:
            page = await client.records(session_id, verdict="invalid", limit=10)
            print([record["errors"] for record in page.records])
        """
        return await self._get(f"{session_path(session_id)}/records", models.RecordPage, **query)

    async def record(self, session_id: str, seq: int, *, max_text: int | None = None) -> dict[str, Any]:
        """Return one record as it is in the log.

        Args:
            session_id: the session.
            seq: its number, from 0.
            max_text: shorten texts beyond this number of characters, as in a page.

        Raises:
            NotFoundError: there is no such session, or no such record in it.

        Example:
            print((await client.record(session_id, 0))["event"]["data"]["command"])
        """
        path = f"{session_path(session_id)}/records/{int(seq)}"
        return await self._get(path, dict[str, Any], max_text=max_text)

    async def events_page(self, **query: Unpack[EventQuery]) -> models.EventPage:
        """Return one page of events; `events` yields all of them.

        Args:
            query: which; see `EventQuery`.

        Raises:
            NotFoundError: there is no such session.

        Example:
            page = await client.events_page(event_types=["tool_failed"], order="desc", limit=5)
            print(page.total, page.events)
        """
        asked = {**query, "event_types": listed(query.get("event_types"))}
        return await self._get(EVENTS, models.EventPage, **asked)

    # -- specifications -----------------------------------------------------------------------------------------

    async def specifications(self) -> models.Specifications:
        """Return the list of published schemas.

        Example:
            print([one.name for one in (await client.specifications()).specifications])
        """
        return await self._get(f"{API}/specifications", models.Specifications)

    async def specification(self, name: str) -> dict[str, Any]:
        """Return one JSON Schema, with all schemas that it refers to embedded.

        Raises:
            NotFoundError: there is no schema with that name.

        Example:
            print((await client.specification("commands"))["title"])
        """
        return await self._get(f"{API}/specifications/{quote(name)}", dict[str, Any])


def session_path(session_id: str) -> str:
    """Return the path of one session."""
    return f"{SESSIONS}/{quote(session_id, safe='')}"


def listed(event_types: Sequence[str] | str | None) -> str | None:
    """Return types of events as the API takes them: in one text, with commas."""
    return event_types if event_types is None or isinstance(event_types, str) else ",".join(event_types)
