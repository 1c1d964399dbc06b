"""Shortens what is long in an event, so that it can be shown."""

import msgspec

from proxy.store.encoding import as_json
from proxy.telling.shortening import shorten_value


def shortened_event(event: bytes, longest: int | None) -> bytes:
    """Return an event, given as JSON, with what is long in its data shortened; None: as it is."""
    if longest is None or len(event) <= longest:
        return event
    value, has_cut = shorten_value(msgspec.json.decode(event), longest)
    if not has_cut:
        return event
    return as_json({**value, "shortened": True})
