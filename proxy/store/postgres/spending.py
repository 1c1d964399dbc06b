"""What sessions cost by team, day and model: of those that are there by their rows, of removed ones by sums."""

from collections.abc import Sequence

from proxy.events import Session
from proxy.store.postgres.connections import Connection, execute
from proxy.store.totals import microdollars_of

DAY = "(timestamptz 'epoch' + started * interval '1 microsecond') AT TIME ZONE 'UTC'"
"""On which a session began (UTC), in SQL."""


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


def keep(connection: Connection, sessions: Sequence[int]) -> None:
    """Add what sessions cost that are about to be removed to the sums that stay. Within a transaction."""
    execute(
        connection,
        f"INSERT INTO spent SELECT team, ({DAY})::date, m.model, count(*), sum(m.microdollars)::bigint FROM sessions,"
        " unnest(models, microdollars) m (model, microdollars) WHERE id = ANY(%s) GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"
        " ON CONFLICT (team, day, model) DO UPDATE SET sessions = spent.sessions + excluded.sessions,"
        " microdollars = spent.microdollars + excluded.microdollars",
        (list(sessions),),
    )
