"""What is new is heard of by every server, once and in order, also over the death of the database."""

from proxy.store.postgres.store import PostgresStore
from tests.recorded import LogMaker, scenario
from tests.server.test_background import until
from tests.store.contract.engines import Ear
from tests.store.postgres.cluster import Cluster
from tests.store.postgres.engine import Centre


def test_the_database_dies_and_comes_back() -> None:
    """Listeners are told that it is away, go on where they were, and miss nothing."""
    cluster = Cluster()
    try:
        with cluster.database() as url:
            one, other = Centre(url), Centre(url)
            try:
                one.put("a", scenario("simple", LogMaker("a")))
                count = one.store.cursor().id
                assert all(centre.ear.has_heard(count) for centre in (one, other))
                cluster.kill()
                until(lambda: one.ear.faults and other.ear.faults)
                cluster.start()
                other.put("b", scenario("tool_deny", LogMaker("b")))
                newest = other.store.cursor().id
                for centre in (one, other):
                    assert centre.ear.has_heard(newest)
                    assert [arrival.id for arrival in centre.ear.arrivals] == list(range(1, newest + 1))
                    assert centre.ear.epochs == []
            finally:
                one.close()
                other.close()
    finally:
        cluster.close()


def test_what_comes_while_a_server_starts(centre: Centre) -> None:
    """Between a look at the database and the beginning to listen nothing is passed over: nobody would hear of it."""
    store, ear = PostgresStore(centre.url), Ear()
    centre.put("a", scenario("simple", LogMaker("a")))
    store.start(ear)
    try:
        assert ear.has_heard(centre.store.cursor().id)
        assert [arrival.id for arrival in ear.arrivals] == list(range(1, centre.store.cursor().id + 1))
    finally:
        store.close()


def test_behind_a_pooler(centre: Centre) -> None:
    """Where no notice is heard, it is looked again and again."""
    store, ear = PostgresStore(centre.url, is_pooled=True), Ear()
    store.start(ear)
    try:
        centre.put("a", scenario("simple", LogMaker("a")))
        assert ear.has_heard(centre.store.cursor().id)
    finally:
        store.close()
