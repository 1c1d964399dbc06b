"""Texts in the records of sessions: looked for by the pool, and what was found is cached for the next question.

Nobody is kept waiting for a whole log: each question takes a bounded time, says how far it has come, and going on from
there is asking it again.
"""

import asyncio
from functools import lru_cache

from proxy.server.work.pool import Pool
from proxy.store.pieces import Body, Piece, Pieces
from proxy.store.records import Part, RecordPage, RecordQuery, Search, matching_lines

_BUDGET_S = 0.5
"""A question takes about so long, and is then answered with what was found."""
_AT_ONCE = 16
"""Pieces that are given to the pool together: some megabytes, some ten milliseconds."""
_MOST_CACHED = 64
"""Each takes 16 bytes for a record that was found."""


class _Cached:
    """One search, as far as it has come."""

    def __init__(self) -> None:
        self.turn = asyncio.Lock()
        self.filling: object = None
        self.search = Search()


class RecordSearches:
    """Looks for texts. For the event loop's thread."""

    def __init__(self, pool: Pool, budget_s: float = _BUDGET_S) -> None:
        self._pool, self._budget_s = pool, budget_s
        self._cache = lru_cache(_MOST_CACHED)(lambda _: _Cached())

    async def page(self, session_id: str, pieces: Pieces, query: RecordQuery, part: Part) -> RecordPage:
        """Return a page of the records that hold the query's text, of those that were looked through by now.

        OSError when the log cannot be read, StoreError when the store cannot be used.
        """
        cached = self._cache((session_id, query))
        async with cached.turn:
            if cached.filling != pieces.filling:  # another log has taken its place
                cached.filling, cached.search = pieces.filling, Search()
            loop = asyncio.get_running_loop()
            until = loop.time() + self._budget_s
            place = cached.search.pieces
            while place < pieces.count:
                work = await asyncio.to_thread(_work, pieces, place)
                found = await self._pool.run(matching_lines, work, query)
                for (piece, _), lines in zip(work, found, strict=True):
                    cached.search.add(piece, lines)
                place += len(work)
                if loop.time() >= until:
                    break
            return await asyncio.to_thread(cached.search.page, pieces, part)


def _work(pieces: Pieces, first: int) -> list[tuple[Piece, Body]]:
    numbers = range(first, min(first + _AT_ONCE, pieces.count))
    return [(piece, pieces.body(piece)) for piece in map(pieces.at, numbers)]
