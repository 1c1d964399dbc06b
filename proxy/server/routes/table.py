"""The table of all calls: what the application registers, and its description describes."""

from proxy.server.routes import (
    acting,
    analysis,
    approvals,
    compliance,
    conversation,
    description,
    events,
    export,
    fleet,
    health,
    page,
    records,
    seal,
    search,
    sessions,
    specifications,
    streams,
)

ROUTES = (
    *(*page.routes, *health.routes, *specifications.routes),
    *(*sessions.routes, *records.routes, *conversation.routes, *export.routes, *search.routes),
    *(*acting.routes, *analysis.routes, *approvals.routes, *seal.routes),
    *(*events.routes, *streams.routes, *fleet.routes, *compliance.routes, *description.routes),
)
"""In the order in which they are described."""
