"""What the API takes and gives, as `proxy.api` has it; what only a client knows is added here.

Fields that a later server adds are passed over. Durations and timestamps are as the API has them: ``..._ms`` in
milliseconds, timestamps as RFC 3339 texts in UTC.
"""

from typing import Literal

from proxy import api
from proxy.analysis.period import Metrics
from proxy.analysis.report import Analysis
from proxy.api.acting import ActionAnswer, ActionPage, QuestionPage
from proxy.api.checks import Check
from proxy.api.events import CaptureOptions, Gap, MonitoringSession, Recorded, Stopped
from proxy.api.records import Drift, RecordPage
from proxy.api.search import SearchPage
from proxy.api.service import Health, MonitoringStatus, Overview, Readiness
from proxy.api.sessions import ApprovalPage, ConversationPage, Head, SealAnswer, SessionPage, Status
from proxy.api.validation import Specifications, ValidationRequest
from proxy.compliance.report import Outcome, Report
from proxy.events.approved_calls import Approval, ApprovedCall
from proxy.events.shown_session import Session
from proxy.fleet import CostPage, Host, HostPage, TeamCost
from proxy.protocol.specifications import Specification
from proxy.protocol.verdict import Violation as ValidationError
from proxy.sessions.drift import Sighting

__all__ = [
    "ActionAnswer",
    "ActionPage",
    "Analysis",
    "Approval",
    "ApprovalPage",
    "ApprovedCall",
    "CaptureOptions",
    "Check",
    "ConversationPage",
    "CostPage",
    "Drift",
    "Event",
    "EventPage",
    "Gap",
    "Head",
    "Health",
    "Host",
    "HostPage",
    "Metrics",
    "MonitoringSession",
    "MonitoringStatus",
    "Outcome",
    "Overview",
    "QuestionPage",
    "Readiness",
    "RecordPage",
    "Recorded",
    "Report",
    "SealAnswer",
    "SearchPage",
    "Session",
    "SessionPage",
    "Sighting",
    "Specification",
    "Specifications",
    "Status",
    "Stopped",
    "TeamCost",
    "ValidationAnswer",
    "ValidationError",
    "ValidationRequest",
]


class Event(api.Event, kw_only=True):
    """One event of a session."""

    id: str | None = None
    """Its place in the order of arrival, for streams to go on behind it; None for events of pages."""


class EventPage(api.EventPage, frozen=True, kw_only=True):
    """A page of events."""

    events: list[Event]
    after: str = ""
    """What goes on behind these events; empty from a server that does not say it."""


class ValidationAnswer(api.ValidationAnswer, frozen=True, kw_only=True):
    """The verdict on one message."""

    validation_source: Literal["server", "local"] = "server"
    """`local`: the server was away, and the same schemas judged here."""
