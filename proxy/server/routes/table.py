"""The table of all routes: they are registered from it, and described from it, so the description is true."""

from proxy.analysis.period import Metrics
from proxy.analysis.report import Analysis
from proxy.api.acting import ActionAnswer, ActionPage, ActionRequest, QuestionPage
from proxy.api.approvals import ApprovalPage
from proxy.api.checks import Check
from proxy.api.conversation import ConversationPage
from proxy.api.events import EventPage, EventRequest, MonitoringSession, Recorded, SessionRequest, Stopped
from proxy.api.records import Drift, RecordPage
from proxy.api.search import SearchPage
from proxy.api.service import Health, Liveness, MonitoringStatus, Overview, Readiness
from proxy.api.sessions import Session, SessionPage, Status
from proxy.api.validation import Specifications, ValidationAnswer, ValidationBatchRequest, ValidationRequest
from proxy.compliance.request import CheckRequest
from proxy.events.outcome import OUTCOMES
from proxy.server.routes import (
    acting,
    analysis,
    approvals,
    compliance,
    conversation,
    description,
    export,
    health,
    page,
    records,
    requests,
    search,
    specifications,
    streams,
)
from proxy.server.routes import events as monitoring
from proxy.server.routes import sessions as overview
from proxy.server.routes.requests import FARTHEST
from proxy.server.routes.route import Parameter, Route
from proxy.server.watch import metrics
from proxy.telling.filters import FILTERS

__all__ = ["ROUTES"]


_SESSION = Parameter("session_id", "Only this session.", {"type": "string"})
_TYPES = Parameter(
    "event_types",
    "Only these, separated by commas.",
    {"type": "array", "items": {"type": "string", "pattern": r"^\s*[A-Za-z0-9_.-]{0,128}\s*$"}},
)
_ID = Parameter("session_id", "A session.", {"type": "string"}, "path")
_RUN = Parameter("run_id", "A check.", {"type": "string"}, "path")
_TIME: dict[str, object] = {"type": "string", "format": "date-time"}
_PLACE: dict[str, object] = {"type": "string", "pattern": "^[0-9a-zA-Z]{1,64}-[0-9]{1,18}-[0-9]{1,18}$"}
_PLACE_OR_NONE: dict[str, object] = {**_PLACE, "pattern": f"^$|{_PLACE['pattern']}"}
_WORDS: dict[str, object] = {"type": "array", "items": {"type": "string", "pattern": "^[^,]*$"}}
_BODY = (400, 408, 413, 422)


def _some_of(words: tuple[str, ...]) -> dict[str, object]:
    return {"type": "array", "items": {"enum": list(words)}}


def _number(least: int, most: int) -> dict[str, object]:
    return {"type": "integer", "minimum": least, "maximum": most}


def _paging(what: str, most: int, default: int = 100) -> tuple[Parameter, Parameter]:
    return (
        Parameter("limit", f"{what} of a page (default {default}).", _number(1, most)),
        Parameter("offset", f"{what} to pass over, in the order of the answer.", _number(0, FARTHEST)),
    )


_MAX_TEXT = Parameter(
    "max_text",
    "Longest text that is given whole; what is cut off is counted.",
    _number(records.LEAST_TEXT, records.LONGEST_TEXT),
)
_TEXT: dict[str, object] = {"type": "string", "maxLength": requests.LONGEST_SEARCH}
_PERIOD = (
    Parameter("start_time", "Only what is stamped later; without a zone it is UTC.", _TIME),
    Parameter("end_time", "Only what is stamped no later; it is not before `start_time`.", _TIME),
)
_PAGE = (
    _SESSION,
    _TYPES,
    *_PERIOD,
    *_paging("Events", 10_000),
    Parameter(
        "after",
        "Go on behind this place, in the order of arrival: the `after` of an answer, or the id of an event. Without"
        " `start_time`, `end_time`, `offset` and `order`.",
        _PLACE,
    ),
    Parameter("order", "Oldest or newest first.", {"enum": ["asc", "desc"]}),
    Parameter("wait", "Seconds to wait for a first event when there is none yet.", _number(0, 60)),
    _MAX_TEXT,
)
_RECORDS = (
    _ID,
    Parameter("stream", "Only these, separated by commas.", _some_of(records.STREAMS)),
    Parameter("verdict", "Only these, separated by commas.", _some_of(records.VERDICTS)),
    Parameter("type", "Only these, separated by commas: `assistant`, `system/init`, `system`, ...", _WORDS),
    Parameter("text", "Only what holds this text.", _TEXT),
    Parameter("from_seq", "Only from this number.", _number(0, FARTHEST)),
    Parameter("to_seq", "Only up to this number, which is not below `from_seq`.", _number(0, FARTHEST)),
    *_paging("Records", records.MOST_RECORDS),
    _MAX_TEXT,
)

_CONVERSATION = (
    _ID,
    Parameter(
        "filter",
        f"Only these, separated by commas: {', '.join(f'`{name}`' for name in FILTERS)}.",
        {"type": "array", "items": {"enum": list(FILTERS)}},
    ),
    Parameter("from_seq", "Begin with what this record, or a later one, says.", _number(0, FARTHEST)),
    *_paging("Entries", conversation.MOST_ENTRIES),
    Parameter(
        "max_text",
        "Longest text that is given whole (default 4000); of a longer one both ends are.",
        _number(conversation.LEAST_TEXT, conversation.LONGEST_TEXT),
    ),
)
_SEARCH = (
    Parameter(
        "text",
        "What was said; of A to Z, capital and small letters are alike.",
        {**_TEXT, "minLength": 1},
        is_required=True,
    ),
    Parameter("limit", "Sessions of an answer, about (default 20).", _number(1, search.MOST_SESSIONS)),
    Parameter("after", "Go on where an answer's `after` is.", {"type": "string", "pattern": search.PLACE}),
)

ROUTES = (
    Route("GET", "/", page.page, "The dashboard, for people", media_type="text/html"),
    Route(
        "GET",
        "/sign-in",
        page.sign_in,
        "Leads a browser that brings a token as password to the dashboard",
        media_type="text/html",
    ),
    Route(
        "GET",
        "/static/{name:.+}",
        page.asset,
        "The files that the dashboard consists of",
        (Parameter("name", "Its name, such as `app.js`.", {"type": "string"}, "path"),),
        media_type="text/javascript",
        failures=(404,),
    ),
    Route(
        "GET",
        "/health",
        health.health,
        "Whether the server is well",
        answer=Health,
        failures=(503,),
    ),
    Route("GET", "/health/live", health.live, "Whether this process answers", answer=Liveness),
    Route(
        "GET",
        "/health/ready",
        health.ready,
        "Whether requests should be sent here",
        answer=Readiness,
        failures=(503,),
    ),
    Route("GET", "/metrics", metrics.metrics, "Figures for Prometheus", media_type="text/plain"),
    Route("GET", "/status", overview.status, "What every running session does", answer=Status),
    Route(
        "GET",
        "/events",
        streams.stream,
        "Server-sent events of everything live; one of the kind `gap` where some may be missing",
        (
            _SESSION,
            _TYPES,
            Parameter("Last-Event-ID", "Go on behind this event.", _PLACE_OR_NONE, "header"),
            _MAX_TEXT,
        ),
        media_type="text/event-stream",
        failures=(404, 422),
    ),
    Route(
        "GET",
        "/api/v1/specifications",
        specifications.list_all,
        "The published specifications",
        answer=Specifications,
    ),
    Route(
        "GET",
        "/api/v1/specifications/{name:.+}",
        specifications.one,
        "One JSON Schema",
        (Parameter("name", "Its name, such as `stdin` or `messages/user`.", {"type": "string"}, "path"),),
        answer=dict,
        failures=(404,),
    ),
    Route(
        "POST",
        "/api/v1/validation/validate",
        specifications.validate,
        "Judge one message",
        request=ValidationRequest,
        answer=ValidationAnswer,
        failures=_BODY,
        access="read",
    ),
    Route(
        "POST",
        "/api/v1/validation/batch",
        specifications.batch,
        "Judge many messages",
        request=ValidationBatchRequest,
        answer=list[ValidationAnswer],
        failures=_BODY,
        access="read",
    ),
    Route(
        "POST",
        "/api/v1/monitoring/sessions",
        monitoring.start,
        "Start a session for events of your own",
        request=SessionRequest,
        answer=MonitoringSession,
        failures=(*_BODY, 503),
    ),
    Route(
        "GET",
        "/api/v1/monitoring/sessions",
        overview.sessions,
        "Sessions, live and past",
        (
            *_paging("Sessions", 10_000, default=1000),
            Parameter("outcome", "Only these, separated by commas: all are over.", _some_of(tuple(OUTCOMES))),
        ),
        answer=SessionPage,
        failures=(422,),
    ),
    Route(
        "GET",
        "/api/v1/monitoring/sessions/{session_id}",
        overview.session,
        "One session",
        (_ID,),
        answer=Session,
        failures=(404,),
    ),
    Route(
        "GET",
        "/api/v1/monitoring/sessions/{session_id}/records",
        records.records,
        "A page of a session's records, long values shortened",
        _RECORDS,
        answer=RecordPage,
        failures=(404, 422),
    ),
    Route(
        "GET",
        "/api/v1/monitoring/sessions/{session_id}/records/{seq}",
        records.record,
        "One record, as it is in the log; with `max_text` as in a page",
        (_ID, Parameter("seq", "Its number.", _number(0, FARTHEST), "path"), _MAX_TEXT),
        answer=dict,
        failures=(404, 422),
    ),
    Route(
        "GET",
        "/api/v1/monitoring/sessions/{session_id}/conversation",
        conversation.conversation,
        "A session as people read it: who says what, which tools run, what it takes",
        _CONVERSATION,
        answer=ConversationPage,
        failures=(404, 422),
    ),
    Route(
        "GET",
        "/api/v1/monitoring/sessions/{session_id}/log",
        export.log,
        "A session's log, byte for byte",
        (_ID,),
        media_type="application/x-ndjson",
        failures=(404,),
    ),
    Route(
        "GET",
        "/api/v1/monitoring/sessions/{session_id}/page",
        export.shared_page,
        "A session as one page to share, as `show --html` writes it",
        (_ID,),
        media_type="text/html",
        failures=(404, 503),
    ),
    Route(
        "GET",
        "/api/v1/monitoring/search",
        search.search,
        "Sessions in which something was said, newest first",
        _SEARCH,
        answer=SearchPage,
        failures=(422, 503),
    ),
    Route(
        "POST",
        "/api/v1/monitoring/sessions/{session_id}/stop",
        monitoring.stop,
        "Stop a session that was started here",
        (_ID,),
        answer=Stopped,
        failures=(404, 422),
    ),
    Route(
        "POST",
        "/api/v1/monitoring/sessions/{session_id}/actions",
        acting.act,
        "Act on a live session that was started with `--act`; what enables takes a token that existed then",
        (_ID, Parameter("wait", "Seconds to wait for what the wire shows of it.", _number(0, 60))),
        request=ActionRequest,
        answer=ActionAnswer,
        failures=(*_BODY, 404, 409, 503, 504),
        access="act",
    ),
    Route(
        "GET",
        "/api/v1/monitoring/sessions/{session_id}/actions",
        acting.listed,
        "What others did to a session, or were refused, newest first",
        (
            _ID,
            *_paging("Actions", acting.MOST_ACTIONS),
        ),
        answer=ActionPage,
        failures=(404, 422),
    ),
    Route(
        "GET",
        "/api/v1/monitoring/sessions/{session_id}/questions",
        acting.questions,
        "Questions for permission that nobody has answered, oldest first, each with the tool's whole input",
        (_ID,),
        answer=QuestionPage,
        failures=(404,),
    ),
    Route(
        "GET",
        "/api/v1/monitoring/sessions/{session_id}/analysis",
        analysis.session,
        "What a session did, where its time and money went, what stands out",
        (
            _ID,
            Parameter(
                "within",
                "Seconds after which the answer is of what was read by then; asked again, it goes on from there.",
                _number(1, analysis.LONGEST_S),
            ),
        ),
        answer=Analysis,
        failures=(404, 503),
    ),
    Route(
        "GET",
        "/api/v1/monitoring/sessions/{session_id}/approvals",
        approvals.approvals,
        "Who or what allowed or denied each call of a tool",
        (_ID, *_paging("Calls", approvals.MOST_CALLS)),
        answer=ApprovalPage,
        failures=(404, 422),
    ),
    Route(
        "GET",
        "/api/v1/monitoring/sessions/{session_id}/drift",
        analysis.drift,
        "What passed in a session that the specification does not have, each with its first record",
        (_ID,),
        answer=Drift,
        failures=(404,),
    ),
    Route(
        "GET",
        "/api/v1/monitoring/metrics",
        analysis.metrics,
        "What happened in a period, over all sessions",
        _PERIOD,
        answer=Metrics,
        failures=(422, 503),
    ),
    Route(
        "GET",
        "/api/v1/monitoring/overview",
        analysis.overview,
        "What there is, and what happened in the last 24 hours",
        answer=Overview,
        failures=(503,),
    ),
    Route(
        "GET",
        "/api/v1/monitoring/events",
        monitoring.events,
        "A page of events",
        _PAGE,
        answer=EventPage,
        failures=(404, 422),
    ),
    Route(
        "POST",
        "/api/v1/monitoring/events",
        monitoring.post_event,
        "Record an event of your own",
        request=EventRequest,
        answer=Recorded,
        failures=(*_BODY, 404, 503),
    ),
    Route(
        "GET",
        "/api/v1/monitoring/status",
        overview.monitoring_status,
        "Counts and uptime",
        answer=MonitoringStatus,
    ),
    Route(
        "GET",
        "/api/v1/monitoring/stream",
        streams.socket,
        'Everything live, over a WebSocket: frames `{"type": "event", "data": {...}}`, `gap` where some may be missing',
        (
            _SESSION,
            _TYPES,
            Parameter(
                "last_event_id",
                "Go on behind this event; empty: from now on. Frames then carry their event's `id`.",
                _PLACE_OR_NONE,
            ),
            _MAX_TEXT,
        ),
        media_type="websocket",
        failures=(400, 404, 422),
    ),
    Route(
        "POST",
        "/api/v1/compliance/runs",
        compliance.start,
        "Check a program that stands in for claude (off unless `compliance.enabled`)",
        request=CheckRequest,
        answer=Check,
        failures=_BODY,
    ),
    Route(
        "GET",
        "/api/v1/compliance/runs/{run_id}",
        compliance.run,
        "A check: its progress, and in the end its report",
        (
            _RUN,
            Parameter("wait", "Seconds to wait for something new.", _number(0, 60)),
            Parameter(
                "seen", "Scenarios that the client has seen: `wait` is for more.", _number(0, 1_000_000)
            ),
        ),
        answer=Check,
        failures=(404, 422),
    ),
    Route(
        "POST",
        "/api/v1/compliance/runs/{run_id}/cancel",
        compliance.cancel,
        "Stop a check",
        (_RUN,),
        answer=Check,
        failures=(404,),
    ),
    Route(
        "GET",
        "/openapi.json",
        description.openapi,
        "This description",
    ),
    Route("GET", "/docs", description.docs, "This description, for people", media_type="text/html"),
)
