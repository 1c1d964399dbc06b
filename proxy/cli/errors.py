"""What ends the program before it does anything, and how that is said. Imported before the wrapped command starts."""

from __future__ import annotations

import sys

TYPE_CHECKING = False  # `typing` takes long to import, and the command waits
if TYPE_CHECKING:
    from typing import TextIO


class UsageError(Exception):
    """The command line, the environment or the configuration cannot be used; says what to change. Exit status 2."""


class FailedError(Exception):
    """A subcommand cannot do what it is rightly asked for; says why. Exit status 1."""


def complain(why: object, status: int = 1) -> int:
    """Say something in one line on this process's standard error, and return the exit status."""
    say(why, sys.stderr)
    return status


def say(why: object, stderr: TextIO | None) -> None:
    """Say something in one line; where nobody can be told, the exit status says it alone."""
    if stderr is None:  # it is closed
        return
    try:
        from proxy.escaping import escape_controls  # noqa: PLC0415 - most commands have nothing to complain of

        stderr.write(f"claude-proxy: {escape_controls(str(why))}\n")
        stderr.flush()
    except OSError:  # its disk is full, or its reader is gone
        try:  # noqa: SIM105 - contextlib takes long to import
            stderr.close()  # so that nothing is tried again at the end, and changes the status
        except OSError:
            pass
