"""A program's way to the server.

``AsyncClient``, ``Client``  every call of the API, for programs with an event loop and without
``Run``, ``MonitoredRun``    what ``client.monitored(name)`` gives: a run that its own program watches
``errors``                   what can go wrong, by blame
``models``                   what the API takes and gives, typed

Nothing here starts a server; nothing below imports this.
"""

from proxy.client.blocking import Client, Items, MonitoredRun
from proxy.client.client import AsyncClient
from proxy.client.errors import (
    ClientError,
    InvalidCommandError,
    NotFoundError,
    RefusedError,
    RequestError,
    ServerFaultError,
    UnreachableError,
)
from proxy.client.models import CaptureOptions, Event, Gap, Session, ValidationAnswer, ValidationRequest
from proxy.client.monitored import Run, Step

__all__ = [
    "AsyncClient",
    "CaptureOptions",
    "Client",
    "ClientError",
    "Event",
    "Gap",
    "InvalidCommandError",
    "Items",
    "MonitoredRun",
    "NotFoundError",
    "RefusedError",
    "RequestError",
    "Run",
    "ServerFaultError",
    "Session",
    "Step",
    "UnreachableError",
    "ValidationAnswer",
    "ValidationRequest",
]
