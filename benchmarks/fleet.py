"""What the centre of a fleet costs and how fast it answers, each figure beside SQLite. Prints a table.

PostgreSQL is started for it, with its own settings but for the size of its cache. Hosts, centre and database share the
cores of this machine.
"""

import argparse
import asyncio
import contextlib
import os
import random
import socket
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import aiohttp
import psutil
import yaml

from benchmarks.server import TALKER, by_socket, quantiles, round_trips, show, spawned, write_logs
from proxy.events.timestamps import format_timestamp
from proxy.fleet import Hello
from proxy.store import Store
from proxy.store.counting import LEVELS_US
from proxy.store.embedded.database import checksum, index_path
from proxy.store.embedded.indexer import Indexer
from proxy.store.embedded.rows import read_newest, write_meta
from proxy.store.embedded.store import EmbeddedStore
from proxy.store.fleet import Arriving, Saying
from proxy.store.model import EventQuery
from proxy.store.postgres.connections import Connection, connect, execute, writing
from proxy.store.postgres.hosts import hear
from proxy.store.postgres.intake import Intake
from proxy.store.postgres.store import PostgresStore
from tests.recorded import NAMES, START_US, LogMaker, scenario
from tests.shipping.processes import Program, server, wait_ready
from tests.store.postgres.cluster import Cluster

HOST = "0" * 32
SESSION_RECORDS = 14_286
"""Of the session that is multiplied for pages: ten thousand events."""
APART_US = 600_000_007
"""Between the starts of its copies."""
PIECE_BYTES = 256_000


def _cpu_s(pids: list[int]) -> float:
    """Return the processor time that processes have used, with their children that are gone."""
    times = [psutil.Process(pid).cpu_times() for pid in pids]
    return sum(one.user + one.system + one.children_user + one.children_system for one in times)


@contextlib.contextmanager
def _database() -> Iterator[tuple[Cluster, str]]:
    cluster = Cluster(fsync="on", full_page_writes="on", shared_buffers="512MB", max_wal_size="4GB")
    try:
        with cluster.database() as url:
            yield cluster, url
    finally:
        cluster.close()


def _size(url: str) -> int:
    """Return the bytes of a database."""
    with connect(url) as connection:
        return _one(connection, "SELECT pg_database_size(current_database())")[0]


def _index(data_dir: str) -> float:
    """Index a data directory anew; return how long that took."""
    for path in Path(data_dir).glob("index.*"):
        path.unlink()
    began = time.perf_counter()
    indexer = Indexer(data_dir)
    indexer.look()
    while indexer.is_behind:
        indexer.step(quiet=True)
    took = time.perf_counter() - began
    indexer.close()
    return took


def _logs(data_dir: str) -> list[Path]:
    return sorted(Path(data_dir, "sessions").glob("*.jsonl"))


def _push(url: str, data_dir: str) -> float:
    """Push the logs of a data directory, in pieces; return how long that took."""
    with connect(url) as connection, writing(connection):
        hear(
            connection, Saying(HOST, "everybody", 0, Hello(protocol=1, version="1", name="host", sent_at=""))
        )
    intake = Intake(url)
    began = time.perf_counter()
    for log in _logs(data_dir):
        line, text = 0, log.read_bytes()
        while text:
            end = text.find(b"\n", PIECE_BYTES) + 1 or len(text)
            piece, text = text[:end], text[end:]
            intake.take([Arriving(HOST, None, log.stem, line, piece, bool(text))])
            line += piece.count(b"\n")
    took = time.perf_counter() - began
    intake.close()
    return took


async def ingest(folder: str, _: int) -> None:
    """Records with their events, pieces and counts, one writer: three times each, in turn."""
    records = 30_000
    data_dir = f"{folder}/ingest"
    write_logs(data_dir, 10, records)
    here, there = [], []
    with _database() as (cluster, _url):
        for _ in range(3):
            here.append(await asyncio.to_thread(_index, data_dir))
            with cluster.database() as url:
                there.append(await asyncio.to_thread(_push, url, data_dir))
    mine, base = statistics.median(there), statistics.median(here)
    show(
        "ingest with events, pieces of 256 KB",
        f"{records / mine:.0f} records/s",
        f"SQLite {records / base:.0f}: time {mine / base:.1f}",
    )


async def room(folder: str, _: int) -> None:
    """What the recorded scenarios take, each forty times, with their events and all indexes."""
    data_dir = Path(folder, "room")
    (data_dir / "sessions").mkdir(parents=True)
    for copy in range(40):
        for number, name in enumerate(NAMES):
            session_id = f"s{copy}n{number}"
            text = scenario(name, LogMaker(session_id, START_US + copy * APART_US + number * 7_301))
            (data_dir / "sessions" / f"{session_id}.jsonl").write_bytes(text)
    texts = [path.read_bytes() for path in _logs(str(data_dir))]
    records, size = sum(text.count(b"\n") for text in texts), sum(map(len, texts))
    with _database() as (_cluster, url):
        before = _size(url)
        took = await asyncio.to_thread(_push, url, str(data_dir))
        mine = _size(url) - before
        with contextlib.closing(PostgresStore(url)) as store:
            events = store.count_events()
    show(
        f"room a record of {size / records:.0f} B, with {events / records:.2f} events",
        f"{mine / records:.0f} B",
        f"log {mine / size:.2f}; {records / took:.0f} records/s",
    )


# -- pages -----------------------------------------------------------------------------------------------------


async def pages(folder: str, events: int) -> None:
    """Pages among very many events: one session is taken in, and multiplied by SQL, each with its counts."""
    data_dir = f"{folder}/pages"
    write_logs(data_dir, 1, SESSION_RECORDS)
    with _database() as (_cluster, url):
        await asyncio.to_thread(_index, data_dir)
        await asyncio.to_thread(_push, url, data_dir)
        began = time.perf_counter()
        await asyncio.to_thread(_multiply_sqlite, data_dir, events)
        middle = time.perf_counter()
        await asyncio.to_thread(_multiply_postgres, url, events)
        print(f"filled: SQLite {middle - began:.0f} s, PostgreSQL {time.perf_counter() - middle:.0f} s")
        size = os.stat(index_path(data_dir)).st_size
        show("room an event", f"{_size(url) / events:.0f} B", f"SQLite {size / events:.0f} B")
        here, there = EmbeddedStore(data_dir), PostgresStore(url)
        try:
            asked = await asyncio.to_thread(_questions, there)
            await asyncio.to_thread(_compare, here, there, asked)
        finally:
            here.close()
            there.close()
        await _compare_servers(Path(folder), url, asked)


def _multiply_sqlite(data_dir: str, events: int) -> None:
    connection = sqlite3.connect(index_path(data_dir), isolation_level=None)
    connection.create_function("checksum", -1, checksum, deterministic=True)
    connection.executescript("PRAGMA synchronous=OFF; PRAGMA cache_size=-512000; PRAGMA journal_mode=OFF")
    count = connection.execute("SELECT count(*) FROM events").fetchone()[0]
    indexes = connection.execute(
        "SELECT name, sql FROM sqlite_master WHERE tbl_name = 'events' AND type = 'index'"
    ).fetchall()
    connection.execute("BEGIN")
    for name, _ in indexes:
        connection.execute(f"DROP INDEX {name}")
    for copy in range(1, events // count):
        ids, shift = copy * count, copy * APART_US
        connection.execute(
            "INSERT INTO sessions SELECT *, checksum(a, b, c, d, e, f, g, h, i, j) FROM (SELECT id + ? a,"
            " session_id || ? b, started + ? c, inode d, offset e, mark_at f, mark g, over h, outcome i, state j"
            " FROM sessions WHERE id = 1)",
            (copy, f"-{copy}", shift),
        )
        connection.execute(
            "INSERT INTO events SELECT *, checksum(a, b, c, d, e) FROM (SELECT id + ? a, ts + ? b, session + ? c,"
            " type d, data e FROM events WHERE id <= ?)",
            (ids, shift, copy, count),
        )
        connection.execute(
            "INSERT INTO marks SELECT *, checksum(a, b, c, d) FROM (SELECT session + ? a, number b, ts + ? c,"
            " types d FROM marks WHERE session = 1)",
            (copy, shift),
        )
    connection.execute("DELETE FROM counts")
    for level, length_us in enumerate(LEVELS_US):
        source = "events" if not level else "counts"
        query = (
            f"INSERT INTO counts SELECT 0, ts / {length_us}, type, count(*) FROM events GROUP BY 2, 3"
            if source == "events"
            else f"INSERT INTO counts SELECT {level}, slot / {length_us // LEVELS_US[level - 1]}, type, sum(count)"
            f" FROM counts WHERE level = {level - 1} GROUP BY 2, 3"
        )
        connection.execute(query)
    for _, statement in indexes:
        connection.execute(statement)
    newest = connection.execute("SELECT max(id) FROM events").fetchone()[0]
    write_meta(connection, {"next_id": newest + 1})
    connection.execute("COMMIT")
    assert read_newest(connection)[1] == newest
    connection.close()
    log = _logs(data_dir)[0]
    for copy in range(1, events // count):  # for a server, which drops what has no log
        os.link(log, log.with_name(f"{log.stem}-{copy}.jsonl"))


def _multiply_postgres(url: str, events: int) -> None:
    with connect(url) as connection:
        with writing(connection):
            count, session = _one(connection, "SELECT count(*), max(session) FROM events")
            indexes = execute(
                connection,
                "SELECT indexname, replace(indexdef, ' ON ONLY ', ' ON ') FROM pg_indexes WHERE tablename = 'events'",
            ).fetchall()
            for name, _ in indexes:
                execute(connection, f"DROP INDEX {name}")
            copies = f"generate_series(1::bigint, {events // count - 1}) k"
            columns = _columns(connection, "sessions")
            changed = {
                "id": "id + k",
                "session_id": "session_id || '-' || k",
                "started": f"started + k * {APART_US}",
            }
            shown = ", ".join(changed.get(name, name) for name in columns)
            execute(
                connection,
                f"INSERT INTO sessions ({', '.join(columns)}) OVERRIDING SYSTEM VALUE"
                f" SELECT {shown} FROM sessions, {copies} WHERE id = {session}",
            )
            changed = {
                "id": f"id + k * {count}",
                "ts": f"ts + k * {APART_US}",
                "session": "original.session + k",
            }
            for table, wanted in (("events", ("id", "ts", "session")), ("marks", ("ts", "session"))):
                shown = ", ".join(
                    changed[name] if name in wanted else name for name in _columns(connection, table)
                )
                # One copy after the other, as sessions come, so that what came together lies together.
                execute(
                    connection,
                    f"INSERT INTO {table} SELECT {shown} FROM {copies}"
                    f" CROSS JOIN LATERAL (SELECT * FROM {table} WHERE session = {session} OFFSET 0) original",
                )
            execute(connection, "DELETE FROM counts")
            for level, length_us in enumerate(LEVELS_US):
                part = length_us // LEVELS_US[level - 1]
                source = (
                    f"SELECT team, 0, ts / {length_us}, type, count(*) FROM events GROUP BY 1, 3, 4"
                    if not level
                    else f"SELECT team, {level}, slot / {part}, type, sum(count) FROM counts"
                    f" WHERE level = {level - 1} GROUP BY 1, 3, 4"
                )
                execute(connection, f"INSERT INTO counts {source}")
            execute(connection, "UPDATE meta SET next_id = (SELECT max(id) + 1 FROM events)")
            for _, statement in indexes:
                execute(connection, statement)
        connection.execute("VACUUM ANALYZE")


def _one(connection: Connection, query: str) -> tuple[int, ...]:
    row = execute(connection, query).fetchone()
    assert row is not None
    return row


def _columns(connection: Connection, table: str) -> list[str]:
    query = (
        "SELECT column_name FROM information_schema.columns WHERE table_schema = current_schema()"
        " AND table_name = %s ORDER BY ordinal_position"
    )
    return [name for (name,) in execute(connection, query, (table,))]


Questions = dict[str, list[EventQuery]]
_ASKED = 60
"""Times for each question."""


def _questions(store: Store) -> Questions:
    """Return what is asked: pages of each kind."""
    dice = random.Random(1)
    total = store.count_events()
    one = store.sessions(limit=1)[0].session_id
    kind = ("tool_started",)
    kinds = store.events(EventQuery(event_types=kind)).total
    makers: dict[str, Callable[[], EventQuery]] = {
        "newest": EventQuery,
        "any offset": lambda: EventQuery(offset=dice.randrange(total)),
        "the last": lambda: EventQuery(offset=total - 100),
        "one type, newest": lambda: EventQuery(event_types=kind),
        "one type, any offset": lambda: EventQuery(event_types=kind, offset=dice.randrange(kinds)),
        "one session": lambda: EventQuery(session_id=one, offset=dice.randrange(9000)),
    }
    return {what: [make() for _ in range(_ASKED)] for what, make in makers.items()}


def _compare(here: Store, there: Store, asked: Questions) -> None:
    """Ask both stores the same, in turn."""
    total = there.count_events()
    assert total == here.count_events()
    newest = 0.0
    for what, queries in asked.items():
        base, mine = list[float](), list[float]()
        for each in queries:
            for store, times in ((here, base), (there, mine)):
                began = time.perf_counter()
                found = store.events(each)
                times.append((time.perf_counter() - began) * 1000)
                assert len(found.events) == min(100, total - (each.offset or 0)) or each.event_types
        newest = newest or statistics.median(mine)
        show(f"page of 100 among {total}: {what}", *_beside(mine, base, newest))
    dice = random.Random(2)
    base, mine = list[float](), list[float]()
    for _ in range(_ASKED):
        place = dice.randrange(total - 1000)
        for store, times in ((here, base), (there, mine)):
            began = time.perf_counter()
            assert len(store.arrivals(place, 100).events) == 100
            times.append((time.perf_counter() - began) * 1000)
    show("100 behind an arrival", *_beside(mine, base, newest))


async def _compare_servers(folder: Path, url: str, asked: Questions) -> None:
    """Ask a server of each store the same, in turn: what a user waits for."""
    centre, centre_port = server(folder / "pages-centre", url)
    host, port = _host(folder / "pages", None)
    async with contextlib.AsyncExitStack() as stack:
        for program, at in ((host, port), (centre, centre_port)):
            program.start()
            stack.callback(program.kill)
            await asyncio.to_thread(wait_ready, program, at)
        client = await stack.enter_async_context(aiohttp.ClientSession())
        newest = 0.0
        for what, queries in asked.items():
            base, mine = list[float](), list[float]()
            for each in queries:
                bodies = list[bytes]()
                for at, times in ((port, base), (centre_port, mine)):
                    began = time.perf_counter()
                    address = f"http://127.0.0.1:{at}/api/v1/monitoring/events"
                    async with client.get(address, params=_parameters(each)) as response:
                        bodies.append(await response.read())
                    times.append((time.perf_counter() - began) * 1000)
                # All but the cursor is the same.
                assert bodies[0].partition(b',"after":')[0] == bodies[1].partition(b',"after":')[0]
            newest = newest or statistics.median(mine)
            show(f"over HTTP: {what}", *_beside(mine, base, newest))


def _parameters(query: EventQuery) -> dict[str, str]:
    """Return a query as it is put to a server."""
    given = {
        "session_id": query.session_id,
        "event_types": None if query.event_types is None else ",".join(query.event_types),
        "offset": None if query.offset is None else str(query.offset),
    }
    return {name: value for name, value in given.items() if value is not None}


def _beside(mine: list[float], base: list[float], newest: float) -> tuple[str, str]:
    """Return medians, and the fastest tenth: what a page takes when nobody else wants the processors."""
    one, other = statistics.median(mine), statistics.median(base)
    fast, fast_other = (statistics.quantiles(times, n=10)[0] for times in (mine, base))
    return (
        f"p50 {one:.2f} p10 {fast:.2f} ms",
        f"SQLite {other:.2f} {fast_other:.2f}: {one / other:.1f} {fast / fast_other:.1f}; newest {one / newest:.2f}",
    )


# -- processes -------------------------------------------------------------------------------------------------


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _host(folder: Path, to: str | None) -> tuple[Program, int]:
    """Return a host's server, which ships if there is a centre."""
    folder.mkdir(mode=0o700, exist_ok=True)
    config, port = folder / "settings.yaml", _free_port()
    config.write_text(yaml.safe_dump({"ship": {"to": to}} if to else {}))
    words = ("--data-dir", str(folder), "--port", str(port), "--config", str(config), "serve")
    return Program(folder / "output", *words), port


async def live(folder: str, _: int) -> None:
    """From a wrapped command's write to its delivery at the host's own server, and at the centre."""
    per_s, count = 20, 400
    with _database() as (_cluster, url):
        centre, centre_port = server(Path(folder, "centre"), url)
        host, port = _host(Path(folder, "host"), f"http://127.0.0.1:{centre_port}")
        with contextlib.ExitStack() as stack:
            for program, at in ((centre, centre_port), (host, port)):
                program.start()
                stack.callback(program.kill)
                await asyncio.to_thread(wait_ready, program, at)
            delivered = [asyncio.create_task(_delivered(at, count)) for at in (port, centre_port)]
            await asyncio.sleep(2)
            words = ["--data-dir", f"{folder}/host", "--server", "off", "--", sys.executable, "-c", TALKER]
            talker = spawned([sys.executable, "-m", "proxy", *words, str(per_s), str(count)])
            here, there = await asyncio.gather(*delivered)
            talker.wait()
    ratio = statistics.median(there) / statistics.median(here)
    show(
        f"write to WebSocket at the centre, {per_s}/s",
        quantiles(there),
        f"host {quantiles(here)}: {ratio:.0f}",
    )


async def _delivered(port: int, count: int) -> list[float]:
    took: list[float] = []
    async with aiohttp.ClientSession() as session:
        async for event in by_socket(session, f"http://127.0.0.1:{port}"):
            if event.get("event_type") == "assistant_message":
                took.append((time.time_ns() - int(event["data"]["text"])) / 1_000_000)
            if len(took) == count:
                break
    return took


async def heartbeats(folder: str, _: int) -> None:
    """What 500 hosts cost that say each fifteen seconds that they are there."""
    hosts, every_s, seconds = 500, 15, 30
    with _database() as (cluster, url):
        centre, port = server(Path(folder, "heartbeats"), url)
        centre.start()
        try:
            await asyncio.to_thread(wait_ready, centre, port)

            async def beat(number: int, session: aiohttp.ClientSession, until: float) -> None:
                await asyncio.sleep(number / hosts * every_s)
                place = f"/api/v1/fleet/hosts/{number:032x}/hello"
                body = {"protocol": 1, "version": "1", "name": f"host{number}"}
                while time.monotonic() < until:
                    now = format_timestamp(time.time_ns() // 1000)
                    async with session.post(place, json={**body, "sent_at": now}) as response:
                        assert response.status == 200
                        await response.read()
                    await asyncio.sleep(every_s)

            connector = aiohttp.TCPConnector(limit=0)
            async with (
                aiohttp.ClientSession(f"http://127.0.0.1:{port}", connector=connector) as session,
                asyncio.TaskGroup() as group,
            ):
                until = time.monotonic() + every_s + seconds
                for number in range(hosts):
                    group.create_task(beat(number, session, until))
                await asyncio.sleep(every_s)  # all of them are known then
                before = _cpu_s([centre.pid]), _cpu_s(cluster.pids())
                await asyncio.sleep(seconds)
                after = _cpu_s([centre.pid]), _cpu_s(cluster.pids())
        finally:
            centre.kill()
    mine, base = ((end - begin) / seconds for begin, end in zip(before, after, strict=True))
    show(
        f"{hosts} hosts that are heard each {every_s} s",
        f"{mine + base:.3f} of a core",
        f"database {base:.3f}",
    )


async def outage(folder: str, _: int) -> None:
    """A session's round trip while its server ships to a centre that takes connections and never answers."""
    hole = socket.create_server(("127.0.0.1", 0))
    hosts = [
        _host(Path(folder, "away"), f"http://127.0.0.1:{hole.getsockname()[1]}"),
        _host(Path(folder, "alone"), None),
    ]
    with contextlib.ExitStack() as stack, hole:
        for program, port in hosts:
            program.start()
            stack.callback(program.kill)
            await asyncio.to_thread(wait_ready, program, port)
        base, mine = list[float](), list[float]()
        for _ in range(3):
            base += await asyncio.to_thread(round_trips, f"{folder}/alone", 1000)
            mine += await asyncio.to_thread(round_trips, f"{folder}/away", 1000)
    ratio = statistics.median(mine) / statistics.median(base)
    show(
        "round trip while the centre is a black hole",
        quantiles(mine),
        f"without a fleet {quantiles(base)}: {ratio:.2f}",
    )


PARTS = {part.__name__: part for part in (ingest, room, live, heartbeats, outage, pages)}


async def measure(names: list[str], events: int) -> None:
    """Measure these parts, one after the other."""
    with tempfile.TemporaryDirectory(prefix="claude-proxy-benchmark-") as folder:
        for name in names:
            await PARTS[name](folder, events)


def main() -> None:
    """Measure the parts that are asked for, or all."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fleet", description=__doc__)
    parser.add_argument("part", nargs="*", help=f"{', '.join(PARTS)}; all without any")
    parser.add_argument(
        "--events", type=int, default=10_000_000, help="for pages; ten million take a quarter of an hour"
    )
    given = parser.parse_args()
    if unknown := [name for name in given.part if name not in PARTS]:
        parser.error(f"no such part: {', '.join(unknown)}; there are {', '.join(PARTS)}")
    asyncio.run(measure(given.part or list(PARTS), given.events))


if __name__ == "__main__":
    main()
