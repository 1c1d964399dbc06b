"""What a centre removes is gone for good, and everywhere; its room is given back, and what it cost stays known."""

import contextlib
import random
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from proxy.config import settings_of
from proxy.server.watch.jobs import Retention
from proxy.store.fleet import Arriving, Outcome
from proxy.store.model import ArrivalFilter, EventQuery
from proxy.store.postgres import intake, removal
from proxy.store.postgres.connections import connect, execute
from proxy.store.postgres.intake import Intake
from proxy.store.postgres.store import PostgresStore
from tests.recorded import LogMaker, scenario
from tests.store.postgres.contents import contents, database_bytes
from tests.store.postgres.engine import Centre

DAY = timedelta(days=1)


@pytest.fixture
def store(centre: Centre) -> PostgresStore:
    """The store of a centre."""
    assert isinstance(centre.store, PostgresStore)
    return centre.store


def put_long_ago(centre: Centre, weeks: int, *names: str, live: bool = False, text: bytes = b"") -> None:
    """Push sessions as if it were some weeks ago."""
    monday = date.today() - timedelta(days=date.today().weekday(), weeks=weeks)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(intake, "week_of", lambda _: monday)
        for name in names:
            log = LogMaker(name).started() if live else scenario("subagent", LogMaker(name))
            centre.put(name, log + text, live=live)
    with connect(centre.url) as connection:
        query = "UPDATE claude_proxy.sessions SET stored_at = %s WHERE session_id = ANY(%s)"
        execute(connection, query, (datetime.now(UTC) - timedelta(weeks=weeks), list(names)))


def before(days: int) -> datetime:
    """Return when so many days ago was."""
    return datetime.now(UTC) - days * DAY


def expired(store: PostgresStore, days: int) -> list[str]:
    """Let expire what is so old; return which sessions those are."""
    return [one.session_id for one in store.expire(before(days))]


def there(store: PostgresStore) -> list[str]:
    """Return which sessions there are."""
    return sorted(one.session_id for one in store.sessions())


def weeks_of(centre: Centre) -> int:
    """Return for how many weeks there are tables."""
    with connect(centre.url) as connection:
        query = "SELECT count(*) FROM pg_inherits WHERE inhparent = 'claude_proxy.bodies'::regclass"
        ((count,),) = execute(connection, query).fetchall()
    return int(count)


def test_retention_goes_by_weeks(centre: Centre, store: PostgresStore) -> None:
    """What came in a week that is over for so long goes with the week's tables; what is younger, or goes on, stays."""
    put_long_ago(centre, 10, "a", "b")
    put_long_ago(centre, 20, "live", live=True)
    put_long_ago(centre, 30, "c")
    centre.put("young", scenario("subagent", LogMaker("young")))
    assert weeks_of(centre) == 4
    assert expired(store, 365) == []
    assert expired(store, 60) == ["a", "b", "c"]
    assert (there(store), weeks_of(centre)) == (["live", "young"], 2)
    assert expired(store, 60) == []
    with connect(centre.url) as connection:
        execute(connection, "UPDATE claude_proxy.hosts SET heard_at = now() - interval '8 days'")
    assert expired(store, 60) == ["live"]  # its host is lost
    assert (there(store), weeks_of(centre)) == (["young"], 1)
    page = store.events(EventQuery(limit=10_000))
    assert page.total == len(page.events) == store.count_events() > 0


def test_what_goes_on_since_an_old_week_stays(centre: Centre, store: PostgresStore) -> None:
    """The days count from when something came last; deriving it anew is nothing that came."""
    put_long_ago(centre, 20, "a", live=True)
    centre.end("a")
    assert expired(store, 60) == []
    put_long_ago(centre, 20, "b")
    centre.reset()
    assert expired(store, 60) == ["b"]


def test_the_database_shrinks_and_sums_stay(centre: Centre, store: PostgresStore) -> None:
    """Dropped tables give their room back; what sessions cost in all is known afterwards too."""
    dice = random.Random(1)
    noise = b"".join(b'{"x":"%s"}\n' % dice.randbytes(500_000).hex().encode() for _ in range(4))
    put_long_ago(centre, 10, "a", text=noise)
    assert "a" in there(store)
    totals, size = store.totals(), database_bytes(centre.url)
    assert totals["microdollars",] > 0
    assert expired(store, 30) == ["a"]
    assert database_bytes(centre.url) < size - 1_000_000
    kept = {key: value for key, value in totals.items() if key[0] != "state"}
    assert {key: value for key, value in store.totals().items() if key[0] != "state"} == kept


def test_tables_in_use_are_dropped_another_time(centre: Centre, store: PostgresStore) -> None:
    """Who reads them for long, as a dump does, is not held up, nor anybody else; the sessions are gone at once."""
    put_long_ago(centre, 10, "a")
    with connect(centre.url) as reader, reader.transaction():
        execute(reader, "SELECT FROM claude_proxy.bodies")
        assert expired(store, 30) == ["a"]
        assert weeks_of(centre) == 1
        centre.put("b", scenario("simple", LogMaker("b")))
    assert expired(store, 30) == []
    assert (weeks_of(centre), there(store)) == (1, ["b"])


def test_a_server_of_the_centre_lets_sessions_expire(
    centre: Centre, store: PostgresStore, tmp_path: Path
) -> None:
    """`monitoring.retention_days` is the rule; a clock that was set costs one look."""
    put_long_ago(centre, 10, "a")
    settings = settings_of({"monitoring": {"retention_days": 30}})
    clock = [datetime.now(UTC).timestamp(), 0.0]
    expiry = Retention(str(tmp_path), settings, lambda: clock[0], lambda: clock[1], centre=store)
    clock[0] += 1_000_000
    expiry.look(lambda: False)
    assert there(store) == ["a"]
    expiry.look(lambda: True)
    assert there(store) == ["a"]
    expiry.look(lambda: False)
    assert there(store) == []


def test_what_is_forgotten_is_in_no_column(centre: Centre, store: PostgresStore) -> None:
    """Neither what was said, nor what was derived from it; only that the session is not taken again."""
    host, other = centre.host(), centre.host("host-2")
    secret = b"what-nobody-may-know"
    log = scenario("subagent", LogMaker("a")).replace(b'"result":"', b'"result":"' + secret)
    for name, by in (("a", host), ("b", host), ("c", other)):
        text = log.replace(b'"session_id":"a"', b'"session_id":"%s"' % name.encode())
        (pushed,) = centre.intake.take([Arriving(by, None, name, 0, text, running=False)])
        assert pushed.answer.outcome is Outcome.STORED
    assert sum(secret in text for text in contents(centre.url)) > 3
    assert store.forgettable(["a", "nobody"], []) == list(store.forget(["a", "nobody"], [])) == ["a"]
    assert there(store) == ["b", "c"]
    assert list(store.forget([], [other])) == ["c"]
    assert list(store.forget(["b"], [])) == ["b"]
    assert not any(secret in text for text in contents(centre.url))
    assert store.count_events() == 0
    with contextlib.closing(Intake(centre.url)) as another:
        for place, running in ((centre.intake, True), (centre.intake, False), (another, True)):
            (pushed,) = place.take([Arriving(host, None, "a", 0, log, running)])
            assert pushed.answer.outcome is Outcome.FORGOTTEN
    assert there(store) == []


def test_forgotten_while_it_is_pushed(
    centre: Centre, store: PostgresStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A push that had begun before does not bring it back."""
    centre.put("a", scenario("simple", LogMaker("a")))
    begin = Intake._begin
    host = centre.host()

    def forget_first(self: Intake, *values: object) -> None:
        with connect(centre.url) as connection:
            execute(connection, "INSERT INTO claude_proxy.forgotten VALUES ('b', now(), 'forget')")
        begin(self, *values)  # type: ignore[arg-type]

    monkeypatch.setattr(Intake, "_begin", forget_first)
    (pushed,) = centre.intake.take([Arriving(host, None, "b", 0, scenario("simple", LogMaker("b")))])
    assert pushed.answer.outcome is Outcome.FORGOTTEN
    assert there(store) == ["a"]
    assert store.count_sessions() == 1


def test_who_was_away_is_told_of_old_removals(
    centre: Centre, store: PostgresStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long ago it was removed; what is kept for that is bounded."""
    monkeypatch.setattr(removal, "_KEPT_REMOVALS", 2)
    centre.put("stays", scenario("simple", LogMaker("stays")))
    newest = store.cursor().id
    for number in range(9):
        centre.put(f"s{number}", scenario("simple", LogMaker(f"s{number}")))
        assert list(store.forget([f"s{number}"], [])) == [f"s{number}"]
        with connect(centre.url) as connection:
            ((count,),) = execute(
                connection, "SELECT count(DISTINCT session_id) FROM claude_proxy.tombstones"
            ).fetchall()
        assert count <= 5
    assert store.arrivals(0, 1).is_missing
    for session_id, is_missing in (("s0", True), ("s8", True), ("stays", False)):
        assert store.arrivals(0, 1, ArrivalFilter(session_id)).is_missing is is_missing
    assert not store.arrivals(store.cursor().id, 1).is_missing
    assert store.arrivals(newest, 1).is_missing
