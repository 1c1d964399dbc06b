"""Whether the files of the index are those that are written, and whether they are as they were left.

SQLite goes on writing into a file that was removed or replaced, and notices nothing. And it takes a file as it is:
what was changed while nobody held it is found when it is read, or never. So it is noted how the file was left; one
that stands otherwise (its indexer was killed, or somebody has changed it) is looked through.
"""

import contextlib
import json
import os

from proxy.sessions.private import open_private
from proxy.store.embedded.database import FILES, index_path


class Standing:
    """Which files are written: the index, and what SQLite keeps beside it."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._inodes: dict[str, int] = {}
        self.learn()

    def learn(self) -> None:
        """Note how the files are after they were written; some are made when they are first needed."""
        self._written = self._shapes()
        for suffix in FILES:
            if suffix not in self._inodes and (inode := _inode(self._path + suffix)) is not None:
                self._inodes[suffix] = inode

    def was_touched(self) -> bool:
        """Tell whether somebody else has written into the index since."""
        return self._shapes() != self._written

    def _shapes(self) -> list[tuple[int, int]]:
        found = []
        for suffix in ("", "-wal"):
            with contextlib.suppress(OSError):
                status = os.stat(self._path + suffix)
                found.append((status.st_size, status.st_mtime_ns))
        return found

    def has_changed(self) -> bool:
        """Tell whether one of the files is gone or another one."""
        return any(_inode(self._path + suffix) != inode for suffix, inode in self._inodes.items())

    def is_another_index(self) -> bool:
        """Tell whether somebody has put another index in the place of the one that is written."""
        inode = _inode(self._path)
        return inode is not None and inode != self._inodes.get("")


def note_clean_close(data_dir: str) -> None:
    """Note how the index was left. Where that cannot be, it will be looked through."""
    with contextlib.suppress(OSError):
        note = json.dumps(_shape(data_dir)).encode()
        fd = open_private(_note_path(data_dir), os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        try:
            os.write(fd, note)
        finally:
            os.close(fd)


def forget_clean_close(data_dir: str) -> bool:
    """Return whether the index is as it was noted, or not there; from now on it is noted nowhere."""
    try:
        with open(_note_path(data_dir), "rb") as file:
            noted = json.loads(file.read())
        os.unlink(_note_path(data_dir))
        return bool(noted == _shape(data_dir))
    except (OSError, ValueError):
        return not os.path.exists(index_path(data_dir))


def _note_path(data_dir: str) -> str:
    return os.path.join(data_dir, "index.clean")


def _shape(data_dir: str) -> list[int]:
    status = os.stat(index_path(data_dir))
    return [status.st_ino, status.st_size, status.st_mtime_ns]


def _inode(path: str) -> int | None:
    try:
        return os.stat(path).st_ino
    except OSError:
        return None
