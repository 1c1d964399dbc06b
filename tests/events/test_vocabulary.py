"""The vocabulary is the published one."""

from typing import Any

from proxy.events.vocabulary import MEANINGS, NAMES, STATE_MEANINGS, STATES
from proxy.protocol import library


def test_names_and_states_are_those_of_the_schema() -> None:
    """What the code calls events and states is exactly what `schemas/events` publishes."""
    schema: dict[str, Any] = library.load("events.json")
    assert sorted(NAMES) == sorted(schema["properties"]["event"]["enum"])
    assert sorted(STATES) == sorted(schema["properties"]["state"]["enum"])


def test_every_name_has_a_meaning() -> None:
    """Each event and each state is explained, in the order in which they are listed."""
    assert tuple(MEANINGS) == NAMES
    assert tuple(STATE_MEANINGS) == STATES
