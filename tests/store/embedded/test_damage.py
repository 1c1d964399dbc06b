"""A damaged index is made again from the logs, whatever is damaged, and when; nothing wrong is told meanwhile."""

import contextlib
import os
import random
import sqlite3
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest

from proxy.store import StoreError
from proxy.store.embedded import follower as follower_module
from proxy.store.embedded.database import connect, index_path
from proxy.store.embedded.store import EmbeddedStore
from proxy.store.model import EventQuery
from proxy.store.records import Part, RecordQuery, page_of_records
from tests.server.test_background import until
from tests.store.contract.engines import WAIT_S, Ear
from tests.store.embedded.test_indexer import SOME, fill, index
from tests.tiers import first_in_short, in_short

PAGE = 4096
SEEDS = range(14)
Damage = Callable[[Path], None]


def everything(store: EmbeddedStore) -> Any:
    """Return all that a store says. StoreError where it notices that something is wrong."""
    page = store.events(EventQuery(limit=100_000, offset=0, order="asc"))
    sessions = list(store.all_sessions())
    of_each = [
        (
            store.events(
                EventQuery(session_id=one.session_id, event_types=("run_started", "session_ended"))
            ).total,
            page_of_records(store.pieces(one.session_id), RecordQuery(streams=("stdin",)), Part(limit=1000)),
            store.drift(one.session_id)[0].listed(),
        )
        for one in sessions
    ]
    counted = (store.count_events(), store.count_sessions(), +store.totals(), store.event_counts(None, None))
    return page.events, page.total, sessions, of_each, counted


def soon(store: EmbeddedStore) -> Any:
    """Return all that a store says, None as long as it cannot say it."""
    with contextlib.suppress(StoreError, KeyError, OSError):
        if store.wait_filled(0):
            return everything(store)
    return None


@contextlib.contextmanager
def running(folder: Path) -> Iterator[tuple[EmbeddedStore, Ear]]:
    """Run a store."""
    store, ear = EmbeddedStore(str(folder)), Ear()
    store.start(ear)
    try:
        assert store.wait_filled(WAIT_S)
        yield store, ear
    finally:
        store.close()


@pytest.fixture(autouse=True)
def no_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let an index be made again as often as it is damaged, and be looked at often."""
    monkeypatch.setattr(follower_module, "MOST_REPAIRS", 100)
    monkeypatch.setattr(follower_module, "IDLE_S", 0.05)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data directory with an index."""
    fill(tmp_path, SOME * 2)
    index(tmp_path)
    return tmp_path


def damaged(path: Path, seed: int) -> None:
    """Put a block of junk into the index, or flip two hundred bits, behind its first page."""
    dice = random.Random(seed)
    size = path.stat().st_size
    with path.open("r+b") as file:
        if seed % 2:
            file.seek(dice.randrange(PAGE, size - PAGE))
            file.write(dice.randbytes(PAGE))
            return
        for _ in range(200):
            place = dice.randrange(PAGE, size)
            file.seek(place)
            (byte,) = file.read(1)
            file.seek(place)
            file.write(bytes([byte ^ 1 << dice.randrange(8)]))


@pytest.mark.parametrize("seed", first_in_short(SEEDS, 4))
def test_damaged_before_the_start(folder: Path, seed: int) -> None:
    """Regression: of fourteen such indexes two kept the server from starting, and none was ever made again."""
    with running(folder) as (store, _):
        wanted = everything(store)
    damaged(folder / "index.sqlite3", seed)
    with running(folder) as (store, _):
        until(lambda: soon(store) == wanted, WAIT_S)
        assert store.health().trouble is None


@pytest.mark.parametrize("seed", first_in_short(SEEDS, 4))
def test_damaged_while_it_runs(folder: Path, seed: int) -> None:
    """So also an index that is damaged under a running store."""
    with running(folder) as (store, ear):
        wanted = everything(store)
        damaged(folder / "index.sqlite3", seed)
        until(lambda: soon(store) == wanted and ear.epochs, WAIT_S)
        assert store.health().trouble is None


def execute(*statements: str) -> Damage:
    """Return a damage done through SQLite itself."""

    def done(folder: Path) -> None:
        with contextlib.closing(connect(index_path(str(folder)))) as connection:
            for statement in statements:
                connection.execute(statement)

    return done


def remove(*suffixes: str) -> Damage:
    """Return a damage that removes files of the index."""

    def done(folder: Path) -> None:
        for suffix in suffixes:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(index_path(str(folder)) + suffix)

    return done


def junk(suffix: str) -> Damage:
    """Return a damage that writes junk over a file of the index."""

    def done(folder: Path) -> None:
        with open(index_path(str(folder)) + suffix, "r+b") as file:
            file.write(random.Random(1).randbytes(100_000))

    return done


def cut(size: int) -> Damage:
    """Return a damage that leaves so much of the index."""

    def done(folder: Path) -> None:
        os.truncate(index_path(str(folder)), size)

    return done


def replaced_by(content: bytes | None) -> Damage:
    """Return a damage that puts another file in the index's place; None: an empty database."""

    def done(folder: Path) -> None:
        fresh = folder / "fresh"
        if content is None:
            with contextlib.closing(sqlite3.connect(fresh)) as connection:
                connection.execute("CREATE TABLE other (x)")
                connection.commit()
        else:
            fresh.write_bytes(content)
        os.replace(fresh, index_path(str(folder)))

    return done


DAMAGES: dict[str, Damage] = {
    **{
        f"no table {name}": execute(f"DROP TABLE {name}")
        for name in ("events", "counts", "pieces", "drift", "meta")
    },
    "no index": execute("DROP INDEX by_time"),
    "a state is no JSON": execute("UPDATE sessions SET state = x'7b'"),
    "a state is another one": execute("UPDATE sessions SET state = replace(state, 'ended', 'endes')"),
    "an event is another one": execute("UPDATE events SET data = x'7b7d' WHERE id = 7"),
    "a count is wrong": execute("UPDATE counts SET count = count + 1 WHERE level = 2"),
    "a number is a text": execute("UPDATE sessions SET offset = 'x' WHERE id = 1"),
    "events are gone": execute("DELETE FROM events WHERE id % 7 = 0"),
    "the index is gone": remove(""),
    "everything is gone": remove("", "-wal", "-shm"),
    "the journal is gone": remove("-wal"),
    "the journal is junk": junk("-wal"),
    "cut": cut(3 * PAGE),
    "emptied": cut(0),
    "no database": replaced_by(b"no database at all" * 1000),
    "another database": replaced_by(None),
}
NEIGHBOURS = {
    "no table events",
    "a state is another one",
    "a count is wrong",
    "everything is gone",
    "no database",
}
"""What the short tier plays: one each of a table, a row, a sum, the files and their content."""


@pytest.mark.parametrize("name", in_short(DAMAGES, names=NEIGHBOURS))
def test_whatever_is_done_to_it_while_it_runs(folder: Path, name: str) -> None:
    """Damaged, gone or another one: it is made again, and says the same as before. The journal says so once."""
    with running(folder) as (store, ear):
        wanted = everything(store)
        DAMAGES[name](folder)
        until(lambda: soon(store) == wanted and ear.epochs, WAIT_S)
        assert store.health().trouble is None
        fill(folder, [*SOME * 2, "simple"])
        assert store.catch_up(WAIT_S)
        assert store.count_sessions() == len(SOME) * 2 + 1


@pytest.mark.parametrize(
    "name", in_short([name for name in DAMAGES if "journal" not in name], names=NEIGHBOURS)
)
def test_whatever_was_done_to_it_before(folder: Path, name: str) -> None:
    """So also at the start."""
    with running(folder) as (store, _):
        wanted = everything(store)
    DAMAGES[name](folder)
    with running(folder) as (store, _):
        until(lambda: soon(store) == wanted, WAIT_S)


def test_a_disk_that_damages_it_again_and_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is begun anew a few times an hour, and not for ever; in between it says what is wrong."""
    monkeypatch.setattr(follower_module, "MOST_REPAIRS", 2)
    with running(folder) as (store, ear):
        for count in (1, 2):
            os.unlink(folder / "index.sqlite3")
            until(partial(_has_begun_anew, store, ear, count))
        os.unlink(folder / "index.sqlite3")
        until(lambda: ear.faults)
        assert "2 times within the hour" in ear.faults[0]
        assert len(ear.epochs) == 2


def _has_begun_anew(store: EmbeddedStore, ear: Ear, count: int) -> bool:
    return len(ear.epochs) == count and store.wait_filled(0)


def test_what_a_damaged_row_says_is_not_told(folder: Path) -> None:
    """An event whose text was changed on the disk is not given out."""
    with running(folder) as (store, _):
        pass
    execute("UPDATE events SET data = replace(data, 'session', 'sessiom') WHERE id = 1")(folder)
    store = EmbeddedStore(str(folder))
    try:
        with pytest.raises(StoreError):
            store.arrivals(0, 10)
        assert msgspec.json.decode(store.arrivals(1, 1).events[0].json)
    finally:
        store.close()
