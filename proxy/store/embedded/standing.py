"""Whether the files of the index are those that are written, and whether they are as they were left.

SQLite goes on writing into a file that was removed or replaced, and notices nothing. And it takes a file as it is:
what was changed while nobody held it is found when it is read, or never. So it is noted how the file was left; one
that stands otherwise (its indexer was killed, or somebody has changed it) is looked through.
"""

import contextlib
import json
import os

from proxy.sessions.private import open_private
from proxy.store.embedded.database import FILES, index_path, shape_of


class Standing:
    """Which files are written: the index, and what SQLite keeps beside it."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._inodes: dict[str, int] = {}
        self.learn()

    def learn(self) -> None:
        """Note how the files are after they were written; some are made when they are first needed."""
        self._written = self._shapes()
        for suffix, (inode, *_) in self._written.items():
            self._inodes.setdefault(suffix, inode)

    def was_touched(self) -> bool:
        """Tell whether somebody else has written into the index since."""
        shapes = self._shapes()
        return any(shapes.get(suffix) != self._written.get(suffix) for suffix in ("", "-wal"))

    def has_changed(self) -> bool:
        """Tell whether one of the files is gone or another one."""
        shapes = self._shapes()
        return any(
            suffix not in shapes or shapes[suffix][0] != inode for suffix, inode in self._inodes.items()
        )

    def is_another_index(self) -> bool:
        """Tell whether somebody has put another index in the place of the one that is written."""
        shape = shape_of(self._path)
        return shape is not None and shape[0] != self._inodes.get("")

    def _shapes(self) -> dict[str, tuple[int, int, int]]:
        """Return inode, size and time of those that there are, by their endings."""
        shapes = {suffix: shape_of(self._path + suffix) for suffix in FILES}
        return {suffix: shape for suffix, shape in shapes.items() if shape is not None}


def note_clean_close(data_dir: str) -> None:
    """Note how the index was left. Where that cannot be, it will be looked through."""
    note = json.dumps(shape_of(index_path(data_dir))).encode()
    with (
        contextlib.suppress(OSError),
        open(open_private(_note_path(data_dir), os.O_WRONLY | os.O_CREAT | os.O_TRUNC), "wb") as file,
    ):
        file.write(note)


def forget_clean_close(data_dir: str) -> bool:
    """Return whether the index is as it was noted, or not there; from now on it is noted nowhere."""
    shape = shape_of(index_path(data_dir))
    try:
        with open(_note_path(data_dir), "rb") as file:
            noted = json.loads(file.read())
        os.unlink(_note_path(data_dir))
    except (OSError, ValueError, RecursionError):
        return shape is None
    return shape is None or noted == list(shape)


def _note_path(data_dir: str) -> str:
    return os.path.join(data_dir, "index.clean")
