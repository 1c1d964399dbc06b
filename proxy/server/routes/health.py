"""How the server is, for people, load balancers and Prometheus; only what is unhealthy is a 503."""

from aiohttp import web

from proxy import __version__
from proxy.api.service import Health, Liveness, Readiness
from proxy.server.base.answers import answer
from proxy.server.routes.route import Routes
from proxy.server.shared import of
from proxy.server.watch.health import STATUSES, checks, unready
from proxy.server.watch.metrics import METRICS

routes = Routes()


@routes.add("GET", "/health", answer=Health, failures=(503,))
def health(request: web.Request) -> web.Response:
    """Whether the server is well."""
    found = checks(of(request))
    worst = max((check["status"] for check in found.values()), key=STATUSES.index)
    told = Health(status=worst, version=__version__, checks=found)
    return answer(told, 503 if worst == "unhealthy" else 200)


@routes.add("GET", "/health/live", answer=Liveness)
async def live(request: web.Request) -> Liveness:
    """Whether this process answers."""
    return Liveness(status="alive", version=__version__)


@routes.add("GET", "/health/ready", answer=Readiness, failures=(503,))
def ready(request: web.Request) -> web.Response:
    """Whether requests should be sent here."""
    reason = unready(of(request))
    told = Readiness(status="not_ready" if reason else "ready", message=reason)
    return answer(told, 503 if reason else 200)


@routes.add("GET", "/metrics", media_type="text/plain")
def metrics(request: web.Request) -> web.Response:
    """Figures for Prometheus."""
    body, form = request.app[METRICS].exposed(of(request), request.headers.get("Accept", ""))
    return web.Response(body=body, headers={"Content-Type": form})
