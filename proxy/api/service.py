"""What a server says of itself, and of everything together."""

from typing import Any, Literal

import msgspec

from proxy.analysis.period import Metrics
from proxy.events.shown_session import Session
from proxy.events.timestamps import Timestamp


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the server is well."""

    status: Literal["healthy", "degraded", "unhealthy"]
    """The worst of the checks."""
    version: str
    checks: dict[str, dict[str, Any]] = {}
    """One for each thing that the server needs: `status`, figures, and a `message` where it is not healthy."""


class Liveness(msgspec.Struct, frozen=True, kw_only=True):
    """This process answers."""

    status: Literal["alive"]
    version: str


class Readiness(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Whether requests should be sent to the server now."""

    status: Literal["ready", "not_ready"]
    message: str | None = None
    """Why not."""


class MonitoringStatus(msgspec.Struct, frozen=True, kw_only=True):
    """Counts, and how long the server has been running."""

    active_sessions: int
    total_sessions: int
    total_events: int
    subscribers: int
    """Who listens to live events now."""
    uptime_seconds: float
    serve_command: str = ""
    """What starts a server for the same data directory again, for a shell."""


class Overview(msgspec.Struct, frozen=True, kw_only=True):
    """What there is, and what happened in the last 24 hours."""

    generated_at: Timestamp
    active_sessions: int
    total_sessions: int
    total_events: int
    last_24_hours: Metrics
    sessions: list[Session]
    """The newest 20."""
