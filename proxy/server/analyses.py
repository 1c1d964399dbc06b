"""Analyses of sessions that are kept, so that asking again about a live one costs what is new in it."""

import threading

import msgspec

from proxy.analysis import SessionAnalysis
from proxy.server.kept import Kept
from proxy.store.history import History

__all__ = ["Analyses"]

MOST_KEPT = 16
"""Each takes some megabytes at most."""


class _Analyzed:
    """One session's analysis, and what it was made of."""

    def __init__(self) -> None:
        self.turn = threading.Lock()
        self.filling: tuple[str, int] | None = None
        self.analysis: SessionAnalysis | None = None


class Analyses:
    """Brings analyses up to date. Safe to use from several threads: each session is read by one at a time."""

    def __init__(self, history: History) -> None:
        self.history = history
        self._kept = Kept(_Analyzed, MOST_KEPT)

    def answer(self, session_id: str, now_us: int, expected: int) -> bytes | None:
        """Return the analysis of a session as JSON, None when the index does not have it (any more).

        ``expected``: how many events the session has. sqlite3.Error when the index cannot be read.
        """
        kept = self._kept.of(session_id)
        with kept.turn:
            if not self._catch_up(session_id, kept) or kept.analysis is None:
                return None
            return msgspec.json.encode(kept.analysis.report(now_us, expected=expected))

    def _catch_up(self, session_id: str, kept: _Analyzed) -> bool:
        """Take in what is new; return whether there is such a session."""
        while True:
            after_us = 0 if kept.analysis is None else kept.analysis.last_us
            piece = self.history.events_of(session_id, after_us)
            if piece is None:
                return False
            if kept.analysis is None or piece.filling != kept.filling:
                begun_anew = kept.analysis is not None and after_us > 0
                kept.analysis, kept.filling = SessionAnalysis(session_id), piece.filling
                if begun_anew:
                    continue
            for event in piece.events:
                kept.analysis.take(event)
            if not piece.events:
                return True
