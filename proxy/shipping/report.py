"""How shipping stands, and what would be sent: read from files, without asking anybody."""

import contextlib
import os
from collections.abc import Iterator, Mapping
from itertools import chain
from typing import TypedDict

from proxy.sessions import firings
from proxy.sessions.catalogue import list_logs
from proxy.sessions.firings import Firing, encoded
from proxy.sessions.identity import log_path
from proxy.ship_settings import Ship
from proxy.shipping import content, identity, ledger
from proxy.shipping.backlog import CHUNK, whole_lines
from proxy.shipping.ledger import Acknowledged
from proxy.upkeep.losses import Loss, read_losses

_NOTHING = Acknowledged("")


class Amount(TypedDict):
    """How much it is."""

    records: int
    """Lines of logs; of what waits, also what rules found."""
    bytes: int


class ShippingReport(TypedDict):
    """How shipping stands."""

    to: str
    content: str
    acknowledged: Amount
    waiting: Amount
    last_answer: str | None
    """When the centre answered last."""
    trouble: str | None
    """Why nothing can be sent, if nothing can."""
    set_aside: dict[str, str]
    """Sessions that the centre does not take, and why."""
    unshipped_lost: list[Loss]
    """Sessions that were removed for `storage.max_total_size` before the centre had all of them."""


def report(data_dir: str, settings: Ship) -> ShippingReport:
    """Return how shipping stands. OSError when the data directory cannot be read."""
    state, known = _known(data_dir, settings)
    places = [known[name] for name in list_logs(data_dir) if name in known]
    waiting = Amount(records=0, bytes=0)
    for name, offset, fired in _lacking(data_dir, state, known):
        for text in chain(_behind(data_dir, name, offset), map(encoded, fired)):
            waiting["records"] += text.count(b"\n")
            waiting["bytes"] += len(text)
    return ShippingReport(
        to=str(settings.to),
        content=settings.content,
        acknowledged=Amount(
            records=sum(place.lines for place in places), bytes=sum(place.bytes for place in places)
        ),
        waiting=waiting,
        last_answer=state.answered_at,
        trouble=state.trouble,
        set_aside=state.set_aside,
        unshipped_lost=read_losses(data_dir),
    )


def unshipped(data_dir: str, settings: Ship) -> dict[str, int]:
    """Return how many bytes the centre lacks of each session of which it lacks something and would take it.

    Nothing where `ship.to` names no centre. OSError when the data directory cannot be read.
    """
    found: dict[str, int] = {}
    if settings.to is not None:
        for name, offset, fired in _lacking(data_dir, *_known(data_dir, settings)):
            # Half a line, of a writer that was killed, is never sent.
            if fired or any(_behind(data_dir, name, offset)):
                with contextlib.suppress(FileNotFoundError):
                    size = os.stat(log_path(data_dir, name)).st_size
                    found[name] = size - offset + sum(map(len, map(encoded, fired)))
    return found


def would_send(data_dir: str, settings: Ship) -> Iterator[bytes]:
    """Yield the lines that would be sent now, as they would leave. OSError when they cannot be read."""
    leaves = content.of(settings.content, settings.redact)
    leaves_of_firing = content.of_firings(settings.content, settings.redact)
    for name, offset, fired in _lacking(data_dir, *_known(data_dir, settings)):
        yield from map(leaves, _behind(data_dir, name, offset))
        yield from map(leaves_of_firing, fired)


def _known(data_dir: str, settings: Ship) -> tuple[identity.HostState, dict[str, Acknowledged]]:
    """Return what is known of the centre, and what it has acknowledged: of one that is new, nothing."""
    state = identity.read(data_dir)
    if state is None or state.to != settings.to:
        return identity.HostState(host_id="", place=""), {}
    return state, ledger.read(data_dir)


def _lacking(
    data_dir: str, state: identity.HostState, known: Mapping[str, Acknowledged]
) -> Iterator[tuple[str, int, list[Firing]]]:
    """Yield the sessions that the centre takes, oldest first: up to where in its log it has each, and the firings that
    it lacks.
    """
    forgotten = set(state.forgotten)
    for name in reversed(list_logs(data_dir)):
        place = known.get(name, _NOTHING)
        with contextlib.suppress(FileNotFoundError):
            if os.stat(log_path(data_dir, name)).st_ino != place.inode:
                place = _NOTHING  # it is another log
        if name not in forgotten:
            fired = firings.read(data_dir, name)[place.firings :] if state.takes_firings else []
            yield name, place.bytes, fired


def _behind(data_dir: str, session_id: str, offset: int) -> Iterator[bytes]:
    """Yield the whole lines of a log behind an offset, some at a time."""
    with contextlib.suppress(FileNotFoundError), open(log_path(data_dir, session_id), "rb") as file:
        while text := whole_lines(file.fileno(), offset, CHUNK)[0]:
            yield text
            offset += len(text)
