"""What the API takes and answers, typed: the one description that server, client and published schemas share.

``sessions``    lists of sessions, and what is told of one: its conversation, approvals, seal
``events``      events, and sessions for events of a client's own
``records``     records as they are shown, and drift
``validation``  judging messages
``acting``      acting on live sessions
``checks``      checks of programs that stand in for `claude`
``service``     what a server says of itself, and of everything together
``published``   which of them are published, and as what

Shapes of answers that a room below makes by itself (sessions, analyses, metrics, reports of checks, drift) are its own;
here they are put together. Schemas and the types for TypeScript are made from these models by
``python -m tools.generate_schemas``. Durations are milliseconds, timestamps RFC 3339 in UTC.
"""

from proxy.api.events import Event, EventPage
from proxy.api.validation import ValidationAnswer

__all__ = ["Event", "EventPage", "ValidationAnswer"]
