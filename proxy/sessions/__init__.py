"""The session log: one JSONL file per wrapped process, the single source of truth.

``beginning``  what the user chose for the record of a session, and its first record
``record``     the format: how one record is encoded
``writer``     appends records, survives a failing disk
``reader``     reads records back, also torn and foreign ones
``catalogue``  finds sessions in a data directory
``identity``   session ids and where things live
``serving``    who serves a data directory
``watch``      learns which files have changed

The writing side is part of every wrapped session: it imports nothing but the standard library's core.
"""

from __future__ import annotations

TYPE_CHECKING = False  # `typing` takes long to import, and a session waits for its log
if TYPE_CHECKING:
    from proxy.sessions.writer import SessionLog


def log_class(seal: object) -> type[SessionLog]:
    """Return which kind of log a session has; ``seal``: what the user chose, ``on`` or anything else for none."""
    if seal != "on":
        from proxy.sessions.writer import SessionLog  # noqa: PLC0415 - not for who merely reads logs

        return SessionLog
    from proxy.sessions.sealing import SealedLog  # noqa: PLC0415 - few sessions are sealed

    return SealedLog
