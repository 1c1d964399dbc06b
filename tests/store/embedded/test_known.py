"""What the index knows of sessions already: the same as their logs say, or nothing."""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from proxy.events import Interpreter, Session, describe
from proxy.sessions import catalogue
from proxy.sessions.identity import log_path
from proxy.sessions.reader import Entry, read_log
from proxy.store.embedded.database import index_path
from proxy.store.embedded.indexer import Indexer
from proxy.store.embedded.known import known_sessions
from tests.recorded import NAMES, LogMaker, scenario
from tests.store.embedded.test_damage import damaged

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOW_US = 1_800_000_000_000_000


def write(data_dir: Path, session_id: str, content: bytes) -> str:
    """Write a log; return its path."""
    path = log_path(str(data_dir), session_id)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "ab") as log:
        log.write(content)
    return path


def indexed(data_dir: Path) -> Indexer:
    """Return an indexer that has read everything, and is still there."""
    indexer = Indexer(str(data_dir))
    indexer.look()
    while indexer.is_behind:
        indexer.step()
    return indexer


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Indexer]:
    """An index of one session that is over."""
    write(tmp_path, "a", scenario("simple"))
    indexer = indexed(tmp_path)
    yield indexer
    indexer.close()


def known(data_dir: Path) -> dict[str, Any]:
    """Return what the index knows."""
    return known_sessions(str(data_dir), list(catalogue.list_sessions(str(data_dir))))


def interpreted(path: str, session: Session, offset: int = 0) -> dict[str, Any]:
    """Return what a session is after the rest of its log."""
    interpreter = Interpreter(session)
    for item in read_log(path, offset):
        if isinstance(item, Entry):
            interpreter.take(item.record)
    if catalogue.inspect(path).state == "crashed":
        session.mark_crashed()
    told: dict[str, Any] = msgspec.to_builtins(describe(session, NOW_US))
    return told


def assert_same(data_dir: Path) -> None:
    """Everything is known, and with the rest of its log the same as the whole log says."""
    found = known(data_dir)
    for info in catalogue.list_sessions(str(data_dir)):
        one = found[info.path]
        assert interpreted(info.path, one.session, one.offset) == interpreted(
            info.path, Session(info.session_id)
        )


def test_of_all_recorded_sessions_it_knows_what_their_logs_say(tmp_path: Path) -> None:
    """Whole ones, and such as have no end."""
    for name in NAMES:
        whole = scenario(name)
        cut = whole.index(b"\n", len(whole) // 2) + 1
        write(tmp_path, f"{name}.whole", whole)
        write(tmp_path, f"{name}.dead", whole[:cut])
    indexed(tmp_path).close()
    assert_same(tmp_path)
    assert len(known(tmp_path)) == 2 * len(NAMES)


def test_what_has_come_since_is_left_to_the_log(tmp_path: Path) -> None:
    """The offset says from where: of a log that was being written then, and has grown."""
    whole = scenario("simple")
    cut = whole.index(b"\n", len(whole) // 2) + 1
    path = write(tmp_path, "a", whole[:cut])
    with open(path, "rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)  # as its writer would: it has not crashed when it is indexed
        indexed(tmp_path).close()
    write(tmp_path, "a", whole[cut:])
    assert known(tmp_path)[path].offset == cut
    assert_same(tmp_path)


def test_a_session_that_was_taken_for_dead_is_read_anew(tmp_path: Path) -> None:
    """Its log has gone on: what the index concluded from its silence does not hold."""
    whole = scenario("simple")
    cut = whole.index(b"\n", len(whole) // 2) + 1
    write(tmp_path, "a", whole[:cut])
    indexed(tmp_path).close()
    write(tmp_path, "a", whole[cut:])
    assert known(tmp_path) == {}


@pytest.mark.usefixtures("index")
def test_a_server_that_writes_the_index_does_not_matter(tmp_path: Path) -> None:
    """Its journal is read as well."""
    assert os.path.exists(f"{index_path(str(tmp_path))}-wal")
    assert_same(tmp_path)


def test_looking_leaves_nothing_behind(tmp_path: Path, index: Indexer) -> None:
    """No journal, no shared memory, and no lock."""
    index.close()
    before = sorted(os.listdir(tmp_path))
    assert_same(tmp_path)
    assert sorted(os.listdir(tmp_path)) == before


def test_a_log_that_was_replaced_is_unknown(tmp_path: Path, index: Indexer) -> None:
    """Another file under its name, or the same one with other contents, is another session."""
    index.close()
    path = log_path(str(tmp_path), "a")
    other = scenario("simple", LogMaker("other", 1_700_000_000_000_000))
    with open(path, "r+b") as log:
        log.write(other)
    assert known(tmp_path) == {}
    os.rename(write(tmp_path, "b", scenario("simple")), path)
    assert known(tmp_path) == {}


def test_a_log_that_is_shorter_than_what_was_read_is_unknown(tmp_path: Path, index: Indexer) -> None:
    """It was cut."""
    index.close()
    os.truncate(log_path(str(tmp_path), "a"), 1000)
    assert known(tmp_path) == {}


def test_an_index_that_cannot_be_used_knows_nothing(tmp_path: Path, index: Indexer) -> None:
    """Of another version, locked, damaged, no index at all: none is an error, and none is waited for long."""
    index.close()
    path = index_path(str(tmp_path))
    with sqlite3.connect(path, isolation_level=None) as connection:
        connection.execute("PRAGMA user_version=999")
    connection.close()
    assert known(tmp_path) == {}
    with open(path, "r+b") as file:
        file.write(b"no database at all")
    assert known(tmp_path) == {}
    os.unlink(path)
    assert known(tmp_path) == {}


def test_an_index_that_is_locked_knows_nothing(tmp_path: Path, index: Indexer) -> None:
    """Whoever holds it for himself alone is not waited for."""
    index.close()
    with contextlib.closing(sqlite3.connect(index_path(str(tmp_path)), isolation_level=None)) as connection:
        connection.execute("PRAGMA locking_mode=EXCLUSIVE")
        connection.execute("UPDATE meta SET value = value")
        assert known(tmp_path) == {}


def test_a_directory_that_cannot_be_written_is_enough(tmp_path: Path, index: Indexer) -> None:
    """Nothing beside the index is needed, nor made."""
    index.close()
    tmp_path.chmod(0o500)
    try:
        assert_same(tmp_path)
    finally:
        tmp_path.chmod(0o700)


@pytest.mark.parametrize("seed", range(14))
def test_of_a_damaged_index_only_what_is_true_is_known(tmp_path: Path, seed: int) -> None:
    """Regression: commands that read logs died with a traceback when the index was damaged."""
    for number, name in enumerate(NAMES[:20]):
        write(tmp_path, f"s{number}", scenario(name, LogMaker(f"s{number}")))
    indexed(tmp_path).close()
    damaged(tmp_path / "index.sqlite3", seed)
    for path, one in known(tmp_path).items():
        info = catalogue.inspect(path)
        assert interpreted(path, one.session, one.offset) == interpreted(path, Session(info.session_id))
