"""Which process of a server indexes and does the timed jobs: the one that holds ``DATA_DIR/index.lock``.

The kernel lets go of the lock when its holder dies, however that happens; another one has it before long.
"""

import asyncio
import fcntl
import os

import msgspec

from proxy.store.follower import Follower
from proxy.store.indexer import Indexer
from proxy.store.onlooker import LOCK, Standing

__all__ = ["Seat"]

_TRY_S = 0.1


class Seat:
    """The place of the process that indexes: taken once, kept until the end."""

    def __init__(self, data_dir: str) -> None:
        self._path = os.path.join(data_dir, LOCK)
        self._fd = -1
        self._said = Standing()

    async def take(self) -> None:
        """Wait until it is free, and take it. OSError when the data directory cannot be used."""
        self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        while True:
            try:
                fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                await asyncio.sleep(_TRY_S)
            else:
                break
        self._say(Standing(pid=os.getpid()))

    def say(self, indexer: Indexer, follower: Follower) -> None:
        """Let the other processes know how the index stands."""
        said = Standing(
            pid=os.getpid(),
            caught_up=follower.caught_up.is_set(),
            trouble=follower.trouble,
            set_aside=sorted(indexer.set_aside),
        )
        if said != self._said:
            self._say(said)

    def leave(self) -> None:
        """Let another process have it."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _say(self, said: Standing) -> None:
        text = msgspec.json.encode(said) + b"\n"
        os.pwrite(self._fd, text, 0)
        os.ftruncate(self._fd, len(text))
        self._said = said
