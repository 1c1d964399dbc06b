"""Places in the order of arrival: nothing behind one is missed, and what was removed there is told."""

from proxy.store.arrivals import BEGUN_ANEW, REMOVED, arrivals_behind
from proxy.store.model import Arrival, ArrivalFilter, Cursor
from tests.recorded import LogMaker, scenario
from tests.store.contract.conftest import fill
from tests.store.contract.engines import Engine


def arrived(engine: Engine) -> list[Arrival]:
    """Return everything, in the order of arrival."""
    return engine.store.arrivals(0, 1_000_000).events


def place_of(engine: Engine, arrival: Arrival) -> Cursor:
    """Return the place behind an event."""
    return Cursor(engine.store.cursor().epoch, arrival.id, arrival.timestamp_us)


def is_missing(
    engine: Engine, after_id: int, session_id: str | None = None, *types: str, told: int = 0
) -> bool:
    """Ask as a stream does."""
    which = ArrivalFilter(session_id, types or None)
    return engine.store.arrivals(after_id, 10, which, told=told).is_missing


def test_places_survive_a_restart(engine: Engine) -> None:
    """What came behind an event is found again."""
    fill(engine)
    events = arrived(engine)
    middle = place_of(engine, events[50])
    assert Cursor.parse(str(middle)) == middle
    engine.reopen()
    assert engine.store.arrivals(engine.store.locate(middle), 1000).events == events[51:]
    assert engine.store.arrivals(engine.store.cursor().id, 10).events == []


def test_a_place_in_a_store_that_was_begun_anew(engine: Engine) -> None:
    """At least what came behind it is found; ids that this store has not given yet are of another one, too."""
    fill(engine)
    events = arrived(engine)
    middle = place_of(engine, events[50])
    late = Cursor(middle.epoch, middle.id + 10**6, middle.timestamp_us)
    behind = {one.json for one in events if one.timestamp_us > middle.timestamp_us}
    assert behind <= {one.json for one in engine.store.arrivals(engine.store.locate(late), 1000).events}
    engine.reset()
    assert engine.store.cursor().epoch != middle.epoch
    assert behind <= {one.json for one in engine.store.arrivals(engine.store.locate(middle), 1000).events}
    page = arrivals_behind(engine.store, middle, limit=1000)
    assert page.gap == BEGUN_ANEW
    assert behind <= {one.json for one in page.events}
    assert arrivals_behind(engine.store, page.after, limit=10).gap is None


def test_going_on_gives_everything_once(engine: Engine) -> None:
    """Whatever is wanted, and however many at a time: each event once, also those that come meanwhile."""
    fill(engine, ["simple", "tool_deny"])
    for session_id, types in ((None, None), ("s1", None), (None, ("run_started", "run_completed"))):
        after, seen = Cursor(engine.store.cursor().epoch, 0, 0), []
        while True:
            page = arrivals_behind(engine.store, after, limit=3, which=ArrivalFilter(session_id, types))
            assert page.gap is None
            if not page.events:
                break
            after = page.after
            seen += page.events
        assert seen == [
            one
            for one in arrived(engine)
            if session_id in (None, one.session_id) and (types is None or one.event_type in types)
        ]


def test_only_what_was_not_heard_is_missing(engine: Engine) -> None:
    """Behind the last removed event nothing is missing, before it something is: of each type, to the event."""
    fill(engine, ["simple", "tool_deny", "interrupt"])
    events = arrived(engine)
    engine.remove("s1")
    engine.settle()
    gone = [one for one in events if one.session_id == "s1"]
    for name in {one.event_type for one in events}:
        last = max((one.id for one in gone if one.event_type == name), default=0)
        assert not is_missing(engine, last, None, name)
        assert is_missing(engine, last - 1, None, name) is (last > 0)
    last = max(one.id for one in gone)
    assert is_missing(engine, last - 1)
    assert not is_missing(engine, last)
    assert not is_missing(engine, 0, None, "nobody.says.this")
    assert is_missing(engine, 0, "s1")
    assert not is_missing(engine, last, "s1")
    assert not is_missing(engine, 0, "s0")
    assert not is_missing(engine, 0, "never-there")


def test_what_was_told_is_not_told_again(engine: Engine) -> None:
    """A removal that is known already is none, one more is; going on from an answer tells it once."""
    fill(engine, ["simple", "tool_deny", "interrupt"])
    begins = Cursor(engine.store.cursor().epoch, 0, 0)
    engine.remove("s1")
    engine.settle()
    known = engine.store.arrivals(0, 10).removal
    assert not is_missing(engine, 0, told=known)
    page = arrivals_behind(engine.store, begins, limit=1000)
    assert page.gap == REMOVED
    assert arrivals_behind(engine.store, page.after, limit=1000).gap is None
    engine.remove("s2")
    engine.settle()
    assert is_missing(engine, 0, told=known)


def test_numbers_are_not_used_again(engine: Engine) -> None:
    """The place of who has heard everything stays, also when the newest events are those that go."""
    fill(engine, ["simple", "tool_deny"])
    newest = engine.store.cursor().id
    engine.remove("s1")
    engine.settle()
    assert engine.store.cursor().id == newest
    assert not is_missing(engine, newest)
    engine.put("s9", scenario("simple", LogMaker("s9")))
    engine.settle()
    assert min(one.id for one in arrived(engine) if one.session_id == "s9") > newest
