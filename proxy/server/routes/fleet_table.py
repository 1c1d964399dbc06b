"""The routes of a fleet, as the table of all has them."""

from proxy.api.fleet import Acknowledged, Greeting, Hello, HostPage
from proxy.server.routes import fleet
from proxy.server.routes.parameters import ID, number
from proxy.server.routes.requests import FARTHEST
from proxy.server.routes.route import Parameter, Route

_HOST = Parameter(
    "host_id", "A host, as it calls itself.", {"type": "string", "pattern": "^[0-9a-f]{32}$"}, "path"
)

ROUTES = (
    Route(
        "POST",
        "/api/v1/fleet/hosts/{host_id}/hello",
        fleet.hello,
        "A host of a fleet says that it is there, and learns what this centre lacks",
        (_HOST,),
        request=Hello,
        answer=Greeting,
        failures=(400, 408, 413, 422, 404, 503),
        access="push",
    ),
    Route(
        "POST",
        "/api/v1/fleet/hosts/{host_id}/sessions/{session_id}/records",
        fleet.records,
        "Lines of a session's log, `application/x-ndjson`: stored, on disk, once this is answered",
        (
            _HOST,
            ID,
            Parameter("from_line", "How many lines of the log are before these.", number(0, FARTHEST)),
            Parameter("running", "Whether the session's writer lives.", {"enum": ["true", "false"]}),
        ),
        answer=Acknowledged,
        failures=(400, 408, 413, 422, 404, 409, 410, 503),
        access="push",
    ),
    Route("GET", "/api/v1/fleet/hosts", fleet.hosts, "The hosts of a fleet", answer=HostPage),
)
