"""What sessions had that the specification does not have, kept, so that asking again costs what is new in a log.

Nobody is kept waiting for a whole log: each question takes a bounded time, says whether it has come to the end, and
going on from there is asking it again.
"""

import os
import threading
import time

import msgspec

from proxy.server.kept import Kept
from proxy.sessions.drift import Search, Sightings
from proxy.sessions.identity import log_path
from proxy.sessions.reader import LogReader, Skipped

__all__ = ["Drifts"]

MOST_KEPT = 16
"""Each takes some megabytes at most."""
MOST_LISTED = 1000
"""Different things of one session."""
_BUDGET_S = 0.5
_PIECE_BYTES = 1 << 18


class _Searched:
    """How far one log has been looked through, and what was found. No file stays open: it may be removed."""

    def __init__(self) -> None:
        self.turn = threading.Lock()
        self._begin()

    def _begin(self, file: tuple[int, int] | None = None) -> None:
        self._file, self._offset = file, 0
        self.found = Sightings(MOST_LISTED)
        self._search = Search(self.found)

    def read_on(self, path: str, until: float) -> bool:
        """Take in what is new, or as much as can be until then; return whether that was all."""
        with self._opened(path) as reader:
            while True:
                before = self._offset
                for item in reader.read(max_bytes=_PIECE_BYTES):
                    self._offset = item.end  # whatever happens, nothing is counted twice
                    if not isinstance(item, Skipped):
                        self._search.look_at(item.record)
                if self._offset - before < _PIECE_BYTES:
                    return True
                if time.monotonic() >= until:
                    return False

    def _opened(self, path: str) -> LogReader:
        """Open the log where the reading stopped; at its beginning if another has taken its place."""
        reader = LogReader(path, self._offset)
        status = os.fstat(reader.fileno())
        file = (status.st_dev, status.st_ino)
        if file == self._file and status.st_size >= self._offset:
            return reader
        reader.close()
        self._begin(file)
        return LogReader(path)


class Drifts:
    """Looks through the logs of a data directory. Safe to use from several threads."""

    def __init__(self, data_dir: str, budget_s: float = _BUDGET_S) -> None:
        self._data_dir = data_dir
        self._budget_s = budget_s
        self._kept = Kept(_Searched, MOST_KEPT)

    def answer(self, session_id: str) -> bytes:
        """Return what was found in a session's log, as JSON. OSError when the log cannot be read."""
        path, until = log_path(self._data_dir, session_id), time.monotonic() + self._budget_s
        kept = self._kept.of(session_id)
        with kept.turn:
            complete = kept.read_on(path, until)
            listed, unlisted = kept.found.listed(), kept.found.unlisted
            return msgspec.json.encode({"drift": listed, "unlisted": unlisted, "complete": complete})
