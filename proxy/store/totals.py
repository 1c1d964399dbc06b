"""What sessions add up to: sums that only grow.

Each is a number under a key, such as ``("messages", "stdout", "valid")``. A store keeps what a removed session has
added in the same transaction that takes it out, so a sum never falls for that.
"""

import json

from proxy.events import Session
from proxy.events.session_outcome import of_session
from proxy.store.model import Totals

_VERDICTS = frozenset(["valid", "invalid", "unknown", "malformed", "text", "unjudged"])
_STREAMS = frozenset(["stdin", "stdout", "stderr", "transcript", "api", "proxy"])
_MOST_USD = 1e8
"""A message may say anything; no session costs more."""
_TOKENS = frozenset(["input", "output", "cache_read", "cache_creation"])


def totals_of(session: Session) -> Totals:
    """Return what one session adds. Names that a log may have made up are ``other``: there are few keys, ever."""
    found: Totals = Totals({("sessions",): 1, ("state", session.state): 1})
    if (outcome := of_session(session)) is not None:
        found["outcome", outcome.kind] = 1
    found["turns",] = session.figures.turns
    found["events",] = session.figures.events
    found["lost_records",] = session.lost_records
    found["microdollars",] = microdollars_of(session.figures.cost_usd or 0)
    for stream, verdicts in session.counts.items():
        for verdict, count in verdicts.items():
            key = (
                stream if stream in _STREAMS else "other",
                verdict if verdict in _VERDICTS else "other",
            )
            found["messages", *key] += count
    for by, decided in session.figures.approvals.items():
        for decision, count in decided.items():
            found["approvals", by, decision] += count
    for name, count in session.figures.tokens.items():
        if name in _TOKENS:
            found["tokens", name] += count
    return found


def microdollars_of(usd: float) -> int:
    """Return an amount in millionths of a dollar, of which every database can hold the sum of many."""
    return round(min(max(usd, 0), _MOST_USD) * 1_000_000)


def encode_totals(totals: Totals) -> str:
    """Return sums as JSON."""
    return json.dumps([[*key, count] for key, count in totals.items() if count])


def decode_totals(text: str) -> Totals:
    """Return sums from JSON."""
    return Totals({tuple(key): count for *key, count in json.loads(text)})
