"""What is published of the API's models: name, title and model of each schema under ``schemas/api``.

``answer.json`` alone is written by hand: the rule for the envelope of every answer.
"""

from collections.abc import Mapping
from types import MappingProxyType

import msgspec

from proxy.analysis.period import Metrics
from proxy.analysis.report import Analysis, Anomaly, Bar, Pattern, Statistics
from proxy.api.acting import ActionAnswer, ActionPage, ActionRequest, QuestionPage
from proxy.api.checks import Check
from proxy.api.events import (
    Event,
    EventPage,
    EventRequest,
    Gap,
    MonitoringSession,
    Recorded,
    SessionRequest,
    Stopped,
)
from proxy.api.fleet import Acknowledged, CostPage, Greeting, Hello, HostPage
from proxy.api.records import Drift, RecordPage
from proxy.api.search import SearchPage
from proxy.api.service import Health, Liveness, MonitoringStatus, Overview, Readiness
from proxy.api.sessions import ApprovalPage, ConversationPage, SealAnswer, SessionPage, Status
from proxy.api.validation import Specifications, ValidationAnswer, ValidationBatchRequest, ValidationRequest
from proxy.compliance.report import Outcome, Report
from proxy.compliance.request import CheckRequest
from proxy.events.approved_calls import ApprovedCall
from proxy.events.shown_session import Session

PUBLISHED: Mapping[str, tuple[str, type[msgspec.Struct]]] = MappingProxyType(
    {
        "action_answer": ("Answer: action", ActionAnswer),
        "action_request": ("Request: action", ActionRequest),
        "actions_answer": ("Answer: actions", ActionPage),
        "analysis": ("Answer: analysis", Analysis),
        "anomaly": ("Anomaly", Anomaly),
        "approvals_answer": ("Answer: approvals", ApprovalPage),
        "approved_call": ("Approved call", ApprovedCall),
        "bar": ("Bar", Bar),
        "compliance_answer": ("Answer: check of a wrapper", Check),
        "compliance_outcome": ("Outcome of a scenario", Outcome),
        "compliance_report": ("Report of a check", Report),
        "compliance_request": ("Request: check of a wrapper", CheckRequest),
        "conversation_answer": ("Answer: conversation", ConversationPage),
        "costs_answer": ("Answer: costs", CostPage),
        "drift_answer": ("Answer: drift", Drift),
        "event": ("Event of the API", Event),
        "event_answer": ("Answer: event", Recorded),
        "event_request": ("Request: event", EventRequest),
        "events_answer": ("Answer: events", EventPage),
        "figures": ("Figures", Statistics),
        "fleet_greeting": ("Answer: greeting of a host", Greeting),
        "fleet_hello": ("Request: greeting of a host", Hello),
        "fleet_records_answer": ("Answer: records of a host", Acknowledged),
        "gap": ("Gap in a stream", Gap),
        "health_answer": ("Answer: health", Health),
        "hosts_answer": ("Answer: hosts", HostPage),
        "live_answer": ("Answer: liveness", Liveness),
        "metrics": ("Answer: metrics", Metrics),
        "monitoring_status_answer": ("Answer: monitoring status", MonitoringStatus),
        "overview": ("Answer: overview", Overview),
        "pattern": ("Pattern", Pattern),
        "questions_answer": ("Answer: questions", QuestionPage),
        "ready_answer": ("Answer: readiness", Readiness),
        "records_answer": ("Answer: records", RecordPage),
        "seal_answer": ("Answer: the head of a sealed log", SealAnswer),
        "search_answer": ("Answer: search", SearchPage),
        "session": ("Session", Session),
        "session_answer": ("Answer: session", MonitoringSession),
        "session_request": ("Request: session", SessionRequest),
        "sessions_answer": ("Answer: sessions", SessionPage),
        "specifications_answer": ("Answer: specifications", Specifications),
        "status_answer": ("Answer: status", Status),
        "stop_answer": ("Answer: stop", Stopped),
        "validation_answer": ("Answer: validation", ValidationAnswer),
        "validation_batch_request": ("Request: validation of many", ValidationBatchRequest),
        "validation_request": ("Request: validation", ValidationRequest),
    }
)
