"""Hears of changed files by a library, which has FSEvents on macOS, where there is no inotify."""

import contextlib
import os
import select
import threading
from collections.abc import Callable, Iterable

_HEARD, _ENDED = b"h", b"e"
_NOTICE_MS = 20
"""How often the library looks what it has heard: people see no difference, and it costs nearly nothing."""


class Notices(threading.Thread):
    """A thread that hears of changes in folders; alive for as long as the library can."""

    def __init__(self, folders: Iterable[str], pipe: int, write: Callable[[bytes], None]) -> None:
        """``pipe``: what is read to wait; ``write`` writes into it, as whoever ends a wait does, too."""
        super().__init__(name="notices", daemon=True)
        self._folders = tuple(folders)
        self._pipe, self._write = pipe, write
        self._names: set[str] = set()
        self._turn = threading.Lock()
        self._ended = threading.Event()
        self.start()

    def run(self) -> None:
        """Gather the names of what changes until the end, or until the library can do no more."""
        with contextlib.suppress(ImportError, OSError, RuntimeError):
            from watchfiles import watch  # noqa: PLC0415 - for systems without inotify

            changes = watch(
                *self._folders,
                watch_filter=None,
                debounce=_NOTICE_MS,
                step=_NOTICE_MS,
                stop_event=self._ended,
                recursive=False,
                ignore_permission_denied=True,
            )
            for found in changes:
                with self._turn:
                    self._names |= {os.path.basename(path) for _, path in found}
                self._write(_HEARD)
        self._write(_ENDED)

    def wait(self, timeout_s: float | None) -> set[str] | None:
        """Return the names of what has changed since the last time, or wait for it, or until somebody ends the wait.

        Who ends it wants to know what is so now, and a notice comes a moment late: any file may have changed (None).
        """
        poller = select.poll()
        poller.register(self._pipe, select.POLLIN)
        data = b""
        if poller.poll(None if timeout_s is None else timeout_s * 1000):
            data = os.read(self._pipe, 4096)
        with self._turn:
            names, self._names = self._names, set()
        return None if data.strip(_HEARD) else names

    def end(self) -> None:
        """Stop listening."""
        self._ended.set()
        self.join()
