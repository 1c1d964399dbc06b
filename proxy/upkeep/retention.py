"""Removes recorded sessions that have expired: past their days, or the oldest ones while all are too large together.

Rules it lives by:

* Nothing goes unless somebody has said what: without a rule, everything is kept for ever.
* A session that runs never goes: its writer holds the log with ``flock``, and a log is begun only once. One without
  an end that was written to within the hour stays too: a file system may have no locks.
* A log is removed whole, at once, by its name; the index follows its logs and takes out the rows in one transaction.
  Whatever kills us in between, the next look of the index finds what is missing.
* Of a sealed session that goes there is a line in ``seals.jsonl``: it is not missing.
* A moment in the future, as after a clock that was set back, is no age: such a session stays.
"""

import contextlib
import os
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, NamedTuple, Self

import msgspec

from proxy.config import Settings
from proxy.sessions import catalogue, firings
from proxy.sessions.identity import LATEST, LOG_SUFFIX, SIGNATURE_SUFFIX, log_path, sessions_dir
from proxy.sessions.record import rfc3339
from proxy.sessions.sealing import add_seal, is_sealed
from proxy.store.embedded.database import index_path
from proxy.store.embedded.indexer import Indexer
from proxy.upkeep.alone import alone_in
from proxy.upkeep.losses import note_loss
from proxy.upkeep.seals import sealed_sessions

_DAY_S = 86_400
_SETTLED_S = 3600  # a crashed session may be looked at, or resumed, soon after


@dataclass(frozen=True, slots=True)
class Rules:
    """What expires; None: nothing of that kind does."""

    days: float | None = None
    """Days since a session was last written to."""
    max_bytes: int | None = None
    """What all logs may take together, those of running sessions included."""

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Return what expires by the configuration."""
        days = settings.monitoring.retention_days
        if days is not None and settings.ship.to is not None:
            days = max(days, settings.ship.keep)
        return cls(days, settings.storage.max_total_size)


class Expired(msgspec.Struct, frozen=True):
    """A session that goes, or went."""

    session_id: str
    bytes: int
    last_written_at: str
    reason: Literal["days", "size"]


class Kept(msgspec.Struct, frozen=True):
    """A session that should have gone and could not, and why."""

    session_id: str
    error: str


class Pruned(msgspec.Struct, frozen=True):
    """What went, what could not, and what is left."""

    removed: list[Expired]
    failed: list[Kept]
    left_sessions: int
    left_bytes: int
    waiting: list[str] = []
    """Sessions that are past their days, and kept because the centre lacks something of them."""
    lost: dict[str, int] = {}
    """Of those that went: how many bytes the centre lacks for good."""

    @property
    def removed_bytes(self) -> int:
        """The size of all logs that went."""
        return sum(one.bytes for one in self.removed)


class _Log(NamedTuple):
    session_id: str
    size: int
    written_s: float


def prune(
    data_dir: str,
    rules: Rules,
    now_s: float,
    *,
    unshipped: Mapping[str, int] = MappingProxyType({}),
    dry_run: bool = False,
    is_stopping: Callable[[], bool] = lambda: False,
) -> Pruned:
    """Remove what has expired by now; with ``dry_run`` only say what would go. Never raises for a single log.

    ``unshipped``: sessions of which the centre of a fleet lacks something, and how many bytes. They do not go by their
    days, and for their size only when all others have gone; that is noted as a loss. ``is_stopping`` is asked before
    each removal: when it says so, the rest is left for another time.
    """
    logs = _logs(data_dir)
    removed: list[Expired] = []
    failed: list[Kept] = []
    lost: dict[str, int] = {}
    chosen, waiting = _expired(data_dir, logs, rules, now_s, unshipped)
    sealed = sealed_sessions(data_dir) if chosen and not dry_run else set()
    for expired in chosen:
        if is_stopping():
            break
        try:
            if not dry_run:
                _remove(data_dir, expired.session_id, now_s, has_line=expired.session_id in sealed)
        except FileNotFoundError:
            pass  # somebody else has removed it
        except OSError as error:
            failed.append(Kept(expired.session_id, error.strerror or str(error)))
            continue
        removed.append(expired)
        if expired.session_id in unshipped:
            lost[expired.session_id] = unshipped[expired.session_id]
            if not dry_run:
                note_loss(data_dir, expired.session_id, lost[expired.session_id], int(now_s * 1_000_000))
    if not dry_run:
        _mend_latest(data_dir)
    left_bytes = sum(log.size for log in logs) - sum(expired.bytes for expired in removed)
    return Pruned(removed, failed, len(logs) - len(removed), left_bytes, waiting, lost)


def _remove(data_dir: str, session_id: str, now_s: float, *, has_line: bool) -> None:
    path = log_path(data_dir, session_id)
    gone = {"session_id": session_id, "removed_by": "retention", "removed": rfc3339(int(now_s * 1e9))}
    # First, so that nothing that kills us in between makes it missing; on a full disk, as soon as there is room.
    is_told = not (has_line or is_sealed(path)) or add_seal(data_dir, gone)
    os.unlink(path)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path + SIGNATURE_SUFFIX)
    firings.remove(data_dir, session_id)
    if not is_told:
        add_seal(data_dir, gone)


def forget_in_index(data_dir: str) -> None:
    """Take the sessions whose logs are gone out of the index, where no server does it.

    Raises:
        StoreError, OSError: the index cannot be written; the next server to start will do it.
    """
    if not os.path.exists(index_path(data_dir)):
        return
    with contextlib.closing(Indexer(data_dir)) as indexer:
        indexer.forget_removed()


def _logs(data_dir: str) -> list[_Log]:
    """Return all logs, oldest first."""
    found = []
    for session_id in catalogue.list_logs(data_dir):
        with contextlib.suppress(OSError):
            status = os.stat(log_path(data_dir, session_id))
            found.append(_Log(session_id, status.st_size, status.st_mtime))
    return sorted(found, key=lambda log: (log.written_s, log.session_id))


def _expired(
    data_dir: str, logs: list[_Log], rules: Rules, now_s: float, unshipped: Collection[str]
) -> tuple[list[Expired], list[str]]:
    """Return what goes, and what is past its days and waits."""
    limit_s = float("inf") if rules.days is None else rules.days * _DAY_S
    most_bytes = float("inf") if rules.max_bytes is None else rules.max_bytes
    old = {log.session_id for log in logs if now_s - log.written_s > limit_s}
    due = old.difference(unshipped)
    found: list[Expired] = []
    total = sum(log.size for log in logs)
    # For their size only when all that is past its days has gone, and then what the centre lacks last.
    for log in sorted(logs, key=lambda log: (log.session_id not in due, log.session_id in unshipped)):
        is_due = log.session_id in due
        if (is_due or total > most_bytes) and not _is_live(log_path(data_dir, log.session_id), log, now_s):
            written_at = rfc3339(int(log.written_s * 1e9))
            found.append(Expired(log.session_id, log.size, written_at, "days" if is_due else "size"))
            total -= log.size
    kept = old - due - {one.session_id for one in found}
    return found, [log.session_id for log in logs if log.session_id in kept]


def _is_live(path: str, log: _Log, now_s: float) -> bool:
    try:
        if catalogue.is_running(path):
            return True
        return now_s - log.written_s < _SETTLED_S and catalogue.inspect(path).state != "ended"
    except OSError:
        return False  # it cannot be read; whether it can be removed is seen when it is tried


def _mend_latest(data_dir: str) -> None:
    """Lead ``latest.jsonl`` to the newest log that is left, if the one that it led to has gone."""
    folder = sessions_dir(data_dir)
    link = os.path.join(folder, LATEST)
    with contextlib.suppress(OSError), alone_in(folder):  # as sessions are that begin just now
        if os.path.lexists(link) and not os.path.exists(link):
            left = catalogue.list_logs(data_dir)
            if not left:
                os.unlink(link)
                return
            fresh = f"{link}.mended"
            with contextlib.suppress(FileNotFoundError):
                os.unlink(fresh)  # of somebody who was killed here
            os.symlink(left[0] + LOG_SUFFIX, fresh)
            os.rename(fresh, link)
