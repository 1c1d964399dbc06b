"""Which logs there are, which of them have changed, which are gone, and up to where all of them are read."""

import os
from collections.abc import Collection, Iterable

from proxy.sessions import catalogue, firings
from proxy.sessions.identity import log_path, sessions_dir
from proxy.store.embedded.rows import SessionRow
from proxy.store.embedded.tracked import TrackedLog

_SKEW_US = 60_000_000
"""Events that are stamped further in the future come from a clock that was wrong, and are not waited for."""
_STAMPED_TO_WRITTEN_US = 500_000
"""A wrapper stamps a record and writes it within a millisecond, unless it is kept from running in between."""


class Inventory:
    """The logs of a data directory, as far as somebody has looked."""

    def __init__(self, data_dir: str, known: Iterable[SessionRow]) -> None:
        """``known``: what the index has of them."""
        self._data_dir = data_dir
        self.logs: dict[str, TrackedLog] = {}
        """By session, oldest first."""
        self.removed: list[TrackedLog] = []
        """Logs that are gone, and still in the index."""
        for row in known:
            place = (row.inode, row.offset, row.mark_at, row.mark, bool(row.over))
            self.logs[row.session_id] = TrackedLog(
                row.id, row.session_id, log_path(data_dir, row.session_id), *place
            )

    @property
    def live(self) -> list[str]:
        """The sessions that are not over. May be asked from another thread."""
        return [log.session_id for log in list(self.logs.values()) if not log.over]

    @property
    def is_behind(self) -> bool:
        """Whether some log holds more than was read, or was removed and is still in the index."""
        return bool(self.removed) or any(log.behind for log in self.logs.values())

    def look(self, names: Collection[str] | None = None) -> None:
        """Learn which logs have changed: those of that name, or (None) any of them. OSError when nobody can tell."""
        if names is None:
            self._look_at_all()
            return
        for session_id in names:
            log = self.logs.get(session_id)
            if log is None or not os.path.exists(log.path):
                if not catalogue.is_session_id(session_id):
                    continue
                self._look_at_all()
                return
            log.behind = True

    def watermark(self, looked_us: int, newest_us: int) -> int | None:
        """Return the watermark: nothing with an earlier timestamp will come. None: nothing is being written.

        ``looked_us``: when the logs were looked at; ``newest_us``: the newest event.
        """
        logs = self.logs.values()
        found = [log.session.last_record_us if log.session else 0 for log in logs if log.behind]
        # Clients' own sessions are written by the server itself, one record after another.
        if any(not log.over and log.session and log.session.kind == "wrapped" for log in logs):
            found.append(looked_us - _STAMPED_TO_WRITTEN_US)
        elif looked_us < newest_us < looked_us + _SKEW_US:
            found.append(looked_us)  # a log that is not seen yet was begun later, and is stamped later
        return min(found) if found else None

    def close(self) -> None:
        """Let go of all logs."""
        for log in self.logs.values():
            log.let_go()

    def _look_at_all(self) -> None:
        os.makedirs(sessions_dir(self._data_dir), mode=0o700, exist_ok=True)
        there = catalogue.list_logs(self._data_dir)
        for session_id in self.logs.keys() - set(there):
            gone = self.logs.pop(session_id)
            gone.let_go()  # as long as it is open, the disk has not its room back
            self.removed.append(gone)
        for session_id in reversed(there):
            log = self.logs.get(session_id)
            if log is None:
                self.logs[session_id] = TrackedLog(0, session_id, log_path(self._data_dir, session_id))
            elif not log.over or log.behind or _has_changed(log):
                log.behind = True


def _has_changed(log: TrackedLog) -> bool:
    try:
        return firings.extent(log.path) != (log.inode, log.offset, log.fired_bytes)
    except OSError:
        return True
