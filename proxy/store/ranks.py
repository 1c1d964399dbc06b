"""How many events lie before a moment, and which event is the n-th: without counting through.

Time is cut into chunks of some thousand events, for all sessions together (scope 0) and for each session (its
number); the table ``chunks`` holds how many events of each type are in each. The rank of a moment is the sum of the
chunks before its own and a count within that one; the n-th event is found the same way. So a page costs the same
wherever it is.
"""

import sqlite3
from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence

CHUNK = 4096
"""Events after which a chunk is closed; one that others are inserted into is cut when it is twice that long."""

FOREVER = 1 << 62

Chunks = list[tuple[int, int]]
"""Start and number of events of each chunk, in order."""


class Tally:
    """Keeps the chunks of one scope while events are added. Owns no transaction."""

    def __init__(self, connection: sqlite3.Connection, scope: int) -> None:
        self._connection = connection
        self._scope = scope
        rows = connection.execute(
            "SELECT start, sum(count) FROM chunks WHERE scope = ? GROUP BY start ORDER BY start", (scope,)
        ).fetchall()
        self._starts: list[int] = [start for start, _ in rows] or [0]
        self._sizes: list[int] = [size for _, size in rows] or [0]
        self._last = self._newest()
        self._added: Counter[tuple[int, int]] = Counter()

    def add(self, moment: int, type_id: int) -> None:
        """Count one event."""
        starts, sizes = self._starts, self._sizes
        if moment > self._last:
            # Only behind every other event: what lies at a chunk's start or later must all be in it.
            if sizes[-1] >= CHUNK:
                starts.append(moment)
                sizes.append(0)
            self._last = moment
            index = -1
        else:
            index = bisect_right(starts, moment) - 1
        sizes[index] += 1
        self._added[starts[index], type_id] += 1

    def remove(self, moment: int, type_id: int) -> None:
        """Count one event less."""
        index = bisect_right(self._starts, moment) - 1
        self._sizes[index] -= 1
        self._added[self._starts[index], type_id] -= 1

    def flush(self) -> None:
        """Write what was counted into the table; the events must be there already."""
        self._connection.executemany(
            "INSERT INTO chunks VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET count = count + excluded.count",
            [
                (self._scope, start, type_id, count)
                for (start, type_id), count in self._added.items()
                if count
            ],
        )
        self._added.clear()
        for index in reversed(range(len(self._sizes))):
            if self._sizes[index] > 2 * CHUNK:
                self._cut(index)

    def _newest(self) -> int:
        where, arguments = _scoped(self._scope)
        found = self._connection.execute(f"SELECT max(ts) FROM events WHERE {where}", arguments).fetchone()[0]
        return -1 if found is None else int(found)

    def _cut(self, index: int) -> None:
        """Divide a chunk that has grown too long, at moments where no other event lies on both sides."""
        start, end = self._starts[index], ([*self._starts, FOREVER])[index + 1]
        where, arguments = _scoped(self._scope)
        rows = self._connection.execute(
            f"SELECT ts, type FROM events WHERE {where} AND ts >= ? AND ts < ? ORDER BY ts",
            (*arguments, start, end),
        ).fetchall()
        pieces: list[tuple[int, Counter[int]]] = [(start, Counter())]
        before = -1
        for moment, type_id in rows:
            if pieces[-1][1].total() >= CHUNK and moment > before:
                pieces.append((moment, Counter()))
            pieces[-1][1][type_id] += 1
            before = moment
        self._connection.execute("DELETE FROM chunks WHERE scope = ? AND start = ?", (self._scope, start))
        self._connection.executemany(
            "INSERT INTO chunks VALUES (?, ?, ?, ?)",
            [(self._scope, at, type_id, count) for at, types in pieces for type_id, count in types.items()],
        )
        self._starts[index : index + 1] = [at for at, _ in pieces]
        self._sizes[index : index + 1] = [types.total() for _, types in pieces]


def chunks(connection: sqlite3.Connection, scope: int, types: Sequence[int] | None) -> Chunks:
    """Return the chunks of a scope with how many events of the types (None: of any) each holds."""
    where, arguments = _typed(types)
    rows = connection.execute(
        f"SELECT start, sum(count) FROM chunks WHERE scope = ? {where} GROUP BY start ORDER BY start",
        (scope, *arguments),
    )
    return rows.fetchall()


def rank(
    connection: sqlite3.Connection, scope: int, types: Sequence[int] | None, known: Chunks, moment: int
) -> int:
    """Return how many events lie at the moment or before it. ``known``: what `chunks` gives for the same."""
    before, last = 0, None
    for start, count in known:
        if start > moment:
            break
        before, last = before + count, (start, count)
    if last is None:
        return 0
    where, arguments = _scoped(scope)
    typed, type_arguments = _typed(types)
    # The chunk may begin before `start` of a later one that holds none of these types: those count as nothing.
    within = connection.execute(
        f"SELECT count(*) FROM events WHERE {where} AND ts >= ? AND ts <= ? {typed}",
        (*arguments, last[0], moment, *type_arguments),
    ).fetchone()[0]
    return before - last[1] + int(within)


def rows_between(
    connection: sqlite3.Connection,
    scope: int,
    types: Sequence[int] | None,
    known: Chunks,
    *,
    first: int,
    end: int,
) -> list[tuple[int, int, int, bytes]]:
    """Return moment, session, type and data of the events with ranks from ``first`` up to ``end``, oldest first."""
    found: list[tuple[int, int, int, bytes]] = []
    where, arguments = _scoped(scope)
    typed, type_arguments = _typed(types)
    before = 0
    for start, stop, count in _spans(known, merged=types is None, first=first, end=end):
        skip, take = max(0, first - before), min(end - before, count) - max(0, first - before)
        before += count
        if take > 0:
            found += connection.execute(
                f"SELECT ts, session, type, data FROM events WHERE {where} AND ts >= ? AND ts < ? {typed}"
                " ORDER BY ts, session LIMIT ? OFFSET ?",
                (*arguments, start, stop, *type_arguments, take, skip),
            )
    return found


def _spans(known: Chunks, *, merged: bool, first: int, end: int) -> list[tuple[int, int, int]]:
    """Return start, end and count of the chunks; with ``merged``, those that hold the ranks as a single one."""
    stops = [start for start, _ in known[1:]] + [FOREVER]
    spans = [(start, stop, count) for (start, count), stop in zip(known, stops, strict=False)]
    if not merged:
        return spans
    before = 0
    lead, rest = 0, len(spans)
    for index, (_, _, count) in enumerate(spans):
        if before + count <= first:
            lead = index + 1
        if before >= end:
            rest = index
            break
        before += count
    middle = spans[lead:rest]
    if not middle:
        return spans
    whole = (middle[0][0], middle[-1][1], sum(count for _, _, count in middle))
    return [*spans[:lead], whole, *spans[rest:]]


def _scoped(scope: int) -> tuple[str, tuple[int, ...]]:
    return ("session = ?", (scope,)) if scope else ("1", ())


def _typed(types: Sequence[int] | None) -> tuple[str, tuple[int, ...]]:
    if types is None:
        return "", ()
    return f"AND type IN ({', '.join('?' * len(types))})", tuple(types)
