"""The vocabulary is the published one, and the published table says what becomes of each message."""

import re
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from proxy.events import Interpreter, Session
from proxy.events.vocabulary import MEANINGS, NAMES, STATE_MEANINGS, STATES
from proxy.protocol import library
from proxy.sessions.reader import Record
from tests.recorded import NAMES as SCENARIOS
from tests.recorded import records, scenario

ROOT = Path(__file__).parents[2]
STREAMS = {"in": "stdin", "out": "stdout"}


def test_names_and_states_are_those_of_the_schema() -> None:
    """What the code calls events and states is exactly what `schemas/events` publishes."""
    schema: dict[str, Any] = library.load("events.json")
    assert sorted(NAMES) == sorted(schema["properties"]["event"]["enum"])
    assert sorted(STATES) == sorted(schema["properties"]["state"]["enum"])


def test_every_name_has_a_meaning() -> None:
    """Each event and each state is explained, in the order in which they are listed."""
    assert tuple(MEANINGS) == NAMES
    assert tuple(STATE_MEANINGS) == STATES


class Row(NamedTuple):
    """What becomes of the messages of one row: kinds are `type` or `type/subtype`."""

    direction: str
    kinds: list[str]
    command: str
    events: set[str]


@cache
def rows() -> list[Row]:
    """Return the rows of the table in `schemas/README.md` that maps the wire to the vocabulary."""
    text = (ROOT / "schemas/README.md").read_text()
    found = re.findall(r"^\| (in|out|both|none) \| (.+?) \| (.*?) ?\| (.+?) \|$", text, re.MULTILINE)
    return [Row(way, _kinds(wire), command, _events(events)) for way, wire, command, events in found]


def _kinds(wire: str) -> list[str]:
    head, slash, _ = wire.partition("/")
    words = re.findall(r"`(\w+)`", wire)
    return [f"{words[0]}/{word}" for word in words[1:]] if slash and head.startswith("`") else words


def _events(cell: str) -> set[str]:
    return set(re.findall(r"`(\w+)`", cell)) & set(NAMES)


def row_of(record: Record) -> Row:
    """Return the row that a record of a message belongs to: the nearest of those that could be meant."""
    message = record.value()
    inner = message.get("request") or message
    type_ = message["type"]
    meant = (f"{type_}/{inner.get('subtype')}", type_)
    of_stream = [row for row in rows() if STREAMS.get(row.direction) == record.stream]
    for kind in meant:
        for row in of_stream:
            if kind in row.kinds:
                return row
    return Row("out", [], "", set())  # any other


def test_table_has_the_whole_vocabulary() -> None:
    """Every action and every event has a row, and there is no word in the table that the vocabulary has not."""
    table = rows()
    commands = {word for row in table for word in re.findall(r"^`(\w+)`", row.command)}
    same = {kind.split("/")[1] for row in table if row.command.startswith("the same") for kind in row.kinds}
    assert commands | same == set(library.load("commands.json")["properties"]["action"]["enum"])
    assert {event for row in table for event in row.events} == set(NAMES)
    assert {row.direction for row in table} == {"in", "out", "both", "none"}


@pytest.mark.parametrize("name", SCENARIOS)
def test_table_is_what_happens(name: str) -> None:
    """Of recorded messages come those events that the table names for them, and the command that it names."""
    interpreter = Interpreter(Session("made"))
    anywhere = {event for row in rows() if row.direction == "both" for event in row.events}
    for record in records(scenario(name)):
        events = interpreter.take(record)
        if record.stream not in STREAMS.values() or not isinstance(record.value(), dict):
            continue
        row = row_of(record)
        assert {event.event_type for event in events} <= row.events | anywhere, (record.seq, row)
        for event in events:
            if event.event_type == "command_received":
                action = event.data["command"]["action"]
                assert row.command.startswith((f"`{action}`", "the same")), (record.seq, row)
