"""What rules found is told among the events of its session, in whichever store."""

import json
from typing import Any

from proxy.events import Interpreter, Session
from proxy.sessions.firings import Firing
from proxy.store.arrivals import arrivals_behind
from proxy.store.model import EventQuery
from tests.recorded import START_US, LogMaker, firing, records, scenario
from tests.store.contract.engines import Engine

LOG = scenario("subagent", LogMaker("s"))
END_US = START_US + 1000 * LOG.count(b"\n")


def told(engine: Engine) -> list[dict[str, Any]]:
    """Return the events of the session."""
    page = engine.store.events(EventQuery(session_id="s", limit=10_000))
    return [json.loads(one) for one in page.events]


def made(fired: list[Firing]) -> list[str]:
    """Return the types of events that the interpreter makes of the log, and of what rules had found by its end."""
    interpreter = Interpreter(Session("s"))
    interpreter.expect(fired)
    events = [event for record in records(LOG) for event in interpreter.take(record)]
    return [event.event_type for event in events + interpreter.rest()]


def test_it_is_told_in_order_of_time(engine: Engine) -> None:
    """Between the records among which it was found, and again so when all is derived anew."""
    fired = [firing(START_US + 4500), firing(START_US + 4500, "slow"), firing(END_US + 10)]
    engine.put("s", LOG, fired=fired)
    engine.settle()
    before = told(engine)
    assert [one["event_type"] for one in before] == made(fired)
    assert [one["data"]["rule"] for one in before if one["event_type"] == "rule_fired"] == [
        "dear",
        "slow",
        "dear",
    ]
    assert engine.store.events(EventQuery(event_types=("rule_fired",))).total == 3
    engine.reset()
    assert told(engine) == before
    session = engine.store.session("s")
    assert session is not None
    assert (session.firings, session.figures.events) == (3, len(before))


def test_it_arrives_as_any_event(engine: Engine) -> None:
    """By itself, while a session goes on, and late, once it is over: each once, behind what was there."""
    lines = LOG.splitlines(keepends=True)
    engine.put("s", b"".join(lines[:-1]), live=True)
    engine.settle()
    place = engine.store.cursor()
    engine.put("s", b"", live=True, fired=[firing(START_US + 1)])
    engine.settle()
    page = arrivals_behind(engine.store, place, limit=100)
    assert [one.event_type for one in page.events] == ["rule_fired"]
    assert page.gap is None
    engine.reopen()
    engine.put("s", lines[-1], live=True)
    engine.settle()  # a firing that is read first is told first
    engine.put("s", b"", fired=[firing(END_US, "late")])
    engine.settle()
    after = arrivals_behind(engine.store, page.after, limit=100).events
    assert after[-1].event_type == "rule_fired"
    events = told(engine)
    assert [one["data"].get("rule") for one in events if one["event_type"] == "rule_fired"] == [
        "dear",
        "late",
    ]
    assert [one["timestamp"] for one in events] == sorted({one["timestamp"] for one in events})
    assert len(events) == engine.store.count_events()


def test_it_goes_with_its_session(engine: Engine) -> None:
    """Nothing of it is counted any more."""
    engine.put("s", LOG, fired=[firing(START_US)])
    engine.settle()
    engine.remove("s")
    engine.settle()
    assert engine.store.count_events() == 0
