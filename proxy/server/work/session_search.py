"""What was said, looked for in all sessions, newest first.

The logs themselves are looked through: nothing is stored for it, and any part of a word is found. How far a search has
come is a place, which the one who asks keeps.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

from msgspec.structs import replace

from proxy.api.search import FoundRecord, FoundSession
from proxy.sessions.reader import parse
from proxy.store import Store
from proxy.store.pieces import Body, Piece
from proxy.store.records import RecordQuery, matching_rows
from proxy.telling.preview import snippet

_AT_ONCE = 16
"""Pieces, or sessions, that are given to the pool together: some megabytes, some ten milliseconds."""
_MOST_RECORDS = 3
"""Of one session: enough to tell whether it is the one that is meant."""
_SPOKEN = ("user", "assistant", "result", "session_started", "")
"""Types of records that say something to people: text has none. Deltas say once more, in parts, what messages do."""


class Place(NamedTuple):
    """Where a search goes on: what is behind it stays behind it, whichever sessions begin or are removed meanwhile."""

    started_us: int
    session_id: str
    piece: int
    """Pieces of this session that were looked through."""


class Part(NamedTuple):
    """Some of a session's records, to be looked through."""

    session_id: str
    work: list[tuple[Piece, Body]]


@dataclass
class Step:
    """What to look through next."""

    parts: list[Part] = field(default_factory=list)
    place: Place | None = None
    """Where to go on behind it; None: nowhere."""
    searched: int = 0
    """Sessions that are looked through with it."""
    is_complete: bool = True
    """Whether all that is recorded of these sessions can be read now."""


def query_of(text: str) -> RecordQuery:
    """Return what is asked of each log."""
    return RecordQuery(text=text, types=_SPOKEN)


def next_step(store: Store, query: RecordQuery, place: Place | None) -> Step:
    """Return what to look through next: from a place on, from the newest session on where there is none."""
    step, left = Step(), _AT_ONCE
    for number, session in enumerate(store.sessions(limit=_AT_ONCE + 1, begin=place and place[:2])):
        if left <= 0 or number == _AT_ONCE:
            step.place = Place(session.started_us, session.session_id, 0)
            break
        first = place.piece if place and place.session_id == session.session_id else 0
        try:
            pieces = store.pieces(session.session_id)
            numbers = range(first, max(first, min(first + left, pieces.count)))
            wanted = [piece for piece in map(pieces.at, numbers) if query.count(piece.kinds)]
            step.parts.append(Part(session.session_id, [(piece, pieces.body(piece)) for piece in wanted]))
        except KeyError:  # it was removed just now
            continue
        except OSError:  # so was its log, or it cannot be read
            step.searched += 1
            step.is_complete = False
            continue
        left -= max(1, len(numbers))
        if numbers.stop < pieces.count:
            step.place = Place(session.started_us, session.session_id, numbers.stop)
            break
        step.searched += 1
        step.is_complete = step.is_complete and pieces.is_complete
    return step


def look_through(parts: list[Part], query: RecordQuery) -> tuple[list[FoundSession], bool]:
    """Return the sessions in which the text was said, and whether all could be read. For the pool."""
    found, is_complete = [], True
    for part in parts:
        try:
            if (one := _found(part, query)) is not None:
                found.append(one)
        except OSError:
            is_complete = False
    return found, is_complete


def merged(found: list[FoundSession], more: list[FoundSession]) -> list[FoundSession]:
    """Return what was found so far and behind it, each session once."""
    if not (found and more and found[-1].session_id == more[0].session_id):
        return found + more
    last, first = found[-1], more[0]
    records = (last.records + first.records)[:_MOST_RECORDS]
    return [*found[:-1], replace(last, records=records, total=last.total + first.total), *more[1:]]


def _found(part: Part, query: RecordQuery) -> FoundSession | None:
    records: list[FoundRecord] = []
    total = 0
    for piece, body in part.work:
        for _, row in matching_rows(piece, body, query):
            record = parse(row.line)
            # What is no record is of another type than those that are looked for.
            assert not isinstance(record, str)
            if (found_text := snippet(record, query.text)) is None:
                continue
            total += 1
            if len(records) < _MOST_RECORDS:
                records.append(
                    FoundRecord(seq=record.seq, ts=record.ts, stream=record.stream, snippet=found_text)
                )
    return FoundSession(session_id=part.session_id, records=records, total=total) if total else None
