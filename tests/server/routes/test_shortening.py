"""An event that is long is given shortened, and says so."""

from proxy.server.routes.shortening import shortened_event
from proxy.store.encoding import as_json


def test_an_event_that_was_shortened_says_so() -> None:
    """Events that are short enough pass untouched; others are marked."""
    event = as_json({"event_type": "a", "data": {"text": "x" * 5000}})
    assert shortened_event(event, None) is event
    assert shortened_event(event, 6000) is event
    short = shortened_event(event, 100)
    assert len(short) < 250
    assert short.endswith(b'"shortened":true}')
