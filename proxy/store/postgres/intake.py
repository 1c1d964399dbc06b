"""Takes in what hosts push: many pushes in one transaction, each kept once, whatever is sent again.

Rules it lives by:

* A session's lines come in order, and are known by their place in its log. What is there already is not taken again;
  what would leave a gap is refused with where to go on.
* What a push was answered with is in the database, on disk: there is no queue behind an answer.
* Locks are taken in one order (sessions, counts, sums, the numbers of events, hosts), so that no two servers wait for
  each other. Events are numbered in the order of commits: whoever goes on behind the newest misses none.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import chain, zip_longest

from proxy.events.session_outcome import of_session
from proxy.sessions import firings
from proxy.sessions.reader import Entry, is_future, read_items
from proxy.store.counting import LEVELS_US, EventCounts, Tally
from proxy.store.derivation import Derivation
from proxy.store.encoding import as_json
from proxy.store.fleet import Answer, Arriving, Outcome, Pushed
from proxy.store.model import Totals
from proxy.store.pieces import Piece
from proxy.store.postgres import hosts
from proxy.store.postgres.bodies import Place, append, decompressed, put_together, read_frames
from proxy.store.postgres.connections import Connection, Writer, execute, value_of
from proxy.store.postgres.spending import spent_by
from proxy.store.postgres.tables import (
    SessionRow,
    add_counts,
    add_totals,
    ensure_partitions,
    last_mark,
    read_pieces,
    read_sessions,
    take_numbers,
    type_numbers,
    week_of,
)
from proxy.store.totals import totals_of
from proxy.store.version import derivation_version

NEWS = "claude_proxy_news"
"""The channel on which it is told that there are new events."""
_MOST_CACHED = 2000
"""Sessions whose interpreters are cached between pushes, some ten kilobytes each, 20 MB together: as many as go on at
once in a large fleet. Others are read from the database again.
"""


@dataclass(slots=True)
class _Tracked:
    """A session as it is when what was taken is written."""

    row: SessionRow
    derivation: Derivation
    totals: Totals
    tally: Tally
    parts: int
    """Frames that the last piece has in the database."""
    last_piece: int
    events: list[tuple[str, int, bytes]] = field(default_factory=list)
    text: defaultdict[int, list[bytes]] = field(default_factory=lambda: defaultdict(list))
    """Lines that are not written yet, by their pieces."""
    has_changed: bool = False


class Intake:
    """Writes what is pushed. For one thread at a time."""

    def __init__(self, url: str, *, is_pooled: bool = False, most_events: int | None = None) -> None:
        """``most_events`` bounds what is kept of a session's events, never what is known of its state."""
        self._writer, self._most_events = Writer(url, is_pooled=is_pooled), most_events
        self._cache: dict[str, _Tracked] = {}
        self._connection: Connection | None = None

    def close(self) -> None:
        """Let go of the database."""
        self._writer.close()

    def take(self, arriving: Sequence[Arriving]) -> list[Pushed]:
        """Store what hosts push, all of it together. StoreError: nothing was stored, and all can be sent again."""
        try:
            with self._writer.transaction() as connection:
                if connection is not self._connection:
                    # It may lead to a database that was restored to an older state.
                    self._connection = connection
                    self._cache.clear()
                known = hosts.find(connection, {one.host_id for one in arriving})
                answers = self.take_within(connection, arriving, known)
                stored = Counter(
                    known[one.host_id].id
                    for one, answer in zip(arriving, answers, strict=True)
                    if answer.outcome is Outcome.STORED
                )
                counted = hosts.count_pushes(connection, stored)
                epoch = hosts.read_epoch(connection)
        except BaseException:
            # What is in memory is ahead of the database now.
            for one in arriving:
                self._cache.pop(one.session_id, None)
            raise
        while len(self._cache) > _MOST_CACHED:
            del self._cache[next(iter(self._cache))]
        pushes = {host_id: counted.get(host.id, 0) for host_id, host in known.items()}
        return [
            Pushed(answer, epoch, pushes.get(one.host_id, 0))
            for one, answer in zip(arriving, answers, strict=True)
        ]

    def take_within(
        self, connection: Connection, arriving: Sequence[Arriving], known: Mapping[str, hosts.Host]
    ) -> list[Answer]:
        """Store what ``known`` hosts push in a transaction of somebody else's, who gives this up if it fails."""
        pushes = [(one, _sender(one, known)) for one in arriving]
        tracked = self._locked(connection, {one.session_id: host for one, host in pushes if host is not None})
        answers = [self._take_one(connection, tracked.get(one.session_id), one, host) for one, host in pushes]
        self._write(connection, [one for one in tracked.values() if one.has_changed])
        if unused := [one.row.session_id for one in tracked.values() if not one.row.lines]:
            execute(connection, "DELETE FROM sessions WHERE session_id = ANY(%s)", (unused,))
            for name in unused:
                self._cache.pop(name, None)
        return answers

    # -- sessions ----------------------------------------------------------------------------------------------

    def _locked(self, connection: Connection, owners: dict[str, hosts.Host]) -> dict[str, _Tracked]:
        """Return the sessions, held for this transaction, without those that were forgotten.

        ``owners``: who has sent them, by their ids.
        """
        names = sorted(owners)
        query = "SELECT session_id FROM sessions WHERE session_id = ANY(%s)"
        there = {name for (name,) in execute(connection, query, (names,))}
        if new := [name for name in names if name not in there]:
            self._begin(connection, new, owners)
            # Only now: from here on nobody can forget them.
            forgotten = "SELECT session_id FROM forgotten WHERE session_id = ANY(%s)"
            execute(connection, f"DELETE FROM sessions WHERE session_id IN ({forgotten})", (new,))
        found = {}
        where = "WHERE session_id = ANY(%s) ORDER BY id FOR UPDATE"
        for row in list(read_sessions(connection, where, (names,))):
            cached = self._cache.pop(row.session_id, None)
            if cached is None or cached.row[:-2] != row[:-2]:  # another server has taken something
                cached = self._load(connection, row)
            found[row.session_id] = self._cache[row.session_id] = cached
        return found

    def _begin(self, connection: Connection, names: Sequence[str], owners: dict[str, hosts.Host]) -> None:
        week = week_of(datetime.now(UTC).date())
        ensure_partitions(connection, week)
        with connection.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO sessions (session_id, host, team, week, started, lines, size, rewritten, over, running,"
                " outcome, version, state, drift) VALUES (%s, %s, %s, %s, 0, 0, 0, 0, false, true, '', %s, '', '')"
                " ON CONFLICT DO NOTHING",
                [(name, *owners[name][:2], week, derivation_version()) for name in names],
            )

    def _load(self, connection: Connection, row: SessionRow) -> _Tracked:
        session = row.session()
        where = "WHERE week = %s AND session = %s ORDER BY number DESC LIMIT 1"
        last = next(read_pieces(connection, where, (row.week, row.id)), Piece(0, 0))
        counted = (
            "SELECT type, count(*) FROM events WHERE week = %s AND session = %s AND ts >= %s GROUP BY type"
        )
        parts = "SELECT count(*) FROM bodies WHERE week = %s AND session = %s AND piece = %s"
        derivation = Derivation(session, last_piece=last, drift=row.search(), most_events=self._most_events)
        derivation.expect(firings.decoded(row.firings))
        return _Tracked(
            row,
            derivation,
            totals_of(session) if row.state else Totals(),
            Tally.of(
                last_mark(connection, row.id),
                lambda since_us: execute(connection, counted, (row.week, row.id, since_us)),
            ),
            parts=value_of(connection, parts, (row.week, row.id, last.number)),
            last_piece=last.number,
        )

    # -- one push ----------------------------------------------------------------------------------------------

    def _take_one(
        self, connection: Connection, tracked: _Tracked | None, push: Arriving, host: hosts.Host | None
    ) -> Answer:
        if host is None:
            return Answer(Outcome.STRANGER, 0)
        if tracked is None:
            return Answer(Outcome.FORGOTTEN, 0)
        lines = _lines(push.text)
        here = tracked.row.lines
        is_foreign = tracked.row.host != host.id
        if push.from_line > here or push.firings_from > len(tracked.row.firings):
            return Answer(Outcome.FOREIGN, 0) if is_foreign else Answer(Outcome.GAP, here)
        again, new = lines[: here - push.from_line], lines[here - push.from_line :]
        rewritten = self._others(connection, tracked, push.from_line, again) if again else 0
        if is_foreign:
            is_same = bool(again) and not rewritten and not new
            return (
                Answer(Outcome.STORED, push.from_line + len(again)) if is_same else Answer(Outcome.FOREIGN, 0)
            )
        items = list(read_items(new, tracked.row.size))
        if any(isinstance(item, Entry) and is_future(item.record) for item in items):
            return Answer(Outcome.FUTURE, here)
        derivation = tracked.derivation
        if fired := push.firings[len(tracked.row.firings) - push.firings_from :]:
            query = "UPDATE sessions SET firings = firings || %s WHERE id = %s RETURNING firings"
            tracked.row = tracked.row._replace(
                firings=value_of(connection, query, (list(fired), tracked.row.id))
            )
            derivation.expect(firings.decoded(tracked.row.firings))
            tracked.has_changed = True
        for item, line in zip(items, new, strict=True):
            tracked.events += derivation.take(item)
            tracked.text[derivation.cutter.number].append(line)
        if not push.has_more:
            tracked.events += derivation.rest()
        session = derivation.session
        if push.running:
            session.crash = None
        elif not session.complete:
            session.mark_crashed()
        row = tracked.row._replace(
            started_us=session.started_us,
            lines=here + len(new),
            size=tracked.row.size + sum(map(len, new)),
            rewritten=tracked.row.rewritten + rewritten,
            over=session.complete or not push.running,
            running=push.running,
            outcome="" if (became := of_session(session)) is None else became.kind,
        )
        tracked.has_changed |= row != tracked.row
        tracked.row = row
        return Answer(Outcome.STORED, row.lines)

    def _others(
        self, connection: Connection, tracked: _Tracked, from_line: int, again: Sequence[bytes]
    ) -> int:
        """Return how many lines that came again are not those that are here."""
        row = tracked.row
        where = "WHERE week = %s AND session = %s AND line < %s ORDER BY number"
        known: list[bytes] = []
        for piece in read_pieces(connection, where, (row.week, row.id, from_line + len(again))):
            if piece.line + piece.lines <= from_line:
                continue
            text = decompressed(read_frames(connection, Place(row.week, row.id, piece.number)))
            known += _lines(text)[max(0, from_line - piece.line) :]
        known += chain.from_iterable(tracked.text.values())
        return sum(line != here for line, here in zip_longest(again, known[: len(again)]))

    # -- together ----------------------------------------------------------------------------------------------

    def _write(self, connection: Connection, changed: Sequence[_Tracked]) -> None:
        types = type_numbers(connection, (name for one in changed for name, _, _ in one.events))
        counted: dict[int, EventCounts] = {}
        totals: dict[int, Totals] = {}
        for one in changed:
            row = one.row
            self._write_pieces(connection, one)
            self._write_marks(connection, one, types)
            counts = counted.setdefault(row.team, Counter())
            for name, timestamp_us, _ in one.events:
                counts[timestamp_us // LEVELS_US[0], types[name]] += 1
            team = totals.setdefault(row.team, Totals())
            team.subtract(one.totals)
            one.totals = totals_of(one.derivation.session)
            team.update(one.totals)
        add_counts(connection, counted)
        add_totals(connection, totals)
        self._write_sessions(connection, changed)
        if count := sum(len(one.events) for one in changed):
            number = take_numbers(connection, count)
            with connection.cursor() as cursor, cursor.copy("COPY events FROM STDIN") as copy:
                for one in changed:
                    for name, timestamp_us, data in one.events:
                        copy.write_row(
                            (one.row.week, number, timestamp_us, one.row.id, one.row.team, types[name], data)
                        )
                        number += 1
                    one.events = []
            execute(connection, f"NOTIFY {NEWS}")

    def _write_pieces(self, connection: Connection, one: _Tracked) -> None:
        row = one.row
        changed = one.derivation.cutter.take_changed()
        with connection.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO pieces VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
                " ON CONFLICT (week, session, number) DO UPDATE SET seq = excluded.seq, stop = excluded.stop,"
                " last_seq = excluded.last_seq, kinds = excluded.kinds",
                [(row.week, row.id, *piece.row()) for piece in changed],
            )
        last = one.derivation.cutter.number
        for piece_number, lines in one.text.items():
            place = Place(row.week, row.id, piece_number)
            before = one.parts if piece_number == one.last_piece else 0
            parts = append(connection, place, b"".join(lines), parts=before)
            if piece_number == last:
                one.parts = parts
            elif before:
                put_together(connection, place)
        if one.last_piece not in one.text and one.last_piece != last:
            put_together(connection, Place(row.week, row.id, one.last_piece))
        one.text.clear()
        one.last_piece = last

    def _write_marks(self, connection: Connection, one: _Tracked, types: dict[str, int]) -> None:
        marks = []
        for name, timestamp_us, _ in one.events:
            if mark := one.tally.add(types[name], timestamp_us):
                marks.append((one.row.id, *mark.row()))
        with connection.cursor() as cursor:
            cursor.executemany("INSERT INTO marks VALUES (%s, %s, %s, %s)", marks)

    def _write_sessions(self, connection: Connection, changed: Sequence[_Tracked]) -> None:
        for one in changed:
            drift = one.row.drift
            if one.derivation.drift.has_changed:
                drift = as_json(one.derivation.drift.state())
            one.row = one.row._replace(state=as_json(one.derivation.session), drift=drift)
            one.has_changed = False
        with connection.cursor() as cursor:
            cursor.executemany(
                "UPDATE sessions SET started = %s, lines = %s, size = %s, rewritten = %s, over = %s, running = %s,"
                " outcome = %s, state = %s, drift = %s, models = %s, microdollars = %s, stored_at = now()"
                " WHERE id = %s",
                [
                    (
                        *(row.started_us, row.lines, row.size, row.rewritten, row.over, row.running),
                        *(row.outcome, row.state, row.drift, *spent_by(one.derivation.session), row.id),
                    )
                    for one, row in ((one, one.row) for one in changed)
                ],
            )


def _sender(one: Arriving, known: Mapping[str, hosts.Host]) -> hosts.Host | None:
    """Return who pushes; None: nobody that is known, or not in the team in which it must be."""
    host = known.get(one.host_id)
    return host if host is not None and one.team in (None, host.team_name) else None


def _lines(text: bytes) -> list[bytes]:
    """Return lines, each with its newline: nothing else ends one."""
    return [line + b"\n" for line in text.split(b"\n")[:-1]]
