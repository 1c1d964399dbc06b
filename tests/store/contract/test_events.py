"""Pages of events: the rules of the API, whatever is asked."""

import json
import random
from collections import Counter
from typing import Any

import pytest

from proxy.events import Interpreter, Session
from proxy.events.timestamps import format_timestamp, parse_timestamp
from proxy.sessions.reader import parse
from proxy.store import ranks
from proxy.store.model import EventQuery
from tests.recorded import START_US, LogMaker, scenario
from tests.store.contract.conftest import SOME, fill
from tests.store.contract.engines import WAIT_S, Engine
from tests.tiers import first_in_short

HOUR_US = 3_600_000_000


def everything(engine: Engine) -> list[dict[str, Any]]:
    """Return all events, oldest first."""
    page = engine.store.events(EventQuery(limit=1_000_000, offset=0, order="asc"))
    assert len(page.events) == page.total == engine.store.count_events()
    return [json.loads(event) for event in page.events]


def expected(events: list[dict[str, Any]], query: EventQuery) -> tuple[list[dict[str, Any]], int]:
    """Return what a query is to give: the rules of the API, as simply as can be."""
    found = [
        event
        for event in events
        if query.session_id in (None, event["session_id"])
        and (query.event_types is None or event["event_type"] in query.event_types)
        and (query.after_us is None or parse_timestamp(event["timestamp"]) > query.after_us)
        and (query.until_us is None or parse_timestamp(event["timestamp"]) <= query.until_us)
    ]
    total = len(found)
    oldest_first = query.session_id is not None or query.after_us is not None
    if query.order:
        oldest_first = query.order == "asc"
    if query.offset is None and query.after_us is None:
        found = found[-query.limit :]
        return (found if oldest_first else found[::-1]), total
    found = found if oldest_first else found[::-1]
    offset = query.offset or 0
    return found[offset : offset + query.limit], total


def assert_pages(engine: Engine, dice: random.Random, count: int, sessions: list[str | None]) -> None:
    """Ask for so many pages, each of which is to be what the rules say."""
    events = everything(engine)
    timestamps = [parse_timestamp(event["timestamp"]) for event in events]
    assert timestamps == sorted(timestamps)
    names = sorted({event["event_type"] for event in events})
    for _ in range(count):
        query = EventQuery(
            session_id=dice.choice(sessions),
            event_types=dice.choice([None, tuple(dice.sample(names, min(3, len(names)))), ("never",)]),
            after_us=dice.choice([None, dice.choice(timestamps) + dice.choice([-1, 0, 1])]),
            until_us=dice.choice([None, dice.choice(timestamps) + dice.choice([-1, 0, 1])]),
            limit=dice.choice([1, 3, 10, 1000]),
            offset=dice.choice([None, 0, 1, dice.randrange(len(events)), 1_000_000]),
            order=dice.choice([None, "asc", "desc"]),
        )
        page = engine.store.events(query)
        assert ([json.loads(event) for event in page.events], page.total) == expected(events, query), query


def test_every_page_follows_the_rules(filled: Engine) -> None:
    """Any query gives the page, the order and the total that the rules say."""
    assert_pages(filled, random.Random(2), 400, [None, None, "s1", "s4", "nobody"])


@pytest.mark.parametrize("count", first_in_short([2000, 9000]))
def test_pages_of_many_events(engine: Engine, monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    """So also where what is asked for lies within, and across, all the spans that events are counted by."""
    monkeypatch.setattr(ranks, "SCANNED", 50)
    dice = random.Random(3)
    for session_id in ("long", "other"):
        maker = LogMaker(session_id, START_US)
        lines = [maker.started()]
        for number in range(count):
            # Bursts within a second, and pauses up to some weeks.
            maker.step_us = dice.choice(
                [1, 1, 1, 1000, 20_000, 900_000, 70_000_000_000 if number % 97 == 0 else 3]
            )
            data = {"event_type": dice.choice(["often", "often", "often", "seldom"]), "data": {}}
            head = f'"session_id":"{session_id}","stream":"api","event":{json.dumps(data)}'
            lines.append(maker._spelled((head.encode(), b"", b"}\n")))
        engine.put(session_id, b"".join(lines) + maker.ended())
    engine.settle()
    assert_pages(engine, dice, count // 30, [None, "long"])


def test_events_are_what_the_interpreter_makes(filled: Engine) -> None:
    """A store decides nothing: its events are those that the interpreter makes of the records."""
    wanted = []
    for number, name in enumerate(SOME):
        interpreter = Interpreter(Session(f"s{number}"))
        for line in scenario(name, LogMaker(f"s{number}", START_US + number * 7_300)).splitlines():
            record = parse(line)
            assert not isinstance(record, str)
            for kind, timestamp_us, data in interpreter.take(record):
                wanted.append(
                    [format_timestamp(timestamp_us), f"s{number}", kind, json.loads(json.dumps(data))]
                )
    found = [
        [event[key] for key in ("timestamp", "session_id", "event_type", "data")]
        for event in everything(filled)
    ]
    assert sorted(found, key=lambda one: one[:2]) == sorted(wanted, key=lambda one: one[:2])


def test_polling_a_session_gives_each_event_once(filled: Engine) -> None:
    """With the last timestamp as start, pages join without loss."""
    after, seen = 0, []
    while page := filled.store.events(EventQuery(session_id="s4", after_us=after, limit=7)).events:
        seen += [json.loads(event) for event in page]
        after = parse_timestamp(seen[-1]["timestamp"])
    assert seen == [event for event in everything(filled) if event["session_id"] == "s4"]


def test_what_may_be_overtaken_is_held_back(engine: Engine) -> None:
    """While a session may still write what it has stamped, polling across sessions ends before that."""
    maker = LogMaker("live", 4_000_000_000_000_000)  # its clock is ahead
    engine.put("live", maker.started(), live=True)
    engine.settle()
    page = engine.store.events(EventQuery(after_us=0))
    assert page.total == 0
    assert page.settled_us < 4_000_000_000_000_000
    assert engine.store.events(EventQuery(after_us=0, session_id="live")).total == 2
    assert engine.store.events(EventQuery()).total == 2


def test_hours_are_those_of_counting_through(filled: Engine) -> None:
    """Start exclusive, end inclusive, wherever they lie."""
    events = [(parse_timestamp(event["timestamp"]), event["event_type"]) for event in everything(filled)]
    for after, until in ((None, None), (10, -10), (5, None), (None, 7), (50, 20)):
        after_us, until_us = (None if place is None else events[place][0] for place in (after, until))
        wanted = Counter(
            (timestamp_us // HOUR_US * HOUR_US, kind)
            for timestamp_us, kind in events
            if (after_us is None or timestamp_us > after_us)
            and (until_us is None or timestamp_us <= until_us)
        )
        found = {(hour, kind): count for hour, kind, count in filled.store.event_counts(after_us, until_us)}
        assert found == dict(wanted)


def test_hours_of_a_period_within_one(engine: Engine) -> None:
    """A period that lies within an hour, or across the end of one, counts its own events alone."""
    maker = LogMaker("a", START_US // HOUR_US * HOUR_US + HOUR_US - 5000)
    engine.put("a", maker.started() + maker.lines("stdin", *[{"type": "user"}] * 9) + maker.ended())
    engine.settle()
    events = [parse_timestamp(event["timestamp"]) for event in everything(engine)]
    for after_us in events:
        for until_us in events:
            found = engine.store.event_counts(after_us, until_us)
            assert sum(count for _, _, count in found) == sum(after_us < one <= until_us for one in events)


def test_events_of_some_types_in_a_period(filled: Engine) -> None:
    """Only those, and only within the bounds."""
    events = everything(filled)
    after, until = (parse_timestamp(events[place]["timestamp"]) for place in (10, 60))
    kinds = ("run_started", "session_ended")
    found = sorted((us, kind) for kind, us, _ in filled.store.events_between(kinds, after, until))
    assert found == [
        (parse_timestamp(event["timestamp"]), event["event_type"])
        for event in events[11:61]
        if event["event_type"] in kinds
    ]


def test_a_session_is_read_in_batches(filled: Engine) -> None:
    """Each event comes once, in order, with its data; nobody's session has none."""
    after_us, found = 0, []
    while True:
        batch = filled.store.events_of("s1", after_us)
        assert batch is not None
        found += [(kind, format_timestamp(us), json.loads(data)) for kind, us, data in batch.events]
        if batch.is_last:
            break
        after_us = batch.events[-1][1]
    mine = [event for event in everything(filled) if event["session_id"] == "s1"]
    assert found == [(event["event_type"], event["timestamp"], event["data"]) for event in mine]
    assert filled.store.events_of("nobody", 0) is None


def test_what_is_new_is_told_once_in_order(engine: Engine) -> None:
    """What is there at the start is history; from then on everything is told, as `arrivals` gives it."""
    fill(engine, ["simple"])
    engine.reopen()
    before = engine.store.cursor().id
    maker = LogMaker("live")
    engine.put("live", maker.started(), live=True)
    for _ in range(20):
        engine.put(
            "live",
            maker.lines("stdin", {"type": "user", "message": {"role": "user", "content": "x"}}),
            live=True,
        )
    engine.settle()
    newest = engine.store.cursor().id
    assert engine.ear.has_heard(newest - before)
    assert [one.id for one in engine.ear.arrivals] == list(range(before + 1, newest + 1))
    assert engine.store.arrivals(before, 1000).events == engine.ear.arrivals
    assert engine.store.wait_filled(WAIT_S)
