"""A page of events, with all that is told beside it, in one statement: one message, and one moment of the database.

It finds the page as `proxy.store.ranks` does, by the counts of ``proxy.store.counting``: the rank of a timestamp is the
sum of the spans before it and a count within the last second, and the events of some ranks are where the spans are
that hold these ranks, from the longest ones down. What is wanted and in which order is decided in Python.
"""

from functools import cache
from typing import NamedTuple

from psycopg.types.numeric import Int8

from proxy.store import ranks
from proxy.store.counting import LEVELS_US
from proxy.store.model import EventQuery
from proxy.store.postgres.hosts import UNREACHABLE_S
from proxy.store.ranks import FOREVER

_SETTLING_MS = 2000
"""A host sends what is recorded within a quarter of a second (`ship.gather`); the rest is left to networks and a retry.
"""
STANDING = f"""
SELECT epoch, next_id - 1 AS newest_id, coalesce((
    SELECT (extract(epoch FROM min(
        h.heard_at + least(0, h.clock_offset_ms) * interval '1 millisecond'
    )) * 1000000)::bigint FROM hosts h WHERE h.heard_at > now() - interval '{UNREACHABLE_S} seconds'
    AND EXISTS (SELECT FROM sessions s WHERE s.host = h.id AND NOT s.over)
) - {_SETTLING_MS * 1000}, {FOREVER}) AS settled_us FROM meta"""
"""The epoch, the id of the newest event, and the watermark.

Up to the watermark nothing earlier will come from hosts that are heard; FOREVER when none of them records. A clock that
is behind stamps earlier than it is.
"""
_SECOND_US = LEVELS_US[0]
_TOP = len(LEVELS_US) - 1
_LEVELS = ", ".join(
    f"({level}, {length_us}::bigint, {LEVELS_US[min(level + 1, _TOP)]}::bigint)"
    for level, length_us in enumerate(LEVELS_US)
)
_LENGTHS = f"(ARRAY[{', '.join(map(str, LEVELS_US))}]::bigint[])"


class PageRow(NamedTuple):
    """An event of a page, or none; and what is told beside it, the same in each row."""

    epoch: str
    newest_id: int
    settled_us: int
    total: int
    timestamp_us: int | None
    session_id: str
    type: str
    data: bytes


@cache
def page_statement(*, is_of_session: bool, is_typed: bool, is_of_team: bool, has_start: bool) -> str:
    """Return the statement for pages of one session or all, of some types or all, for one team or all, since when."""
    where = f"e.team = ANY({_TEAMS})" if is_of_team else "true"
    where += f" AND e.type = ANY({_TYPES})" if is_typed else ""
    if is_of_session:
        where += " AND e.session = (SELECT id FROM session)"
    spans = (_of_session if is_of_session else _of_all)(where, is_typed=is_typed, has_start=has_start)
    # Not where events are counted or passed over: an index has all that is asked then, and no row is read for it.
    week = "AND e.week = (SELECT week FROM session)" if is_of_session else ""
    statement = f"""
WITH RECURSIVE given AS MATERIALIZED (
    SELECT %(start)s::bigint AS start, %(stop)s::bigint AS stop, %(is_settled)s AS is_settled,
        %(is_from_start)s AS is_from_start, %(offset)s::bigint AS skip, %(limit)s::bigint AS take,
        %(scanned)s::bigint AS scanned,
        ARRAY(SELECT id FROM teams {"WHERE name = %(team)s" if is_of_team else ""}) AS teams,
        {"ARRAY(SELECT id FROM types WHERE name = ANY(%(types)s))" if is_typed else "NULL::smallint[]"} AS types
), standing AS MATERIALIZED ({STANDING}
), period AS MATERIALIZED (
    SELECT start, CASE WHEN is_settled THEN least(stop, settled_us + 1) ELSE stop END AS stop FROM given, standing
), {spans}
SELECT standing.epoch, standing.newest_id, standing.settled_us, page.high - page.low, chosen.*
FROM standing CROSS JOIN page LEFT JOIN (
    SELECT found.ts, (SELECT s.session_id FROM sessions s WHERE s.id = found.session),
        (SELECT t.name FROM types t WHERE t.id = found.type), found.data
    FROM spans CROSS JOIN LATERAL (
        SELECT e.ts, e.session FROM events e
        WHERE {where} AND e.ts >= spans.start_us AND e.ts < spans.stop_us
        ORDER BY e.ts, e.session LIMIT 1 OFFSET spans.skip
    ) begin CROSS JOIN LATERAL (
        SELECT e.ts, e.session, e.type, e.data FROM events e
        WHERE {where} {week} AND e.ts < spans.stop_us AND (e.ts, e.session) >= (begin.ts, begin.session)
        ORDER BY e.ts, e.session LIMIT spans.take
    ) found ORDER BY found.ts, found.session
) chosen ON true"""
    return " ".join(statement.split())  # the driver remembers how it reads one of less than 4096 characters


_TEAMS = "(SELECT teams FROM given)::smallint[]"
_TYPES = "(SELECT types FROM given)::smallint[]"
_PAGE = """bounds AS MATERIALIZED (SELECT {low} AS low, {high} AS high FROM period), page AS MATERIALIZED (
    SELECT low, high,
        CASE WHEN is_from_start THEN least(high, low + skip) ELSE greatest(low, high - skip - take) END AS first,
        CASE WHEN is_from_start THEN least(high, low + skip + take) ELSE greatest(low, high - skip) END AS stop
    FROM given, (SELECT low, greatest(low, high) AS high FROM bounds) bounds
)"""
"""The ranks of a page: as `ranks.cut` has them."""


def _of_all(where: str, *, is_typed: bool, has_start: bool) -> str:
    """Return the spans of a page of all sessions, by the counts of each stretch of time."""
    wanted = "sum(c.count)" + (f" FILTER (WHERE c.type = ANY({_TYPES}))" if is_typed else "")

    def rank(at: str) -> str:
        return f"""(
        SELECT coalesce({wanted}, 0)::bigint
        FROM (VALUES {_LEVELS}) l (level, us, longer_us) JOIN counts c ON c.level = l.level
            AND c.slot >= CASE WHEN l.level = {_TOP} THEN -{FOREVER}
                ELSE floor({at} / l.longer_us::numeric)::bigint * (l.longer_us / l.us) END
            AND c.slot < floor({at} / l.us::numeric)::bigint
        WHERE c.team = ANY({_TEAMS})
    ) + (
        SELECT count(*) FROM events e WHERE {where} AND e.ts < {at}
            AND e.ts >= floor({at} / {_SECOND_US}::numeric)::bigint * {_SECOND_US}
    )"""

    return f"""{_PAGE.format(low=rank("start") if has_start else "0::bigint", high=rank("period.stop"))}, descent AS (
    SELECT {_TOP + 1} AS level, -{FOREVER} AS start_us, {FOREVER} AS stop_us, {FOREVER} AS total,
        first AS skip, stop - first AS take
    FROM page WHERE stop > first
    UNION ALL
    SELECT span.level - 1, c.slot * c.us, (c.slot + 1) * c.us, c.total, greatest(0, span.skip - c.before),
        least(c.wanted, span.skip + span.take - c.before) - greatest(0, span.skip - c.before)
    FROM descent span CROSS JOIN LATERAL (
        SELECT d.*, (sum(d.wanted) OVER (ORDER BY d.slot))::bigint - d.wanted AS before FROM (
            SELECT c.slot, l.us, coalesce({wanted}, 0)::bigint AS wanted, sum(c.count)::bigint AS total
            FROM (SELECT {_LENGTHS}[span.level] AS us) l, counts c
            WHERE c.team = ANY({_TEAMS}) AND c.level = span.level - 1
                AND c.slot >= span.start_us / l.us AND c.slot < span.stop_us / l.us
            GROUP BY c.slot, l.us
        ) d
    ) c
    WHERE span.level > 0 AND span.total > (SELECT scanned FROM given)
        AND c.before < span.skip + span.take AND c.before + c.wanted > span.skip
), spans AS (
    SELECT start_us, stop_us, skip, take FROM descent WHERE level = 0 OR total <= (SELECT scanned FROM given)
)"""


def _of_session(where: str, *, is_typed: bool, has_start: bool) -> str:
    """Return the spans of a page of one session, by its marks."""
    before = "m.number"
    if is_typed:
        counts = "json_each_text(convert_from(m.types, 'UTF8')::json) t WHERE t.key::smallint"
        before = f"(SELECT coalesce(sum(t.value::bigint), 0)::bigint FROM {counts} = ANY({_TYPES}))"

    def rank(stop: str) -> str:
        return f"""(
        SELECT mark.before + (SELECT count(*) FROM events e WHERE {where} AND e.ts >= mark.ts AND e.ts < {stop})
        FROM marked mark WHERE mark.ts < {stop} ORDER BY mark.ts DESC LIMIT 1
    )"""

    return f"""session AS MATERIALIZED (
    SELECT id, week FROM sessions WHERE session_id = %(session)s AND team = ANY({_TEAMS})
), marked AS MATERIALIZED (
    SELECT -{FOREVER} - 1 AS ts, 0::bigint AS before
    UNION ALL SELECT m.ts, {before} FROM marks m WHERE m.session = (SELECT id FROM session)
), {_PAGE.format(low=rank("start") if has_start else "0::bigint", high=rank("period.stop"))}, spans AS (
    SELECT mark.ts AS start_us, mark.stop_us, greatest(0, page.first - mark.before) AS skip,
        least(page.stop, mark.until) - greatest(page.first, mark.before) AS take
    FROM page CROSS JOIN (
        SELECT ts, before, lead(ts, 1, {FOREVER}) OVER (ORDER BY ts) AS stop_us,
            lead(before, 1, {FOREVER}) OVER (ORDER BY ts) AS until FROM marked
    ) mark WHERE mark.before < page.stop AND mark.until > page.first
)"""


def page_values(query: EventQuery, team: str | None) -> dict[str, object]:
    """Return the values of the statement for a query. All numbers are of one type, so it is prepared once."""
    window = ranks.window_of(query)
    return {
        "team": team,
        "session": query.session_id,
        "types": None if query.event_types is None else list(query.event_types),
        "start": Int8(0 if query.after_us is None else query.after_us + 1),
        "stop": Int8(FOREVER if query.until_us is None else query.until_us + 1),
        "is_settled": query.session_id is None and query.after_us is not None,
        "is_from_start": window.is_from_start,
        "offset": Int8(window.offset),
        "limit": Int8(query.limit),
        "scanned": Int8(ranks.SCANNED),
    }
