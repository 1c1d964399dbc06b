"""How the relay's memory behaves: long messages reuse it, and a quiet session gives it back.

By default the C library maps fresh memory for every large block and unmaps it at once; for a message of 10 MB, of
which several copies are made, touching fresh pages costs more than all the rest of relaying it.
"""

from __future__ import annotations

import ctypes

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8  # malloc.h of the GNU C library
_libc = ctypes.CDLL(None)


def reuse_large_blocks() -> None:
    """Let blocks of up to 32 MB be reused, out of one heap for all threads. Without the GNU C library: nothing."""
    if mallopt := getattr(_libc, "mallopt", None):
        mallopt(_M_ARENA_MAX, 1)
        mallopt(_M_MMAP_THRESHOLD, 32 * 1024 * 1024)
        mallopt(_M_TRIM_THRESHOLD, 64 * 1024 * 1024)


def give_back() -> None:
    """Return free memory to the system."""
    if malloc_trim := getattr(_libc, "malloc_trim", None):
        malloc_trim(0)
