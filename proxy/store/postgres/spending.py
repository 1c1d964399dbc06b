"""What sessions cost by team, day and model: of those that are there by their rows, of removed ones by sums."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

from proxy.events import Session
from proxy.store.fleet import Spent
from proxy.store.postgres.connections import Connection, Connections, execute
from proxy.store.postgres.tables import of_team
from proxy.store.ranks import FOREVER
from proxy.store.totals import microdollars_of

_DAY = "(timestamptz 'epoch' + started * interval '1 microsecond') AT TIME ZONE 'UTC'"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def spent_by(session: Session) -> tuple[list[bytes], list[int]]:
    """Return the models that a session has spent something on, and how much on each, in millionths of a dollar.

    The model is empty for what results state in all and for no model.
    """
    found = {
        model.encode(errors="surrogatepass"): microdollars_of(usd)
        for model, usd in session.figures.cost_by_model.items()
    }
    rest = microdollars_of(session.figures.cost_usd or 0) - sum(found.values())
    if rest > 0:
        found[b""] = found.get(b"", 0) + rest
    return list(found), list(found.values())


def spent(
    connections: Connections, team: str | None, after_us: int | None, until_us: int | None
) -> list[Spent]:
    """Return what was spent on sessions that began in a period, removed ones by whole days of it."""
    low = -FOREVER if after_us is None else after_us
    high = FOREVER if until_us is None else until_us
    rows = connections.ask(
        "SELECT (SELECT name FROM teams t WHERE t.id = team), day, model, sum(sessions)::bigint,"
        f" sum(microdollars)::bigint FROM (SELECT team, ({_DAY})::date AS day, m.model, 1 AS sessions, m.microdollars"
        " FROM sessions, unnest(models, sessions.microdollars) m (model, microdollars)"
        f" WHERE started > %(after)s AND started <= %(until)s AND {of_team(team)}"
        " UNION ALL SELECT team, day, model, sessions, microdollars FROM spent"
        f" WHERE day >= %(first)s AND day <= %(last)s AND {of_team(team)}) found"
        " GROUP BY team, day, model ORDER BY day, 1, model",
        {"team": team, "after": low, "until": high, "first": _day(low), "last": _day(high)},
    )
    return [
        Spent(name, day, bytes(model).decode(errors="replace"), sessions, microdollars)
        for name, day, model, sessions, microdollars in rows
    ]


def _day(timestamp_us: int) -> date:
    try:
        return (_EPOCH + timedelta(microseconds=timestamp_us)).date()
    except OverflowError:
        return date.min if timestamp_us < 0 else date.max


def keep(connection: Connection, sessions: Sequence[int]) -> None:
    """Add what sessions cost that are about to be removed to the sums that stay. Within a transaction."""
    execute(
        connection,
        f"INSERT INTO spent SELECT team, ({_DAY})::date, m.model, count(*), sum(m.microdollars)::bigint FROM sessions,"
        " unnest(models, microdollars) m (model, microdollars) WHERE id = ANY(%s) GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"
        " ON CONFLICT (team, day, model) DO UPDATE SET sessions = spent.sessions + excluded.sessions,"
        " microdollars = spent.microdollars + excluded.microdollars",
        (list(sessions),),
    )
