"""What the sessions do."""

import shlex

from aiohttp import web

from proxy.api.service import MonitoringStatus
from proxy.api.sessions import SessionPage, Status
from proxy.events.outcome import OUTCOMES
from proxy.events.shown_session import Session as ShownSession
from proxy.server.routes.parameters import ID, paging, words
from proxy.server.routes.route import OF_SESSION, Routes
from proxy.server.shared import filled, now_us, of
from proxy.store.model import SessionFilter

routes = Routes()
LIMIT, OFFSET = paging("Sessions", 10_000, default=1000)
OUTCOME = words("outcome", "Only these, separated by commas: all are over.", tuple(OUTCOMES))
HOST = words("host", "Of a fleet: only those of these hosts, names or ids separated by commas.")
TEAM = words("team", "Of a fleet: only those of these teams, separated by commas.")


@routes.add("GET", "/status", HOST, TEAM, answer=Status)
def status(request: web.Request) -> Status:
    """What every running session does."""
    shared = filled(request)
    live = shared.described(shared.running(SessionFilter((), HOST.of(request), TEAM.of(request))))
    return Status(active_sessions=len(live), sessions=live)


@routes.add("GET", "/api/v1/monitoring/sessions", LIMIT, OFFSET, OUTCOME, HOST, TEAM, answer=SessionPage)
def sessions(request: web.Request) -> SessionPage:
    """Sessions, live and past."""
    limit, offset = LIMIT.of(request), OFFSET.of(request)
    which = SessionFilter(OUTCOME.of(request), HOST.of(request), TEAM.of(request))
    shared = filled(request)
    found = shared.store.sessions(which=which, limit=limit, offset=offset)
    return SessionPage(sessions=shared.described(found), total=shared.store.count_sessions(which))


@routes.add("GET", OF_SESSION, ID, answer=ShownSession)
def session(request: web.Request) -> ShownSession:
    """One session."""
    shared = of(request)
    (described,) = shared.described([shared.session(request.match_info["session_id"])])
    return described


@routes.add("GET", "/api/v1/monitoring/status", answer=MonitoringStatus)
def monitoring_status(request: web.Request) -> MonitoringStatus:
    """Counts and uptime."""
    shared = filled(request)
    return MonitoringStatus(
        active_sessions=len(shared.running()),
        total_sessions=shared.store.count_sessions(),
        total_events=shared.store.count_events(),
        subscribers=shared.hub.subscribers,
        uptime_seconds=(now_us() - shared.started_us) / 1_000_000,
        serve_command=_serve_command(request, shared.data_dir),
    )


def _serve_command(request: web.Request, data_dir: str) -> str:
    """Return what starts a server for the same data directory at the same port, for a shell."""
    port = request.transport.get_extra_info("sockname")[1] if request.transport is not None else 8000
    return shlex.join(["claude-proxy", "--data-dir", data_dir, "--port", str(port), "serve"])
