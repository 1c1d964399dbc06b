"""The vocabulary is the published one."""

from typing import Any

from proxy.events.vocabulary import NAMES, STATES
from proxy.protocol import library


def test_names_and_states_are_those_of_the_schema() -> None:
    """What the code calls events and states is exactly what `schemas/events` publishes."""
    schema: dict[str, Any] = library.load("events.json")
    assert sorted(NAMES) == sorted(schema["properties"]["event"]["enum"])
    assert sorted(STATES) == sorted(schema["properties"]["state"]["enum"])
