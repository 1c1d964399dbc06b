"""The index: what the logs say, however it was filled, and every page of it."""

import contextlib
import errno
import fcntl
import json
import os
import random
import resource
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from proxy.events.timestamps import parse_timestamp
from proxy.sessions import catalogue
from proxy.sessions.record import StreamRecords, lifecycle
from proxy.sessions.writer import SessionLog
from proxy.store import database, ranks
from proxy.store import indexer as indexer_module
from proxy.store.database import connect, index_path
from proxy.store.followed import Followed
from proxy.store.indexer import Arrival, Indexer
from proxy.store.queries import Cursor, EventQuery, Queries
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
    indexer = Indexer(str(data_dir), **options)
    try:
        return settle(indexer)
    finally:
        indexer.close()


def settle(indexer: Indexer) -> list[Arrival]:
    """Index everything that there is."""
    indexer.look()
    found: list[Arrival] = []
    while indexer.pending:
        found += indexer.step()
    return found


def opened_files() -> list[str]:
    """Return what this process has open."""
    found = []
    for fd in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):  # that of the listing itself
            found.append(os.readlink(f"/proc/self/fd/{fd}"))
    return found


def content(data_dir: Path) -> tuple[list[bytes], list[dict[str, Any]]]:
    """Return everything that the index says."""
    queries = Queries(str(data_dir))
    page = queries.events(EventQuery(limit=100_000, offset=0, order="asc"))
    assert len(page.events) == page.total == queries.totals()["events"]
    sessions = [msgspec.to_builtins(session) for session in queries.sessions()]
    return page.events, sessions


def test_rebuilt_equals_grown(tmp_path: Path) -> None:
    """An index that grew with its logs, in pieces, says the same as one that was made from them at once."""
    fill(tmp_path / "whole")
    index(tmp_path / "whole")
    folder = tmp_path / "grown" / "sessions"
    folder.mkdir(parents=True)
    parts = {path.name: path.read_bytes() for path in (tmp_path / "whole" / "sessions").iterdir()}
    indexer = Indexer(str(tmp_path / "grown"))
    dice = random.Random(1)
    locks = [(folder / name).open("ab", buffering=0) for name in parts]
    for lock in locks:
        fcntl.flock(lock, fcntl.LOCK_EX)
    places = dict.fromkeys(parts, 0)
    for _ in range(60):
        for lock in locks:
            name = os.path.basename(lock.name)
            size = dice.randrange(len(parts[name]) // 20)
            lock.write(parts[name][places[name] : places[name] + size])
            places[name] += size
        settle(indexer)
        if dice.random() < 0.3:
            indexer.close()
            indexer = Indexer(str(tmp_path / "grown"))
    for lock in locks:
        lock.write(parts[os.path.basename(lock.name)][places[os.path.basename(lock.name)] :])
        lock.close()
    settle(indexer)
    indexer.close()
    assert content(tmp_path / "grown") == content(tmp_path / "whole")


def test_nothing_new_is_nothing(tmp_path: Path) -> None:
    """Looking again at logs that did not change gives no events."""
    fill(tmp_path)
    assert len(index(tmp_path)) > 100
    assert index(tmp_path) == []


KILLED = """
import os, sys
from proxy.store.indexer import Indexer
indexer = Indexer(sys.argv[1])
indexer.look()
count = 0
def kill(*_):
    global count
    count += 1
    if count == int(sys.argv[2]):
        os.kill(os.getpid(), 9)
indexer._connection.set_progress_handler(kill, 2000)
while indexer.pending:
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
    session = Queries(str(tmp_path)).session("s")
    assert session is not None
    assert session.state == "failed"


def test_most_events_of_a_session(tmp_path: Path) -> None:
    """A bound on events bounds what is indexed of a session; its state is known to the end."""
    fill(tmp_path, ["simple"])
    assert len(index(tmp_path, max_events_per_session=5)) == 5
    session = Queries(str(tmp_path)).session("s0")
    assert session is not None
    assert (session.state, session.figures.turns) == ("ended", 2)


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
    session = Queries(str(tmp_path)).session("s")
    assert session is not None
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
    session = Queries(str(tmp_path)).session("s")
    assert session is not None
    assert (session.model, session.figures.cost_usd, len(session.questions)) == ("\ufffd", None, 1)
    log.close()


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[dict[str, Any]]]:
    """An index with many small chunks, and all its events in order."""
    folder = tmp_path_factory.mktemp("filled")
    fill(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ranks, "CHUNK", 7)
        index(folder)
    return folder, [json.loads(event) for event in content(folder)[0]]


def expected(events: list[dict[str, Any]], query: EventQuery) -> tuple[list[dict[str, Any]], int]:
    """Return what a query is to give: the rules of the API, spelled as simply as can be."""
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


def test_every_page_follows_the_rules(filled: tuple[Path, list[dict[str, Any]]]) -> None:
    """Any query gives the page, the order and the total that the rules say, across and within chunks."""
    folder, events = filled
    assert [event["timestamp"] for event in events] == sorted(event["timestamp"] for event in events)
    queries = Queries(str(folder))
    dice = random.Random(2)
    moments = [parse_timestamp(event["timestamp"]) for event in events]
    names = sorted({event["event_type"] for event in events})
    for _ in range(600):
        query = EventQuery(
            session_id=dice.choice([None, None, "s1", "s4", "nobody"]),
            event_types=dice.choice([None, tuple(dice.sample(names, 3)), ("never",)]),
            after_us=dice.choice([None, dice.choice(moments) + dice.choice([-1, 0, 1])]),
            until_us=dice.choice([None, dice.choice(moments) + dice.choice([-1, 0, 1])]),
            limit=dice.choice([1, 3, 10, 1000]),
            offset=dice.choice([None, 0, 1, dice.randrange(len(events)), 10_000]),
            order=dice.choice([None, "asc", "desc"]),
        )
        page = queries.events(query)
        assert ([json.loads(event) for event in page.events], page.total) == expected(events, query), query


def test_pages_join_without_loss(filled: tuple[Path, list[dict[str, Any]]]) -> None:
    """Polling a session with the last moment as start gives each of its events once."""
    folder, events = filled
    queries = Queries(str(folder))
    after, seen = 0, []
    while page := queries.events(EventQuery(session_id="s4", after_us=after, limit=7)).events:
        seen += [json.loads(event) for event in page]
        after = parse_timestamp(seen[-1]["timestamp"])
    assert seen == [event for event in events if event["session_id"] == "s4"]


def test_chunks_hold_what_there_is(filled: tuple[Path, list[dict[str, Any]]]) -> None:
    """Chunks stay short, also where sessions are put into the middle, and count every event once."""
    connection = sqlite3.connect(index_path(str(filled[0])))
    known = ranks.chunks(connection, 0, None)
    connection.close()
    assert sum(count for _, count in known) == len(filled[1])
    assert max(count for _, count in known) <= 16


def test_arrivals_go_on_from_a_cursor(tmp_path: Path) -> None:
    """What came behind an event is found again after a restart, and at least that after the index was lost."""
    fill(tmp_path)
    arrivals = index(tmp_path)
    queries = Queries(str(tmp_path))
    indexer = Indexer(str(tmp_path))
    generation = indexer.generation
    indexer.close()
    middle = arrivals[50]
    cursor = Cursor(generation, middle.id, middle.moment_us)
    assert queries.arrivals(queries.place_of(cursor), 1000) == arrivals[51:]
    assert queries.arrivals(queries.place_of(None), 10) == []
    lost = Cursor("other", 7, middle.moment_us)
    again = {arrival.json for arrival in queries.arrivals(queries.place_of(lost), 1000)}
    assert {a.json for a in arrivals if a.moment_us > middle.moment_us} <= again


def test_horizon_while_sessions_live(tmp_path: Path) -> None:
    """While a wrapped session may still write what it has stamped, newer events are held back from polling."""
    log = SessionLog(str(tmp_path), "s", lifecycle("s", "session_started", {"format": 1}))
    log.append([])
    indexer = Indexer(str(tmp_path))
    (arrival,) = settle(indexer)
    assert indexer.horizon_us is not None
    assert indexer.horizon_us < arrival.moment_us
    query = EventQuery(after_us=0, horizon_us=indexer.horizon_us)
    queries = Queries(str(tmp_path))
    assert queries.events(query).total == 0
    assert queries.events(EventQuery(after_us=0, session_id="s", horizon_us=indexer.horizon_us)).total == 1
    log.append([lifecycle("s", "session_ended", {"exit_code": 0})])
    log.close()
    settle(indexer)
    settle(indexer)
    settle(indexer)
    assert queries.events(EventQuery(after_us=0, horizon_us=indexer.horizon_us)).total == 2
    indexer.close()


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
        with pytest.raises(sqlite3.OperationalError, match="the disk has 99999999 bytes free"):
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
        with pytest.raises(sqlite3.OperationalError):
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
        assert not any(log.interpreter for log in indexer._logs.values())
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


def test_what_lives_can_be_asked_while_logs_come_up(tmp_path: Path) -> None:
    """Regression: a log that came up while the server looked whether sessions live ended the server."""
    indexer = Indexer(str(tmp_path))

    class Meanwhile(Followed):
        @property
        def over(self) -> bool:
            """Let another thread, as it were, find a log just now."""
            indexer._logs["b"] = Followed(0, "b", "b", over=True)
            return False

        @over.setter
        def over(self, _: bool) -> None:
            pass

    try:
        indexer._logs["a"] = Meanwhile(0, "a", "a")
        assert indexer.live == ["a"]
    finally:
        indexer._logs.clear()
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


def test_an_index_that_cannot_be_opened_stays_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether it cannot be made or cannot be read back: no connection is left to whoever cleans up memory."""

    def held() -> list[str]:
        links = [f"/proc/self/fd/{name}" for name in os.listdir("/proc/self/fd")]
        return [path for link in links if str(tmp_path) in (path := os.path.realpath(link))]

    with monkeypatch.context() as patch:
        patch.setattr(database, "_TABLES", "no table;")
        with pytest.raises(sqlite3.OperationalError):
            Indexer(str(tmp_path))
        assert held() == []
    fill(tmp_path, ["simple"])
    index(tmp_path)
    with contextlib.closing(connect(index_path(str(tmp_path)))) as connection:
        connection.execute("DROP TABLE chunks")
    with pytest.raises(sqlite3.OperationalError):
        Indexer(str(tmp_path))
    assert held() == []
