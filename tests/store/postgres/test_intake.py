"""What hosts push is stored once, in order, whatever is sent again, by whomever, and whatever dies."""

import json
import random
import threading
from typing import Any

import pytest

from proxy.sessions.firings import encoded
from proxy.store import StoreError
from proxy.store.fleet import Answer, Arriving, Outcome
from proxy.store.model import EventQuery
from proxy.store.pieces import rows_of
from proxy.store.postgres.connections import connect, writing
from proxy.store.postgres.intake import Intake
from proxy.store.postgres.removal import remove_sessions
from proxy.store.postgres.store import PostgresStore
from proxy.store.postgres.tables import SessionRow, read_sessions
from tests.recorded import START_US, LogMaker, firing, scenario
from tests.store.postgres.engine import Centre


def text_of(centre: Centre, session_id: str) -> bytes:
    """Return the lines of a session as they are stored."""
    pieces = centre.store.pieces(session_id)
    found = [pieces.at(n) for n in range(pieces.count)]
    return b"".join(row.line + b"\n" for piece in found for row in rows_of(piece, pieces.body(piece)))


def push(centre: Centre, text: bytes, from_line: int = 0, host: str | None = None) -> Answer:
    """Push lines of the session `a`."""
    (pushed,) = centre.intake.take([Arriving(host or centre.host(), None, "a", from_line, text)])
    return pushed.answer


def test_what_comes_again_is_not_taken_again(centre: Centre) -> None:
    """From the beginning, from the middle, across the end: each line is there once; a gap is refused."""
    log = scenario("subagent", LogMaker("a"))
    lines = log.splitlines(keepends=True)
    dice = random.Random(1)
    here = 0
    while here < len(lines):
        first = dice.randrange(here + 1)
        size = dice.randrange(1, 9)
        answer = push(centre, b"".join(lines[first : first + size]), first)
        here = max(here, min(first + size, len(lines)))
        assert answer == Answer(Outcome.STORED, here)
        assert push(centre, lines[-1], here + 1) == Answer(Outcome.GAP, here)
    assert text_of(centre, "a") == log
    events = centre.store.events(EventQuery(session_id="a", limit=1000))
    centre.reset()
    assert centre.store.events(EventQuery(session_id="a", limit=1000)).events == events.events
    (row,) = rows(centre)
    assert row.rewritten == 0


def test_what_rules_found_comes_in_pieces(centre: Centre) -> None:
    """It waits for the lines that were recorded before it, whoever has them, and is the same as at once."""
    log = scenario("subagent", LogMaker("a"))
    fired = [encoded(firing(START_US + 1000 * at + 1, f"r{at}"))[:-1] for at in (2, 9, 30)]
    host = centre.host()
    centre.intake.take([Arriving(host, None, "b", 0, log, firings=fired)])
    lines = log.splitlines(keepends=True)
    for first in range(0, len(lines), 5):
        one = Arriving(host, None, "a", first, b"".join(lines[first : first + 5]), firings=fired)
        centre.intake.take([one._replace(has_more=first + 5 < len(lines))])
        if first == 10:
            centre.reopen()  # nothing of it is in memory
    centre.reset()
    events = [
        [
            (one.event_type, one.timestamp_us)
            for one in centre.store.arrivals(0, 10_000).events
            if one.session_id == name
        ]
        for name in ("a", "b")
    ]
    assert events[0] == events[1]
    assert [row.firings for row in rows(centre)] == [fired, fired]


def test_what_rules_found_is_stored_once(centre: Centre) -> None:
    """Sent again it is not taken again; a gap is refused, and so is another host's; what cannot be read is no event."""
    log = scenario("simple", LogMaker("a"))
    fired = [encoded(firing(START_US, "first"))[:-1], b"torn", encoded(firing(START_US, "last"))[:-1]]
    one = Arriving(centre.host(), None, "a", 0, log)

    def answer(**fields: Any) -> Answer:
        (pushed,) = centre.intake.take([one._replace(**fields)])
        return pushed.answer

    stored = Answer(Outcome.STORED, log.count(b"\n"))
    assert answer(firings=fired[:1]) == stored
    assert answer(firings=fired[2:], firings_from=2) == Answer(Outcome.GAP, stored.next_line)
    assert answer(firings=fired) == stored
    assert answer(firings=fired[1:], firings_from=1) == stored
    copy = answer(host_id=centre.host("host-2"), firings=[b"{}"], firings_from=3)
    assert copy == stored  # by another host, which has a copy of the log
    assert [row.firings for row in rows(centre)] == [fired]
    found = [one.json for one in centre.store.arrivals(0, 10_000).events if one.event_type == "rule_fired"]
    assert [json.loads(event)["data"]["rule"] for event in found] == ["first", "last"]


def rows(centre: Centre) -> list[SessionRow]:
    """Return the rows of sessions."""
    with connect(centre.url) as connection, writing(connection):
        return list(read_sessions(connection, ""))


def test_a_log_that_was_rewritten_changes_nothing(centre: Centre) -> None:
    """The first that came stays; how many lines came again as others is counted."""
    maker = LogMaker("a")
    log = maker.started() + maker.lines("stdout", {"type": "a"}, {"type": "b"})
    push(centre, log)
    other = log.replace(b'"type": "b"', b'"type": "c"')
    assert other != log
    assert push(centre, other) == Answer(Outcome.STORED, 3)
    assert text_of(centre, "a") == log
    (row,) = rows(centre)
    assert row.rewritten == 1


def test_a_session_belongs_to_its_first_host(centre: Centre) -> None:
    """Another host may have a copy of it, and adds nothing to it."""
    maker = LogMaker("a")
    log = maker.started() + maker.lines("stdout", {"type": "a"})
    push(centre, log)
    host = centre.host("host-2")
    assert push(centre, log, 0, host) == Answer(Outcome.STORED, 2)
    assert push(centre, maker.lines("stdout", {"type": "b"}), 2, host).outcome is Outcome.FOREIGN
    assert push(centre, log.replace(b"claude", b"cloude"), 0, host).outcome is Outcome.FOREIGN
    assert text_of(centre, "a") == log


def test_what_was_forgotten_stays_forgotten(centre: Centre) -> None:
    """Who still has it is told never to send it again."""
    push(centre, scenario("simple", LogMaker("a")))
    with connect(centre.url) as connection, writing(connection):
        remove_sessions(connection, list(read_sessions(connection, "FOR UPDATE")), by_whom="the law")
    assert push(centre, scenario("simple", LogMaker("a"))) == Answer(Outcome.FORGOTTEN, 0)
    assert centre.store.session("a") is None


def test_a_log_of_a_newer_format_is_set_aside(centre: Centre) -> None:
    """It is not misread: its host keeps it until there is a centre that knows it."""
    log = LogMaker("a").started().replace(b'"format":1', b'"format":2')
    assert push(centre, log).outcome is Outcome.FUTURE
    assert rows(centre) == []


def _stdout(seq: int, rest: bytes) -> bytes:
    """Return a record of a line of standard output, its message spelled as given."""
    return b'{"seq":%d,"ts":"2026-01-02T03:04:05.00000%dZ","session_id":"a","stream":"stdout",%s}' % (
        seq,
        seq,
        rest,
    )


ODD = [
    _stdout(0, b'"message":{"b":1.0,"a":1e2,"b":2}'),
    _stdout(1, b'"message":{"a":"\\u0000 \\ud800"}'),
    _stdout(2, b'"raw_base64":"/w=="'),
    b"\xff\xfe\x00 no record",
    b"",
    b"\r",
]


def test_identical_bytes_come_out(centre: Centre) -> None:
    """Whatever a line is: databases that know JSON would refuse some of these, and change others."""
    text = b"".join(line + b"\n" for line in ODD)
    push(centre, text)
    assert text_of(centre, "a") == text


def test_a_long_line(centre: Centre) -> None:
    """It comes in several frames, none of which is large, and goes out whole."""
    line = (
        b'{"seq":0,"ts":"2026-01-02T03:04:05.000000Z","session_id":"a","stream":"stdout","message":{"x":"%s"}}\n'
        % (random.Random(1).randbytes(3_000_000).hex().encode())
    )
    push(centre, line)
    assert text_of(centre, "a") == line
    with connect(centre.url) as connection, writing(connection):
        (size, count) = connection.execute("SELECT max(length(body)), count(*) FROM bodies").fetchone() or (
            0,
            0,
        )
    assert size < 1_100_000
    assert count == 6


def test_a_full_piece_is_put_together(centre: Centre) -> None:
    """What came in small pushes takes no more room, once a piece is full, than what came at once."""
    maker = LogMaker("a")
    lines = [maker.started(), *(maker.lines("stdout", {"type": "a", "n": n}) for n in range(1100))]
    host = centre.host()
    for place in range(0, len(lines), 20):
        push(centre, b"".join(lines[place : place + 20]), place, host)
    assert text_of(centre, "a") == b"".join(lines)
    with connect(centre.url) as connection, writing(connection):
        parts = connection.execute(
            "SELECT piece, count(*) FROM bodies GROUP BY piece ORDER BY piece"
        ).fetchall()
    assert parts[0] == (0, 1)
    assert parts[1][1] > 1


def test_a_crash_is_a_claim_that_can_be_taken_back(centre: Centre) -> None:
    """Only the host can know that a writer is gone; if it was not, the session goes on as if nothing had been said."""
    log = scenario("simple", LogMaker("a"))
    lines = log.splitlines(keepends=True)
    host = centre.host()
    states = []
    for first, stop, running in (
        (0, 9, True),
        (9, 9, False),
        (9, 9, True),
        (9, 9, False),
        (9, len(lines), True),
    ):
        centre.intake.take([Arriving(host, None, "a", first, b"".join(lines[first:stop]), running)])
        session = centre.store.session("a")
        assert session is not None
        states.append(session.state)
    assert states == ["executing", "failed", "executing", "failed", "ended"]
    found = [one.event_type for one in centre.store.arrivals(0, 1000).events]
    assert found.count("session_ended") == 1


def test_several_servers_take_the_same_sessions(centre: Centre) -> None:
    """Whichever takes a piece, and however often: every line once, every event once, and a reader misses none."""
    logs = {f"s{n}": scenario("subagent", LogMaker(f"s{n}")).splitlines(keepends=True) for n in range(4)}
    host = centre.host()

    def work(seed: int) -> None:
        dice = random.Random(seed)
        intake = Intake(centre.url)
        places = dict.fromkeys(logs, 0)
        while any(place < len(logs[name]) for name, place in places.items()):
            pushes = []
            for name in dice.sample(sorted(logs), 2):
                first, size = places[name], dice.randrange(1, 6)
                pushes.append(Arriving(host, None, name, first, b"".join(logs[name][first : first + size])))
            for one, pushed in zip(pushes, intake.take(pushes), strict=True):
                assert pushed.answer.outcome is Outcome.STORED
                places[one.session_id] = pushed.answer.next_line
        intake.close()

    seen: list[int] = []
    over = threading.Event()

    def read() -> None:
        store, place = PostgresStore(centre.url), 0
        while True:
            is_last = over.is_set()
            while found := store.arrivals(place, 7).events:
                seen.extend(one.id for one in found)
                place = found[-1].id
            if is_last:
                break
        store.close()

    reader = threading.Thread(target=read)
    reader.start()
    workers = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(120)
    over.set()
    reader.join(120)
    newest = centre.store.cursor().id
    assert seen == list(range(1, newest + 1))
    for name, lines in logs.items():
        assert text_of(centre, name) == b"".join(lines)
    before = centre.store.events(EventQuery(limit=10_000, offset=0, order="asc"))
    totals = centre.store.totals()
    centre.reset()
    after = centre.store.events(EventQuery(limit=10_000, offset=0, order="asc"))
    assert (after.events, after.total) == (before.events, before.total)
    assert +centre.store.totals() == +totals


def test_a_failed_transaction_leaves_nothing(centre: Centre, monkeypatch: pytest.MonkeyPatch) -> None:
    """What could not be stored whole was not: it is sent again, and all is as if it had come once."""
    log = scenario("simple", LogMaker("a"))
    lines = log.splitlines(keepends=True)
    push(centre, b"".join(lines[:5]))

    def fails(*_: object) -> None:
        raise StoreError("no")

    with monkeypatch.context() as patch:
        patch.setattr("proxy.store.postgres.intake.add_totals", fails)
        with pytest.raises(StoreError):
            push(centre, b"".join(lines[5:]), 5)
    assert push(centre, b"".join(lines[5:]), 5) == Answer(Outcome.STORED, len(lines))
    assert text_of(centre, "a") == log
    session = centre.store.session("a")
    assert session is not None
    assert session.state == "ended"
