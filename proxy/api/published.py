"""What is published of the API's models: name, title and model of each schema under ``schemas/api``.

``answer.json`` alone is written by hand: the rule for the envelope of every answer.
"""

from collections.abc import Mapping
from types import MappingProxyType

import msgspec

from proxy import fleet
from proxy.analysis import period, report
from proxy.api import acting, checks, events, records, search, service, sessions, validation
from proxy.compliance import report as compliance_report
from proxy.compliance import request as compliance_request
from proxy.events import approved_calls, shown_session

PUBLISHED: Mapping[str, tuple[str, type[msgspec.Struct]]] = MappingProxyType(
    {
        "action_answer": ("Answer: action", acting.ActionAnswer),
        "action_request": ("Request: action", acting.ActionRequest),
        "actions_answer": ("Answer: actions", acting.ActionPage),
        "analysis": ("Answer: analysis", report.Analysis),
        "anomaly": ("Anomaly", report.Anomaly),
        "approvals_answer": ("Answer: approvals", sessions.ApprovalPage),
        "approved_call": ("Approved call", approved_calls.ApprovedCall),
        "bar": ("Bar", report.Bar),
        "compliance_answer": ("Answer: check of a wrapper", checks.Check),
        "compliance_outcome": ("Outcome of a scenario", compliance_report.Outcome),
        "compliance_report": ("Report of a check", compliance_report.Report),
        "compliance_request": ("Request: check of a wrapper", compliance_request.CheckRequest),
        "conversation_answer": ("Answer: conversation", sessions.ConversationPage),
        "costs_answer": ("Answer: costs", fleet.CostPage),
        "drift_answer": ("Answer: drift", records.Drift),
        "event": ("Event of the API", events.Event),
        "event_answer": ("Answer: event", events.Recorded),
        "event_request": ("Request: event", events.EventRequest),
        "events_answer": ("Answer: events", events.EventPage),
        "figures": ("Figures", report.Statistics),
        "fleet_greeting": ("Answer: greeting of a host", fleet.Greeting),
        "fleet_hello": ("Request: greeting of a host", fleet.Hello),
        "fleet_records_answer": ("Answer: records of a host", fleet.Acknowledged),
        "gap": ("Gap in a stream", events.Gap),
        "health_answer": ("Answer: health", service.Health),
        "hosts_answer": ("Answer: hosts", fleet.HostPage),
        "live_answer": ("Answer: liveness", service.Liveness),
        "metrics": ("Answer: metrics", period.Metrics),
        "monitoring_status_answer": ("Answer: monitoring status", service.MonitoringStatus),
        "overview": ("Answer: overview", service.Overview),
        "pattern": ("Pattern", report.Pattern),
        "questions_answer": ("Answer: questions", acting.QuestionPage),
        "ready_answer": ("Answer: readiness", service.Readiness),
        "records_answer": ("Answer: records", records.RecordPage),
        "seal_answer": ("Answer: the head of a sealed log", sessions.SealAnswer),
        "search_answer": ("Answer: search", search.SearchPage),
        "session": ("Session", shown_session.Session),
        "session_answer": ("Answer: session", events.MonitoringSession),
        "session_request": ("Request: session", events.SessionRequest),
        "sessions_answer": ("Answer: sessions", sessions.SessionPage),
        "specifications_answer": ("Answer: specifications", validation.Specifications),
        "status_answer": ("Answer: status", sessions.Status),
        "stop_answer": ("Answer: stop", events.Stopped),
        "validation_answer": ("Answer: validation", validation.ValidationAnswer),
        "validation_batch_request": ("Request: validation of many", validation.ValidationBatchRequest),
        "validation_request": ("Request: validation", validation.ValidationRequest),
    }
)
