"""How the relay's memory behaves: long messages reuse it, and a quiet session gives it back.

By default the C library maps fresh memory for every large block and unmaps it at once; for a message of 10 MB, of
which several copies are made, touching fresh pages costs more than all the rest of relaying it.
"""

from __future__ import annotations

from proxy.sessions import c_library

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8  # malloc.h of the GNU C library

_LONG_BYTES = (
    1024 * 1024
)  # what shorter lines took is taken again by the next ones, and is little if it is not
_HUGE_BYTES = 32 * 1024 * 1024  # the largest that `M_MMAP_THRESHOLD` can be: longer blocks are never reused
_QUIET_MS = 1000  # messages of one turn come closer together: what is given back is not taken again at once


def reuse_large_blocks() -> None:
    """Let blocks of up to 32 MB be reused, out of one heap for all threads. Without the GNU C library: nothing."""
    if mallopt := c_library.function("mallopt"):
        mallopt(_M_ARENA_MAX, 1)
        mallopt(_M_MMAP_THRESHOLD, _HUGE_BYTES)
        mallopt(_M_TRIM_THRESHOLD, 64 * 1024 * 1024)  # twice that, as the GNU C library has it by itself


class LongLines:
    """Gives back the memory that the long lines of one stream took."""

    def __init__(self) -> None:
        self.patience_ms: int | None = None
        """After how long a quiet it is to be given back; None: there is nothing to give back."""

    def add(self, size: int) -> None:
        """Take note of a line of so many bytes, which has been joined from its pieces."""
        if size > _LONG_BYTES:
            self.patience_ms = _QUIET_MS
            if size > _HUGE_BYTES:
                give_back()  # the pieces, before as much again is taken for its record

    def give_back(self) -> None:
        """Give back what the lines took, now that they are delivered."""
        if self.patience_ms is not None:
            self.patience_ms = None
            give_back()


def give_back() -> None:
    """Return free memory to the system."""
    if malloc_trim := c_library.function("malloc_trim"):
        malloc_trim(0)
