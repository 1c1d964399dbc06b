"""Events as the API gives them, and sessions for events of a client's own."""

from collections.abc import Sequence
from typing import Any

import msgspec

from proxy.events.terms import EventType, SessionId
from proxy.events.timestamps import Timestamp


class Event(msgspec.Struct, kw_only=True):
    """One event of a session, as queries, streams and sockets give it."""

    event_type: str
    timestamp: Timestamp
    """RFC 3339, with a zone."""
    session_id: SessionId
    data: dict[str, Any]
    """For events derived from messages, an object that is valid under `events`."""


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """A notice in a live stream: here events may be missing.

    Over the WebSocket the same fields are in a frame with the `type` `gap`.
    """

    after: str
    """The `id` of the last event, or of the place, before it."""
    reason: str
    """Why, as a sentence."""


class EventPage(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A page of events."""

    events: Sequence[Event]
    total: int | None = None
    """How many events fit the query in all; not with `after`."""
    after: str
    """To be given as `after`: it goes on behind what was there when this was answered, or, with `after`, behind these
    events."""
    settled_until: Timestamp | None = None
    """With `start_time`, across sessions: up to there nothing earlier will come."""
    gap: str | None = None
    """With `after`: why events before these may be missing."""


class CaptureOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a session for events of a client's own is to record."""

    capture_commands: bool = True
    capture_events: bool = True
    capture_states: bool = True


class SessionRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Body of `POST /api/v1/monitoring/sessions`: starts a session for events of a client's own."""

    session_name: str | None = None
    capture_options: CaptureOptions = CaptureOptions()


class MonitoringSession(msgspec.Struct, frozen=True, kw_only=True):
    """A session for events of a client's own, just started."""

    session_id: SessionId
    session_name: str | None = None
    capture_options: CaptureOptions = CaptureOptions()


class EventRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Body of `POST /api/v1/monitoring/events`: records one event of a client's own."""

    event_type: EventType
    """Letters, digits, `_`, `-` and dots, at most 128."""
    data: dict[str, Any]
    session_id: SessionId


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a posted event."""

    session_id: SessionId
    event_type: EventType
    recorded: bool
    """False where the session's capture options leave it out."""


class Stopped(msgspec.Struct, frozen=True, kw_only=True):
    """A session for events of a client's own that was stopped."""

    session_id: SessionId
    stopped: bool
