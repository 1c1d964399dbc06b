"""What a centre tells of its fleet: hosts, what teams spent, and tokens; each question is one statement."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

from proxy.fleet import Host, Origin, TeamCost
from proxy.store.fleet import Token
from proxy.store.postgres.connections import Connections
from proxy.store.postgres.hosts import UNREACHABLE_S
from proxy.store.postgres.spending import DAY
from proxy.store.postgres.tables import of_team
from proxy.store.ranks import FOREVER

_IS_REACHABLE = f"h.heard_at > now() - interval '{UNREACHABLE_S} seconds'"
_HEARD_AT = "to_char(h.heard_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class FleetQueries:
    """What the store of a centre tells of its fleet."""

    _connections: Connections
    _team: str | None

    def hosts(self) -> list[Host]:
        """Return the hosts that were heard, by name."""
        rows = self._connections.ask(
            f"SELECT h.host_id, h.name, t.name, h.version, {_IS_REACHABLE}, {_HEARD_AT}, h.clock_offset_ms,"
            " count(s.id), count(s.id) FILTER (WHERE NOT s.over), coalesce(sum(s.rewritten), 0)::bigint"
            " FROM hosts h JOIN teams t ON t.id = h.team LEFT JOIN sessions s ON s.host = h.id"
            f" WHERE {'true' if self._team is None else 't.name = %(team)s'}"
            " GROUP BY h.id, t.name ORDER BY h.name, h.host_id",
            {"team": self._team},
        )
        return [Host(*row) for row in rows]

    def hosted(self, session_ids: Sequence[str]) -> dict[str, Origin]:
        """Return where sessions come from."""
        rows = self._connections.ask(
            f"SELECT s.session_id, h.name, t.name, {_IS_REACHABLE}, {_HEARD_AT} FROM sessions s"
            " JOIN hosts h ON h.id = s.host JOIN teams t ON t.id = s.team WHERE s.session_id = ANY(%s)",
            (list(session_ids),),
        )
        return {
            session_id: Origin(host=host, team=team, reachable=reachable, heard_at=heard_at)
            for session_id, host, team, reachable, heard_at in rows
        }

    def spent(self, after_us: int | None, until_us: int | None) -> list[TeamCost]:
        """Return what was spent on sessions that began in a period, by team, day and model.

        Removed sessions are included by whole days of it.
        """
        low = -FOREVER if after_us is None else after_us
        high = FOREVER if until_us is None else until_us
        rows = self._connections.ask(
            "SELECT (SELECT name FROM teams t WHERE t.id = team), to_char(day, 'YYYY-MM-DD'), model,"
            " sum(sessions)::bigint, sum(microdollars)::float8 / 1000000 FROM"
            f" (SELECT team, ({DAY})::date AS day, m.model, 1 AS sessions, m.microdollars"
            " FROM sessions, unnest(models, sessions.microdollars) m (model, microdollars)"
            f" WHERE started > %(after)s AND started <= %(until)s AND {of_team(self._team)}"
            " UNION ALL SELECT team, day, model, sessions, microdollars FROM spent"
            f" WHERE day >= %(first)s AND day <= %(last)s AND {of_team(self._team)}) found"
            " GROUP BY team, day, model ORDER BY day, 1, model",
            {"team": self._team, "after": low, "until": high, "first": _day(low), "last": _day(high)},
        )
        return [
            TeamCost(team, day, model.decode(errors="replace"), *sums) for team, day, model, *sums in rows
        ]

    def tokens(self) -> list[Token]:
        """Return the tokens, by name."""
        query = (
            "SELECT name, scopes, sha256, to_char(created_at AT TIME ZONE 'UTC',"
            ' \'YYYY-MM-DD"T"HH24:MI:SS".000000Z"\'), team FROM tokens ORDER BY name'
        )
        return [Token(name, tuple(scopes), *rest) for name, scopes, *rest in self._connections.ask(query)]


def _day(timestamp_us: int) -> date:
    try:
        return (_EPOCH + timedelta(microseconds=timestamp_us)).date()
    except OverflowError:
        return date.min if timestamp_us < 0 else date.max
