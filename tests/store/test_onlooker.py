"""Reading along in an index that another process fills."""

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from proxy.sessions.record import StreamRecords, lifecycle
from proxy.sessions.writer import SessionLog
from proxy.store.database import index_path
from proxy.store.indexer import Arrival, Indexer
from proxy.store.onlooker import LOCK, Onlooker, Standing
from proxy.store.queries import Queries

PROMPT = b'{"type":"user","message":{"role":"user","content":"hi"}}'
WAIT_S = 30


class Ear:
    """Hears what an onlooker hands on."""

    def __init__(self) -> None:
        self.heard: list[Arrival] = []
        self.begun_anew = threading.Event()
        self._more = threading.Condition()

    def hear(self, arrivals: list[Arrival]) -> None:
        """Take in."""
        with self._more:
            self.heard += arrivals
            self._more.notify_all()

    def has(self, count: int) -> bool:
        """Wait for so many."""
        with self._more:
            return self._more.wait_for(lambda: len(self.heard) >= count, WAIT_S)


@pytest.fixture
def log(tmp_path: Path) -> Iterator[SessionLog]:
    """A session that lives, and has said something before anybody looked."""
    log = SessionLog(str(tmp_path), "s", lifecycle("s", "session_started", {"format": 1}))
    say(log)
    yield log
    log.close()


def say(log: SessionLog, count: int = 1) -> None:
    """Let the session's client say something."""
    records = StreamRecords("s", "stdin")
    log.append([records.message(PROMPT, "valid") for _ in range(count)])


def index(indexer: Indexer) -> None:
    """Index all that there is."""
    indexer.look()
    while indexer.pending:
        indexer.step()


def lead(data_dir: Path, **said: object) -> None:
    """Say what the process that indexes says."""
    (data_dir / LOCK).write_bytes(msgspec.json.encode(msgspec.convert(said, Standing)))


def test_hands_on_what_is_new_and_nothing_else(tmp_path: Path, log: SessionLog) -> None:
    """What is there when the index is current first is history; from then on everything comes, in order, once."""
    ear = Ear()
    onlooker = Onlooker(str(tmp_path), Queries(str(tmp_path)), ear.hear, ear.begun_anew.set)
    onlooker.start()
    indexer = Indexer(str(tmp_path))
    index(indexer)
    lead(tmp_path, pid=1, caught_up=True)
    assert onlooker.caught_up.wait(WAIT_S)
    assert ear.heard == []
    history = Queries(str(tmp_path)).place_of(None)
    for _ in range(3):
        say(log, 400)
        index(indexer)
    assert onlooker.catch_up(WAIT_S, "s")
    newest = Queries(str(tmp_path)).place_of(None)
    assert newest >= history + 1200
    assert ear.has(newest - history)
    assert [one.id for one in ear.heard] == list(range(history + 1, newest + 1))
    assert onlooker.generation == indexer.generation
    onlooker.stop()
    indexer.close()


def test_catching_up_waits_for_the_other_process(tmp_path: Path, log: SessionLog) -> None:
    """It returns as soon as what was in the log is in the index, and says when that was not so in time."""
    indexer = Indexer(str(tmp_path))
    index(indexer)
    lead(tmp_path, pid=1, caught_up=True)
    onlooker = Onlooker(str(tmp_path), Queries(str(tmp_path)), lambda _: None, lambda: None)
    onlooker.start()
    assert onlooker.catch_up(WAIT_S)
    say(log)
    assert not onlooker.catch_up(0.05, "s")
    threading.Timer(0.05, index, [indexer]).start()
    assert onlooker.catch_up(WAIT_S, "s")
    assert onlooker.catch_up(0, "nobody")
    onlooker.stop()
    indexer.close()


def test_tells_how_the_other_process_stands(tmp_path: Path, log: SessionLog) -> None:
    """Its troubles are in the health of every process."""
    indexer = Indexer(str(tmp_path))
    index(indexer)
    lead(tmp_path, pid=1, caught_up=True, trouble="disk full", set_aside=["bad"])
    onlooker = Onlooker(str(tmp_path), Queries(str(tmp_path)), lambda _: None, lambda: None)
    onlooker.start()
    assert onlooker.caught_up.wait(WAIT_S)
    assert (onlooker.trouble, onlooker.set_aside) == ("disk full", {"bad"})
    onlooker.stop()
    indexer.close()


def test_an_index_that_was_begun_anew_is_noticed(tmp_path: Path, log: SessionLog) -> None:
    """Places in the old one mean nothing in the new one: whoever reads along is told."""
    ear = Ear()
    first = Indexer(str(tmp_path))
    index(first)
    lead(tmp_path, pid=1, caught_up=True)
    onlooker = Onlooker(str(tmp_path), Queries(str(tmp_path)), ear.hear, ear.begun_anew.set)
    onlooker.start()
    assert onlooker.caught_up.wait(WAIT_S)
    first.close()
    os.unlink(index_path(str(tmp_path)))
    second = Indexer(str(tmp_path))
    index(second)
    assert ear.begun_anew.wait(WAIT_S)
    onlooker.stop()
    second.close()
