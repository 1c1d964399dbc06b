"""The vocabulary is the published one, and the published table says what becomes of each message."""

import re
from functools import cache
from pathlib import Path
from typing import NamedTuple, get_args

import pytest

from proxy.events import Interpreter, Session
from proxy.events.outcome import OUTCOMES, Kind
from proxy.events.vocabulary import EVENTS, FIELDS, STATES, Name, State, schema
from proxy.protocol import library
from proxy.sessions.reader import Record
from tests.recorded import NAMES as SCENARIOS
from tests.recorded import records, scenario

ROOT = Path(__file__).parents[2]
STREAMS = {"in": "stdin", "out": "stdout"}


def test_schema_is_made_of_the_tables() -> None:
    """The published schema is what the tables say; `python -m tools.generate_schemas` writes it."""
    assert library.load("events.json") == schema()


def test_every_name_is_in_the_table() -> None:
    """What the type checker lets pass as an event, a state or an outcome is what the tables explain."""
    assert tuple(EVENTS) == get_args(Name)
    assert tuple(STATES) == get_args(State)
    assert tuple(OUTCOMES) == get_args(Kind)


def test_every_field_is_explained_and_carried() -> None:
    """Each field that an event may carry is explained once, and no field is explained that none carries."""
    assert {field for kind in EVENTS.values() for field in kind.fields} == set(FIELDS)


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
    return set(re.findall(r"`(\w+)`", cell)) & set(EVENTS)


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
    assert {event for row in table for event in row.events} == set(EVENTS)
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
