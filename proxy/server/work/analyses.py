"""Analyses of sessions that are cached, so that asking again about a live one costs what is new in it."""

import asyncio
import math
import pickle
from collections.abc import Sequence
from functools import lru_cache, partial

import msgspec

from proxy.analysis import SessionAnalysis
from proxy.events import Event, Session
from proxy.server.work.pool import Pool
from proxy.store import Store
from proxy.store.model import RawEvent

MOST_CACHED = 16
"""Each takes a megabyte at most, once a session has a hundred thousand events."""


class _Analyzed:
    """One session's analysis, as the pool gives it back, and what it was made of."""

    def __init__(self) -> None:
        self.turn = asyncio.Lock()
        self.reset()

    def reset(self, filling: tuple[str, int] | None = None) -> None:
        """Forget what was taken."""
        self.filling, self.last_us, self.state = filling, 0, b""


class Analyses:
    """Brings analyses up to date, each by one request at a time. For the event loop's thread."""

    def __init__(self, store: Store, pool: Pool) -> None:
        self._store = store
        self._pool = pool
        self._cache = lru_cache(MOST_CACHED)(lambda _: _Analyzed())

    async def answer(self, session: Session, now_us: int, within_s: float = math.inf) -> bytes | None:
        """Return the analysis of a session as JSON, None when the index does not have it (any more).

        ``within_s``: after so long the answer is of what was read by then; asked again, it goes on from there.
        StoreError when the store cannot be used.
        """
        session_id = session.session_id
        until = asyncio.get_running_loop().time() + within_s
        cached = self._cache(session_id)
        async with cached.turn:
            while True:
                piece = await asyncio.to_thread(self._store.events_of, session_id, cached.last_us)
                if piece is None:
                    return None
                if piece.filling != cached.filling:
                    is_from_start = cached.last_us == 0
                    cached.reset(piece.filling)
                    if not is_from_start:
                        continue
                is_wanted = piece.is_last or asyncio.get_running_loop().time() >= until
                at_us = now_us if is_wanted else None
                go_on = partial(analyze, session, cached.state, piece.events, at_us, is_all=piece.is_last)
                cached.state, report = await self._pool.run(go_on)
                if piece.events:
                    cached.last_us = piece.events[-1][1]
                if is_wanted:
                    return report


def analyze(
    session: Session, state: bytes, events: Sequence[RawEvent], now_us: int | None, *, is_all: bool
) -> tuple[bytes, bytes]:
    """Go on with an analysis: return how it stands, and its report as JSON if it is wanted.

    ``state``: what was returned before, empty at the beginning. ``now_us``: the time of a report, None for none.
    ``is_all``: with these events all that the index has were taken.
    """
    analysis: SessionAnalysis = pickle.loads(state) if state else SessionAnalysis(session.session_id)
    for event_type, timestamp_us, data in events:
        analysis.take(Event(event_type, timestamp_us, msgspec.json.decode(data)))
    pickled = pickle.dumps(analysis, pickle.HIGHEST_PROTOCOL)
    if now_us is None:
        return pickled, b""
    if not is_all:
        now_us = None
    elif session.over:
        analysis.mark_over(session)  # if no event says so; not kept, as the log may go on
    return pickled, msgspec.json.encode(analysis.report(now_us, expected=session.figures.events))
