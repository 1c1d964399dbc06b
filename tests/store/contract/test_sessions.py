"""Sessions: how they stand is what the interpreter says, however they came into the store."""

import random
from itertools import pairwise
from typing import Any

import msgspec
import pytest

from proxy.events import Interpreter, Session
from proxy.sessions.reader import parse
from proxy.store.model import EventQuery, SessionFilter, Totals
from proxy.store.totals import totals_of
from tests.recorded import START_US, LogMaker, scenario
from tests.store.contract.conftest import SOME, fill
from tests.store.contract.engines import Engine


def interpreted(session_id: str, log: bytes) -> Session:
    """Return what the interpreter makes of a log."""
    interpreter = Interpreter(Session(session_id))
    for line in log.splitlines():
        record = parse(line)
        assert not isinstance(record, str)
        interpreter.take(record)
    return interpreter.session


def content(engine: Engine) -> tuple[list[bytes], list[dict[str, Any]], Totals]:
    """Return everything that a store says."""
    page = engine.store.events(EventQuery(limit=100_000, offset=0, order="asc"))
    sessions = [msgspec.to_builtins(session) for session in engine.store.all_sessions()]
    return page.events, sessions, +engine.store.totals()


def test_sessions_are_what_the_interpreter_says(filled: Engine) -> None:
    """Newest first, in pages, one by one, and counted."""
    wanted = [
        interpreted(f"s{number}", scenario(name, LogMaker(f"s{number}", START_US + number * 7_300)))
        for number, name in enumerate(SOME)
    ][::-1]
    store = filled.store
    assert list(store.all_sessions()) == wanted
    assert [*store.sessions(limit=2), *store.sessions(limit=9, offset=2)] == wanted
    assert store.sessions(limit=2, begin=(wanted[3].started_us, wanted[3].session_id)) == wanted[3:5]
    assert store.sessions(begin=(wanted[3].started_us, "")) == wanted[4:]
    assert store.session("s3") == wanted[-4]
    assert store.session("nobody") is None
    assert store.count_sessions() == len(wanted)
    assert store.sessions(live_only=True) == []
    assert store.live() == []


def test_grown_equals_rebuilt(engine: Engine) -> None:
    """A store that grew with its sessions, in pieces and over restarts, says the same as one that is made at once."""
    logs = {f"s{n}": scenario(name, LogMaker(f"s{n}", START_US + n * 7_300)) for n, name in enumerate(SOME)}
    dice = random.Random(1)
    places = dict.fromkeys(logs, 0)
    for _ in range(30):
        for session_id, log in logs.items():
            size = dice.randrange(len(log) // 10)
            engine.put(session_id, log[places[session_id] : places[session_id] + size], live=True)
            places[session_id] += size
        engine.settle()
        if dice.random() < 0.2:
            engine.reopen()
    for session_id, log in logs.items():
        engine.put(session_id, log[places[session_id] :])
    engine.settle()
    grown = content(engine)
    engine.reset()
    assert content(engine) == grown


def test_newest_first_is_by_start(engine: Engine) -> None:
    """Ids that a caller has chosen do not sort by time; the list does."""
    for number, session_id in enumerate(("zebra", "ant", "monkey")):
        maker = LogMaker(session_id, START_US + number * 1_000_000)
        engine.put(session_id, maker.started() + maker.ended())
    engine.settle()
    assert [one.session_id for one in engine.store.all_sessions()] == ["monkey", "ant", "zebra"]


def test_a_session_lives_as_long_as_its_writer(engine: Engine) -> None:
    """It is live while its log is held, and has failed when that is let go without an end."""
    engine.put("a", LogMaker("a").started(), live=True)
    engine.settle()
    store = engine.store
    assert store.live() == ["a"]
    assert [one.session_id for one in store.sessions(live_only=True)] == ["a"]
    assert store.is_written("a")
    engine.end("a")
    engine.settle()
    assert (store.live(), store.sessions(live_only=True), store.is_written("a")) == ([], [], False)
    session = store.session("a")
    assert session is not None
    assert session.state == "failed"


@pytest.mark.parametrize("name", ["subagent", "interrupt", "background_agent"])
def test_a_session_that_was_taken_for_dead_goes_on(engine: Engine, name: str) -> None:
    """Regression: what a half log was taken for (a failed turn, an end) stayed when the rest of it came."""
    for line in scenario(name, LogMaker("s")).splitlines(keepends=True):
        engine.put("s", line)
        engine.settle()
        assert engine.store.live() == []
    grown = content(engine)
    engine.reset()
    assert content(engine) == grown


def test_a_command_that_has_exited_while_others_hold_its_streams(engine: Engine) -> None:
    """It is over, whoever is killed later, and what is recorded after that is taken in."""
    maker = LogMaker("s")
    engine.put(
        "s", maker.started(["sh"]) + maker.life("command_exited", exit_code=3, duration_ms=9), live=True
    )
    engine.settle()
    session = engine.store.session("s")
    assert session is not None
    assert (session.state, session.complete, engine.store.live()) == ("ended", False, ["s"])
    engine.put("s", maker.lines("stdout", b"from a descendant"), live=True)
    engine.end("s")
    engine.settle()
    session = engine.store.session("s")
    assert session is not None
    assert (session.state, session.crash, engine.store.live()) == ("ended", None, [])
    assert session.counts == {"stdout": {"malformed": 1}}


def test_sessions_by_outcome(engine: Engine) -> None:
    """Only sessions of the wanted outcomes, page by page, and how many there are; one that goes on has none."""
    fill(engine, ["simple", "budget", "api_error", "hook_stops"])
    engine.put("live", LogMaker("live").started(), live=True)
    engine.put("dead", LogMaker("dead").started(["claude", "--input-format", "stream-json"]))
    engine.settle()
    store = engine.store

    def of(*outcomes: str) -> list[str]:
        found = [one.session_id for one in store.sessions(which=SessionFilter(outcomes))]
        assert store.count_sessions(SessionFilter(outcomes)) == len(found)
        assert [
            one.session_id for one in store.sessions(which=SessionFilter(outcomes), limit=9, offset=1)
        ] == found[1:]
        return found

    assert (of("ok"), of("limited", "blocked"), of("failed")) == (["s0"], ["s3", "s1"], ["s2"])
    assert (of("crashed"), of("interrupted"), store.count_sessions()) == (["dead"], [], 6)
    engine.put("dead", LogMaker("dead").ended())
    engine.settle()
    assert (of("crashed"), of("ok")) == ([], ["s0", "dead"])


def test_most_events_of_a_session(engine: Engine) -> None:
    """A bound on events bounds what is kept of a session; its state is known to the end."""
    engine.reopen(most_events=5)
    fill(engine, ["simple"])
    assert engine.store.events(EventQuery()).total == 5
    session = engine.store.session("s0")
    assert session is not None
    assert (session.state, session.figures.turns) == ("ended", 2)


@pytest.mark.parametrize("restart", [False, True])
def test_sums_never_fall(engine: Engine, restart: bool) -> None:
    """They are those of all sessions; what a removed one has added stays, but for its state."""
    fill(engine, ["simple", "tool_deny"])
    one, other = engine.store.session("s0"), engine.store.session("s1")
    assert one is not None
    assert other is not None
    both = totals_of(one) + totals_of(other)
    assert engine.store.totals() == both
    engine.remove("s1")
    engine.settle()
    if restart:
        engine.reopen()
    both["state", other.state] -= 1
    assert +engine.store.totals() == both


def test_sums_follow_a_live_session(engine: Engine) -> None:
    """Whatever a session goes through, its share is counted once."""
    log = scenario("simple", LogMaker("a"))
    cuts = [0, len(log) // 3, len(log) // 2, len(log)]
    for start, stop in pairwise(cuts):
        engine.put("a", log[start:stop], live=True)
        engine.settle()
        session = engine.store.session("a")
        assert session is not None
        assert +engine.store.totals() == +totals_of(session)
        engine.reopen()


def test_what_is_watched(engine: Engine) -> None:
    """Those that live, those named, and those that came behind a row: each once, at one moment."""
    fill(engine, ["simple", "tool_deny"])
    first = engine.store.watched(-1, [])
    assert (first.epoch, first.live, first.sessions) == (engine.store.cursor().epoch, [], [])
    engine.put("live", LogMaker("live").started(), live=True)
    engine.put("new", scenario("simple", LogMaker("new")))
    engine.settle()
    seen = engine.store.watched(first.newest_row, ["s0", "live", "nobody"])
    assert seen.live == ["live"]
    assert sorted(one.session_id for one in seen.sessions) == ["live", "new", "s0"]
    assert engine.store.watched(seen.newest_row, []).sessions == [engine.store.session("live")]


def test_it_says_how_it_stands(engine: Engine) -> None:
    """How many sessions there are, that it is filled, and that nothing is wrong."""
    fill(engine, ["simple", "tool_deny"])
    stands = engine.store.health()
    assert (stands.sessions, stands.behind_bytes, stands.trouble, stands.set_aside) == (2, 0, None, [])
    assert stands.is_filled
