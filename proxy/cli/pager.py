"""A pager for what is longer than the window: ``$PAGER``, by default ``less``, as `git` and `man` have it."""

import contextlib
import io
import os
import signal
import sys
from collections.abc import Iterator
from typing import TextIO, cast


class _Terminal(io.TextIOWrapper):
    """What the pager reads: it shows it at the terminal, so that colours are wanted."""

    def isatty(self) -> bool:
        return True


@contextlib.contextmanager
def paged() -> Iterator[None]:
    """Let standard output go through the user's pager, where it is a terminal.

    ``less`` is told to leave again what fits the window (F), to show colours (R) and to leave its text on the screen
    (X), unless ``LESS`` says otherwise. Without a pager, or with ``PAGER=cat``, everything is printed as it comes.
    """
    command = os.environ.get("PAGER", "less").strip()
    if command in ("", "cat") or not sys.stdout.isatty():
        yield
        return
    import subprocess  # noqa: PLC0415 - what is piped elsewhere does without

    terminal = sys.stdout
    terminal.flush()
    try:
        pager = subprocess.Popen(
            command, shell=True, stdin=subprocess.PIPE, env={"LESS": "FRX", "LV": "-c", **os.environ}
        )
    except OSError:
        yield
        return
    assert pager.stdin is not None
    # Ctrl-C is the pager's, which stops reading for it: whoever left first would leave it alone with the terminal.
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    written = _Terminal(cast("io.BufferedWriter", pager.stdin), encoding=terminal.encoding, errors="replace")
    sys.stdout = cast("TextIO", written)
    try:
        with contextlib.suppress(BrokenPipeError):  # whoever reads has seen enough
            yield
            written.flush()
    finally:
        sys.stdout = terminal
        with contextlib.suppress(BrokenPipeError):
            written.close()
        pager.wait()
        signal.signal(signal.SIGINT, before)
