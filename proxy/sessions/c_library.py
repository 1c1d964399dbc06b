"""Functions of the C library that Python has no module for.

By `_ctypes`, which `ctypes` is made of: the rest of it takes 1.5 ms, for which every command would wait, and 250 KB of
each of a session's two processes.
"""

from __future__ import annotations

import _ctypes

TYPE_CHECKING = False  # `typing` takes long to import, and the command waits
if TYPE_CHECKING:
    from collections.abc import Callable

_library = _ctypes.dlopen(None, 0)  # type: ignore[arg-type] # None: what this process has loaded


def function(name: str) -> Callable[..., int] | None:
    """Return a function that takes and returns C's ``int``, None where the C library has none of that name."""
    try:
        address = _ctypes.dlsym(_library, name)
    except OSError:
        return None
    return lambda *arguments: _ctypes.call_function(address, arguments)
