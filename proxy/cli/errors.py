"""What ends the program before it does anything, and how that is said. Imported before the wrapped command starts."""

from __future__ import annotations

TYPE_CHECKING = False  # `typing` takes long to import, and the command waits
if TYPE_CHECKING:
    from typing import TextIO


class UsageError(Exception):
    """The command line, the environment or the configuration cannot be used; says what to change."""


def complain(why: object, status: int, stderr: TextIO | None) -> int:
    """Say in one line why nothing is done, and return the exit status; where nobody can be told, it says it alone."""
    if stderr is None:  # it is closed
        return status
    try:
        from proxy.escaping import escape_controls  # noqa: PLC0415 - most commands have nothing to complain of

        stderr.write(f"claude-proxy: {escape_controls(str(why))}\n")
        stderr.flush()
    except OSError:  # its disk is full, or its reader is gone
        try:  # noqa: SIM105 - contextlib takes long to import
            stderr.close()  # so that nothing is tried again at the end, and changes the status
        except OSError:
            pass
    return status
