"""What all sessions add up to, those included that were removed: figures that only grow.

Each is a number under a key, such as ``("messages", "stdout", "valid")``. What a removed session has added is kept in
the index in the same transaction that takes it out, so a sum never falls for that. An index that is begun anew starts
from the logs that there are.
"""

import json
import sqlite3
from collections import Counter

import msgspec

from proxy.events import Session

__all__ = ["Amounts", "Counted", "amounts_of", "keep_of_removed"]

Amounts = Counter[tuple[str, ...]]

_VERDICTS = frozenset(["valid", "invalid", "unknown", "malformed", "text", "unjudged"])
_STREAMS = frozenset(["stdin", "stdout", "stderr", "api", "proxy"])
_TOKENS = frozenset(["input", "output", "cache_read", "cache_creation"])
_STATE = "state"


def amounts_of(session: Session) -> Amounts:
    """Return what one session adds. Names that a log may have made up are ``other``: there are few keys, ever."""
    found: Amounts = Counter({("sessions",): 1, (_STATE, session.state): 1})
    found["turns",] = session.figures.turns
    found["events",] = session.figures.events
    found["lost_records",] = session.lost_records
    found["microdollars",] = round((session.figures.cost_usd or 0) * 1_000_000)
    for stream, verdicts in session.counts.items():
        for verdict, count in verdicts.items():
            key = (
                stream if stream in _STREAMS else "other",
                verdict if verdict in _VERDICTS else "other",
            )
            found["messages", *key] += count
    for name, count in session.figures.tokens.items():
        if name in _TOKENS:
            found["tokens", name] += count
    return found


def keep_of_removed(connection: sqlite3.Connection, session_number: int) -> None:
    """Remember what a session has added that is about to be taken out of the index."""
    row = connection.execute("SELECT state FROM sessions WHERE id = ?", (session_number,)).fetchone()
    if row is None or not row[0]:
        return
    found = _removed(connection)
    found.update(amounts_of(msgspec.json.decode(row[0], type=Session)))
    spelled = json.dumps([[*key, count] for key, count in found.items() if key[0] != _STATE])
    connection.execute("INSERT OR REPLACE INTO meta VALUES ('removed', ?)", (spelled,))


def _removed(connection: sqlite3.Connection) -> Amounts:
    row = connection.execute("SELECT value FROM meta WHERE key = 'removed'").fetchone()
    return Counter({tuple(key): count for *key, count in json.loads(row[0])} if row else {})


class Counted:
    """The sum, and what of it is known already: only sessions that have changed are looked at again."""

    def __init__(self) -> None:
        self._generation = ""
        self._sum: Amounts = Counter()
        self._seen: dict[int, tuple[int, int, Amounts]] = {}

    def up_to_date(self, connection: sqlite3.Connection) -> Amounts:
        """Return the sum as the index has it now."""
        generation = connection.execute("SELECT value FROM meta WHERE key = 'generation'").fetchone()[0]
        if generation != self._generation:
            self._generation, self._sum, self._seen = generation, Counter(), {}
        there = set()
        changed = []
        for number, offset, over in connection.execute(
            "SELECT id, offset, over FROM sessions WHERE state != x''"
        ):
            there.add(number)
            if self._seen.get(number, (-1, -1))[:2] != (offset, over):
                changed.append((number, offset, over))
        for number in self._seen.keys() - there:
            self._sum.subtract(self._seen.pop(number)[2])
        for number, offset, over in changed:
            if number in self._seen:
                self._sum.subtract(self._seen[number][2])
            state = connection.execute("SELECT state FROM sessions WHERE id = ?", (number,)).fetchone()[0]
            amounts = amounts_of(msgspec.json.decode(state, type=Session))
            self._sum.update(amounts)
            self._seen[number] = (offset, over, amounts)
        return Counter(
            {**self._sum, **{key: self._sum[key] + count for key, count in _removed(connection).items()}}
        )
