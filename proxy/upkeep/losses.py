"""What was removed for room before the centre had all of it: ``DATA_DIR/unshipped_lost.jsonl``, a line a session."""

import contextlib
import os
from typing import TypedDict

import msgspec

from proxy.events.timestamps import format_timestamp
from proxy.protocol.grammar import REFUSALS
from proxy.sessions.private import append_line, read_private


class Loss(TypedDict):
    """A session that is not whole at the centre, and never will be."""

    session_id: str
    bytes: int
    """Of its log, which the centre lacks."""
    lost_at: str
    """RFC 3339."""


_decode = msgspec.json.Decoder(Loss).decode


def losses_path(data_dir: str) -> str:
    """Return the file of a data directory."""
    return os.path.join(data_dir, "unshipped_lost.jsonl")


def note_loss(data_dir: str, session_id: str, size: int, now_us: int) -> None:
    """Add a session. Never raises: on a full disk, for one, it is told in the server's log alone."""
    loss = Loss(session_id=session_id, bytes=size, lost_at=format_timestamp(now_us))
    with contextlib.suppress(OSError):
        append_line(losses_path(data_dir), msgspec.json.encode(loss) + b"\n")


def read_losses(data_dir: str) -> list[Loss]:
    """Return what was lost, the oldest first. OSError when it cannot be read."""
    found: list[Loss] = []
    with contextlib.suppress(FileNotFoundError):
        for line in read_private(losses_path(data_dir)).splitlines():
            with contextlib.suppress(*REFUSALS):
                found.append(_decode(line))
    return found
