"""What the centre has acknowledged of each log: ``DATA_DIR/shipped.jsonl``.

A line is appended for each acknowledgement, and the last one of a session counts. What is lost of it (a torn line, the
whole file) costs looking through logs again; never a record.
"""

import contextlib
import fcntl
import os

import msgspec

from proxy.protocol.grammar import REFUSALS
from proxy.sessions.catalogue import list_logs
from proxy.sessions.private import open_private, read_private

_SPARE_BYTES = 1 << 16  # some hundred lines: less is not worth writing the file anew


class Acknowledged(msgspec.Struct, frozen=True, array_like=True):
    """How far the centre has a session: a line of the file."""

    session_id: str
    lines: int = 0
    """Of the log."""
    bytes: int = 0
    """Of the log itself, whatever was left out on the way."""
    inode: int = 0
    """Of the log: another one is another log."""
    firings: int = 0
    """How much of what rules found."""


_decode = msgspec.json.Decoder(Acknowledged).decode


def ledger_path(data_dir: str) -> str:
    """Return the file of a data directory."""
    return os.path.join(data_dir, "shipped.jsonl")


def read(data_dir: str) -> dict[str, Acknowledged]:
    """Return what was acknowledged, by session. Where there is no file, nothing was. OSError: it cannot be read."""
    found: dict[str, Acknowledged] = {}
    with contextlib.suppress(FileNotFoundError):
        for line in read_private(ledger_path(data_dir)).splitlines():
            with contextlib.suppress(*REFUSALS):
                one = _decode(line)
                found[one.session_id] = one
    return found


def clear(data_dir: str) -> None:
    """Forget all of it: it was another centre's. OSError when that is not possible."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(ledger_path(data_dir))


class Ledger:
    """The same, while it grows. Several processes may append to it."""

    def __init__(self, data_dir: str) -> None:
        """OSError when the file cannot be read or written."""
        there = set(list_logs(data_dir))
        self.known = {name: one for name, one in read(data_dir).items() if name in there}
        """By session."""
        self._fd = open_private(ledger_path(data_dir), os.O_RDWR | os.O_CREAT | os.O_APPEND)
        self._shorten()

    def _shorten(self) -> None:
        """Leave out what counts no more, if it is much, and nobody else has the file open."""
        content = b"".join(map(_encoded, self.known.values()))
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(self._fd).st_size > 2 * len(content) + _SPARE_BYTES:
                os.ftruncate(self._fd, 0)
                os.write(self._fd, content)

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._fd)

    def note(self, one: Acknowledged) -> None:
        """Remember what was acknowledged. OSError when that cannot be written; it is known all the same."""
        if self.known.get(one.session_id) != one:
            self.known[one.session_id] = one
            os.write(self._fd, _encoded(one))


def _encoded(one: Acknowledged) -> bytes:
    return msgspec.json.encode(one) + b"\n"
