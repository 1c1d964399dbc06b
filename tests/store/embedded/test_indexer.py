"""The index follows its logs, whatever happens to them, to it and to the disk."""

import contextlib
import errno
import json
import os
import resource
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import msgspec
import pytest

from proxy.events import Session
from proxy.sessions import catalogue
from proxy.sessions.record import StreamRecords, lifecycle
from proxy.sessions.writer import SessionLog
from proxy.store import StoreError
from proxy.store.embedded import database
from proxy.store.embedded import indexer as indexer_module
from proxy.store.embedded.database import connect, index_path
from proxy.store.embedded.event_queries import EventQueries
from proxy.store.embedded.indexer import Indexer
from proxy.store.embedded.integrity import inspect
from proxy.store.embedded.readers import Readers
from proxy.store.embedded.rows import SessionRow
from proxy.store.embedded.session_queries import SessionQueries
from proxy.store.embedded.tracked import TrackedLog
from proxy.store.model import Arrival, EventQuery, SessionQuery
from tests.recorded import START_US, LogMaker, scenario

SOME = ["simple", "subagent", "interrupt", "tool_deny", "hooks_of_every_kind", "background_agent"]


def fill(data_dir: Path, names: list[str] = SOME) -> None:
    """Put the logs of scenarios into a data directory, overlapping in time."""
    (data_dir / "sessions").mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(names):
        maker = LogMaker(f"s{number}", START_US + number * 7_300)
        (data_dir / "sessions" / f"s{number}.jsonl").write_bytes(scenario(name, maker))


def index(data_dir: Path, **options: Any) -> list[Arrival]:
    """Bring the index up to date and return what was new."""
    with contextlib.closing(Indexer(str(data_dir), **options)) as indexer:
        return settle(indexer)


def settle(indexer: Indexer) -> list[Arrival]:
    """Index everything that there is."""
    indexer.look()
    found: list[Arrival] = []
    while indexer.is_behind:
        found += indexer.step()
    return found


def opened_files() -> list[str]:
    """Return what this process has open."""
    found = []
    for fd in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):  # that of the listing itself
            found.append(os.readlink(f"/proc/self/fd/{fd}"))
    return found


@contextlib.contextmanager
def reading(data_dir: Path) -> Iterator[sqlite3.Connection]:
    """Give a connection that reads the index."""
    with contextlib.closing(connect(index_path(str(data_dir)), read_only=True)) as connection:
        yield connection


class Index(EventQueries, SessionQueries):
    """What an index says, without what keeps it."""

    def __init__(self, data_dir: Path) -> None:
        self._readers = Readers(index_path(str(data_dir)), lambda _: None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._readers.close()


def content(data_dir: Path) -> tuple[list[bytes], list[dict[str, Any]]]:
    """Return everything that the index says."""
    with reading(data_dir) as connection:
        inspect(connection)
    with Index(data_dir) as there:
        page = there.events(EventQuery(limit=100_000, offset=0, order="asc"))
        assert len(page.events) == page.total == there.count_events()
        return page.events, [msgspec.to_builtins(session) for session in there.find_sessions(SessionQuery())]


def session_of(data_dir: Path, session_id: str) -> Session:
    """Return a session as the index has it."""
    with Index(data_dir) as there:
        found = there.session(session_id)
    assert found is not None
    return found


def test_nothing_new_is_nothing(tmp_path: Path) -> None:
    """Looking again at logs that did not change gives no events."""
    fill(tmp_path)
    assert len(index(tmp_path)) > 100
    assert index(tmp_path) == []


KILLED = """
import os, sys
from proxy.store.embedded.indexer import Indexer
indexer = Indexer(sys.argv[1])
indexer.look()
count = 0
def kill(*_):
    global count
    count += 1
    if count == int(sys.argv[2]):
        os.kill(os.getpid(), 9)
indexer._connection.set_progress_handler(kill, 2000)
while indexer.is_behind:
    indexer.step()
"""


def test_killed_at_any_instant(tmp_path: Path) -> None:
    """An index whose process is killed in the middle of its work goes on to the same content."""
    fill(tmp_path / "a", SOME * 3)
    index(tmp_path / "a")
    fill(tmp_path / "b", SOME * 3)
    statuses = []
    for instant in (1, 3, 8, 20, 40):
        command = [sys.executable, "-c", KILLED, str(tmp_path / "b"), str(instant)]
        statuses.append(subprocess.run(command, check=False, timeout=120).returncode)
    assert -signal.SIGKILL in statuses
    index(tmp_path / "b")
    assert content(tmp_path / "b") == content(tmp_path / "a")


def test_damaged_index_is_made_again(tmp_path: Path) -> None:
    """An index that cannot be read, or is of another version, is filled from the logs anew."""
    fill(tmp_path)
    index(tmp_path)
    expected = content(tmp_path)
    Path(index_path(str(tmp_path))).write_bytes(b"no database at all" * 100)
    index(tmp_path)
    assert content(tmp_path) == expected
    connection = sqlite3.connect(index_path(str(tmp_path)))
    connection.execute("PRAGMA user_version = 999")
    connection.close()
    index(tmp_path)
    assert content(tmp_path) == expected


def test_log_that_is_removed_or_begun_anew(tmp_path: Path) -> None:
    """What is removed leaves the index; a log at the same place that is another one is indexed anew."""
    fill(tmp_path)
    indexer = Indexer(str(tmp_path))
    settle(indexer)
    folder = tmp_path / "sessions"
    (folder / "s0.jsonl").unlink()
    (folder / "s1.jsonl").write_bytes(scenario("simple", LogMaker("s1")))
    os.truncate(folder / "s2.jsonl", 3000)
    settle(indexer)
    indexer.close()
    grown = content(tmp_path)
    Path(index_path(str(tmp_path))).unlink()
    index(tmp_path)
    assert grown == content(tmp_path)
    assert {json.loads(event)["session_id"] for event in grown[0]} == {f"s{n}" for n in range(1, 6)}


def test_a_folder_that_cannot_be_read_removes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Regression: while the folder could not be read, for want of a descriptor say, the index forgot all sessions."""
    fill(tmp_path)
    expected = index(tmp_path) and content(tmp_path)

    def refused(path: str) -> Any:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE), path)

    with contextlib.closing(Indexer(str(tmp_path))) as indexer:
        with monkeypatch.context() as patched:
            patched.setattr(os, "scandir", refused)
            with pytest.raises(OSError, match="Too many open files"):
                settle(indexer)
        settle(indexer)
    assert content(tmp_path) == expected


def test_crash_is_noticed_when_the_lock_goes(tmp_path: Path) -> None:
    """A session lives as long as its log is held, and has failed when it is let go without an end."""
    log = SessionLog(str(tmp_path), "s", lifecycle("s", "session_started", {"format": 1}))
    log.append([])
    indexer = Indexer(str(tmp_path))
    settle(indexer)
    assert indexer.live == ["s"]
    log.close()
    assert settle(indexer) == []  # it is a state and no event: the log may go on
    assert indexer.live == []
    indexer.close()
    session = session_of(tmp_path, "s")
    assert session.state == "failed"


def test_values_that_json_can_barely_hold(tmp_path: Path) -> None:
    """Lone surrogates, numbers beyond a double and huge integers in an event do not stop the index."""
    (tmp_path / "sessions").mkdir()
    maker = LogMaker("s")
    block = b'{"type":"tool_use","id":"t","name":"\\ud800","input":{"a":1e999,"b":%s}}' % (b"9" * 50)
    line = b'{"type":"assistant","message":{"content":[%s]},"uuid":"u","session_id":"c"}' % block
    (tmp_path / "sessions" / "s.jsonl").write_bytes(maker.started() + maker.lines("stdout", line))
    events = [json.loads(arrival.json) for arrival in index(tmp_path)]
    started = next(event["data"] for event in events if event["event_type"] == "tool_started")
    assert started["input"] == {"a": None, "b": int("9" * 50)}
    session_of(tmp_path, "s")
    assert index(tmp_path) == []


def test_state_with_odd_values_is_kept(tmp_path: Path) -> None:
    """Regression: what a live session's state takes from odd messages can be kept and read back."""
    log = SessionLog(str(tmp_path), "s", lifecycle("s", "session_started", {"format": 1}))
    tool = b'{"type":"tool_use","id":"\\ud800","name":"\\ud83d","input":1}'
    question = b'{"subtype":"can_use_tool","tool_name":"\\udfff","tool_use_id":"t"}'
    result = b'{"type":"result","total_cost_usd":1e999,"modelUsage":{"m":{"inputTokens":%s}}}' % (b"9" * 99)
    lines = [
        b'{"type":"assistant","message":{"content":[%s]}}' % tool,
        result,
        b'{"type":"control_request","request_id":"\\ud800x","request":%s}' % question,
        b'{"type":"system","subtype":"init","model":"\\ud800"}',
        b'{"type":"system","subtype":"task_started","task_id":"\\ud800","description":"\\ud800"}',
    ]
    records = StreamRecords("s", "stdout")
    log.append([records.message(line, None) for line in lines])
    index(tmp_path)
    log.append([records.message(lines[0], None)])
    assert index(tmp_path)
    session = session_of(tmp_path, "s")
    assert (session.model, session.figures.cost_usd, len(session.questions)) == ("\ufffd", None, 1)
    log.close()


def test_the_index_takes_no_room_that_sessions_need(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a disk with little room nothing is indexed, and nothing written, until there is more; then it goes on."""
    fill(tmp_path, ["simple"])
    room = [100_000_000]
    monkeypatch.setattr(indexer_module, "free_bytes", lambda _: room[0])
    indexer = Indexer(str(tmp_path), min_free_bytes=10**12)
    try:
        assert settle(indexer)
        fill(tmp_path, ["simple", "interrupt"])
        room[0] = 99_999_999
        with pytest.raises(StoreError, match="the disk has 99999999 bytes free"):
            settle(indexer)
        assert os.stat(f"{index_path(str(tmp_path))}-wal").st_size == 0
        assert [one["session_id"] for one in content(tmp_path)[1]] == ["s0"]
        room[0] = 100_000_000
        settle(indexer)
    finally:
        indexer.close()
    assert [one["session_id"] for one in content(tmp_path)[1]] == ["s1", "s0"]


def test_a_log_that_was_removed_is_not_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where nothing can be indexed for want of room: as long as it is open, the disk has not its room back."""
    log = SessionLog(str(tmp_path), "a", lifecycle("a", "session_started", {"format": 1}))
    log.append([])
    indexer = Indexer(str(tmp_path), min_free_bytes=10**12)
    try:
        settle(indexer)
        log.close()
        os.unlink(log.path)
        monkeypatch.setattr(indexer_module, "free_bytes", lambda _: 0)
        with pytest.raises(StoreError):
            settle(indexer)
        assert f"{log.path} (deleted)" not in opened_files()
    finally:
        indexer.close()


def test_many_logs_need_few_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Regression: more small logs than a process may open files were left out, and the index was called caught up."""
    (tmp_path / "sessions").mkdir()
    for number in range(60):
        maker = LogMaker(f"s{number:02}", START_US)
        (tmp_path / "sessions" / f"s{number:02}.jsonl").write_bytes(maker.started())
    monkeypatch.setattr(indexer_module, "_OPEN_LOGS", 5)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    indexer = Indexer(str(tmp_path))
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (len(opened_files()) + 20, hard))
        settle(indexer)
        assert len(content(tmp_path)[1]) == 60
        assert not any(log.derivation for log in indexer.inventory.logs.values())
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        indexer.close()


def test_too_few_files_is_trouble(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no log can be opened, that is said; nothing is taken for indexed."""
    fill(tmp_path, ["simple"])
    indexer = Indexer(str(tmp_path))

    def opened(_: str) -> bool:
        raise OSError(errno.EMFILE, "Too many open files")

    try:
        with monkeypatch.context() as patch:
            patch.setattr(catalogue, "is_running", opened)
            with pytest.raises(OSError, match="Too many open files"):
                settle(indexer)
        assert settle(indexer)
    finally:
        indexer.close()


def test_a_large_transaction_leaves_no_large_journal(tmp_path: Path) -> None:
    """What the write-ahead file has grown to is given back, also while others hold the index open."""
    fill(tmp_path)
    indexer = Indexer(str(tmp_path))
    try:
        settle(indexer)
        with contextlib.closing(connect(index_path(str(tmp_path)), read_only=True)) as reading:
            reading.execute("SELECT count(*) FROM events").fetchone()
            with contextlib.closing(connect(index_path(str(tmp_path)))) as writing:
                writing.execute("CREATE TABLE large AS SELECT randomblob(40000000)")
                writing.execute("DROP TABLE large")
                writing.execute("PRAGMA wal_checkpoint(RESTART)")
                writing.execute("CREATE TABLE small (x)")
            assert os.stat(f"{index_path(str(tmp_path))}-wal").st_size <= 16_000_000
    finally:
        indexer.close()


def test_an_index_that_cannot_be_made_stays_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it cannot be made, no connection is left to whoever cleans up memory."""
    monkeypatch.setattr(database, "_schema", lambda: "no table;")
    with pytest.raises(StoreError):
        Indexer(str(tmp_path))
    assert [path for path in opened_files() if str(tmp_path) in path] == []


def test_a_clean_stop_leaves_one_file(tmp_path: Path) -> None:
    """Everything is in the index itself then, also while somebody still reads it; whoever comes next finds it so."""
    fill(tmp_path)
    indexer = Indexer(str(tmp_path))
    settle(indexer)
    with reading(tmp_path) as connection:
        connection.execute("SELECT 1 FROM sessions").fetchone()
        indexer.close()
        wal = tmp_path / "index.sqlite3-wal"
        assert not wal.exists() or wal.stat().st_size == 0
    with contextlib.closing(Indexer(str(tmp_path))) as indexer:
        assert indexer.was_closed_cleanly
    assert {path.name for path in tmp_path.iterdir()} == {"sessions", "index.sqlite3", "index.clean"}


@pytest.mark.parametrize("what", ["killed", "changed"])
def test_an_index_that_was_not_left_so_is_known(tmp_path: Path, what: str) -> None:
    """One whose indexer was killed, or that somebody has changed since, is to be looked through."""
    fill(tmp_path)
    indexer = Indexer(str(tmp_path))
    settle(indexer)
    if what == "changed":
        indexer.close()
        with (tmp_path / "index.sqlite3").open("r+b") as file:
            file.seek(5000)
            file.write(b"x")
    else:
        indexer._let_go()
    with contextlib.closing(Indexer(str(tmp_path))) as again:
        assert not again.was_closed_cleanly


def test_a_log_whose_state_cannot_be_written_holds_up_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fault of ours shows where a log is read, or where what is known of it is written."""
    row = TrackedLog.row

    def faulty(self: TrackedLog, session: Session) -> SessionRow:
        if self.session_id == "s1":
            raise RuntimeError("a fault")
        return row(self, session)

    monkeypatch.setattr(TrackedLog, "row", faulty)
    fill(tmp_path)
    with contextlib.closing(Indexer(str(tmp_path))) as indexer:
        with pytest.raises(RuntimeError, match="a fault"):
            settle(indexer)
        settle(indexer)
        assert indexer.set_aside == {"s1"}
    assert {session["session_id"] for session in content(tmp_path)[1]} == {
        f"s{number}" for number in range(len(SOME)) if number != 1
    }
