"""What the API takes and gives, typed. Fields that a later server adds are passed over.

Durations and moments are as the API has them: ``..._ms`` in milliseconds, moments as RFC 3339 texts in UTC.
"""

from typing import Any, Literal

import msgspec

from proxy.analysis.period import Metrics
from proxy.analysis.report import Analysis
from proxy.compliance.report import Outcome, Report
from proxy.events.vocabulary import State
from proxy.protocol.specifications import Specification
from proxy.sessions.drift import Sighting

__all__ = [
    "Analysis",
    "CaptureOptions",
    "Check",
    "Drift",
    "Event",
    "EventPage",
    "Gap",
    "Health",
    "Metrics",
    "MonitoringSession",
    "MonitoringStatus",
    "Outcome",
    "Overview",
    "Readiness",
    "RecordPage",
    "Recorded",
    "Report",
    "Session",
    "SessionPage",
    "Sighting",
    "Specification",
    "Specifications",
    "Status",
    "Stopped",
    "ValidationAnswer",
    "ValidationError",
    "ValidationRequest",
]


class Event(msgspec.Struct, kw_only=True):
    """One event of a session."""

    event_type: str
    timestamp: str
    session_id: str
    data: dict[str, Any]
    id: str | None = None
    """Its place in the order of arrival, for streams to go on behind it; None for events of pages."""


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """A notice in a stream: here events may be missing."""

    after: str
    """The id of the last event, or of the place, before it."""
    reason: str


class EventPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of events."""

    events: list[Event]
    total: int | None = None
    """How many events fit the query in all; None with ``after``."""
    after: str = ""
    """What goes on behind what was there when this was answered or, with ``after``, behind these events."""
    settled_until: str | None = None
    """With ``start_time``, across sessions: up to there nothing earlier will come."""
    gap: str | None = None
    """With ``after``: why events before these may be missing."""


class ValidationRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One value to be judged, and the schema to judge it by."""

    schema_type: str
    data: Any
    request_id: Any = None


class ValidationError(msgspec.Struct, frozen=True, kw_only=True):
    """One reason: where in the value (a JSON pointer), a sentence, and the rule that was not met."""

    path: str
    message: str
    keyword: str


class ValidationAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The judgement on one value."""

    valid: bool
    """False only for `invalid`."""
    verdict: Literal["valid", "invalid", "unknown", "malformed", "text"]
    validation_errors: list[str]
    errors: list[ValidationError]
    request_id: Any = None
    validation_source: Literal["server", "local"] = "server"
    """`local`: the server was away, and the same schemas judged here."""


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the server is well, with one entry a check."""

    status: Literal["healthy", "degraded", "unhealthy"]
    version: str
    checks: dict[str, dict[str, Any]] = {}


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """One session: what it does, since when, from what evidence, what it waits for, and what it has cost."""

    session_id: str
    state: State
    name: str | None = None
    prompt: str | None = None
    kind: str = "wrapped"
    mode: Literal["relayed", "followed"] = "relayed"
    """`followed`: an interactive session, which is recorded beside and not relayed."""
    recording: dict[str, Any] = {}
    """`state`: `recorded`, `not recorded` or `states alone`; `why`: a sentence."""
    background: bool = False
    """A shell runs in the background of an idle interactive session."""
    suspended: bool = False
    """The command is stopped, as by Ctrl-Z."""
    state_since: str | None = None
    state_for_ms: float | None = None
    evidence: dict[str, Any] = {}
    outcome: Literal["ok", "failed", "limited", "blocked", "interrupted", "crashed"] | None = None
    """What became of it; None while it is not over, and where nothing was recorded that tells."""
    outcome_reason: str | None = None
    """A sentence that says why, unless it is `ok`."""
    waits_for: list[dict[str, Any]] = []
    warnings: list[dict[str, Any]] = []
    pid: int | None = None
    command: list[str] = []
    cwd: str | None = None
    started_at: str | None = None
    last_event_at: str | None = None
    last_record_at: str | None = None
    ended_at: str | None = None
    exit_code: int | None = None
    signal: str | None = None
    model: str | None = None
    claude_code_version: str | None = None
    claude_session_id: str | None = None
    permission_mode: str | None = None
    problems: list[str] = []
    run_id: str | None = None
    duration_ms: float = 0.0
    """How long the command ran, so far if it goes on."""
    turns: int = 0
    tool_calls: int = 0
    tool_failures: int = 0
    tool_denials: int = 0
    subagents: int = 0
    cost: float | None = None
    cost_reason: str | None = None
    """A sentence that says why the cost of an interactive session is not known, or not all of it."""
    tokens: dict[str, Any] = {}
    counts: dict[str, dict[str, int]] = {}
    partial_messages: int = 0
    lost_records: int = 0
    events: int = 0
    log: str | None = None
    """Where its log is, on the server's machine."""
    catching_up: bool = False
    """The session is over, and the server has not read its log to the end yet: all figures are of what it has read."""


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """The sessions that are running now."""

    active_sessions: int
    sessions: list[Session]


class SessionPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of sessions, newest first, and how many there are in all."""

    sessions: list[Session]
    total: int = 0


class Readiness(msgspec.Struct, frozen=True, kw_only=True):
    """Whether requests should be sent to the server now, and if not, why."""

    status: Literal["ready", "not_ready"]
    message: str | None = None


class Overview(msgspec.Struct, frozen=True, kw_only=True):
    """What there is, and what happened in the last 24 hours."""

    generated_at: str
    active_sessions: int
    total_sessions: int
    total_events: int
    last_24_hours: Metrics
    sessions: list[Session]


class RecordPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of a session's records, and how many fit the question."""

    records: list[dict[str, Any]]
    position: int
    total: int
    searched: int
    complete: bool
    """False: the log is long and was not looked at to its end; asked again, the search goes on."""
    kinds: list[dict[str, Any]]


class Drift(msgspec.Struct, frozen=True, kw_only=True):
    """What passed in a session that the specification does not have, each thing once with its first record."""

    drift: list[Sighting]
    unlisted: int
    """How often something was seen that is not listed, because so much else is."""
    complete: bool
    """False: the log is long and was not looked at to its end; asked again, the search goes on."""


class Specifications(msgspec.Struct, frozen=True, kw_only=True):
    """What schemas are published."""

    count: int
    specifications: list[Specification]


class CaptureOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What a monitoring session is to record."""

    capture_commands: bool = True
    capture_events: bool = True
    capture_states: bool = True


class MonitoringSession(msgspec.Struct, frozen=True, kw_only=True):
    """A session for events of a program's own, just started."""

    session_id: str
    session_name: str | None = None
    capture_options: CaptureOptions = CaptureOptions()


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a posted event; ``recorded`` is False where the capture options leave it out."""

    session_id: str
    event_type: str
    recorded: bool


class Stopped(msgspec.Struct, frozen=True, kw_only=True):
    """A session that was stopped."""

    session_id: str
    stopped: bool


class MonitoringStatus(msgspec.Struct, frozen=True, kw_only=True):
    """Counts, and how long the server has been running."""

    active_sessions: int
    total_sessions: int
    total_events: int
    subscribers: int
    uptime_seconds: float
    serve_command: str = ""
    """What starts a server for the same data directory again, for a shell."""


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """The check of a program that stands in for `claude`: how far it is, and in the end its report."""

    run_id: str
    state: Literal["waiting", "running", "completed", "failed", "cancelled"]
    wrapper: str
    total: int | None = None
    """Scenarios in all; None until it runs."""
    completed: int = 0
    scenarios: list[Outcome] = []
    """Those that have ended, in the order in which they did."""
    report: Report | None = None
    error: str | None = None
    """Why there is no report."""

    @property
    def has_ended(self) -> bool:
        """Whether nothing more will come."""
        return self.state in ("completed", "failed", "cancelled")
