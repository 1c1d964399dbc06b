"""Faults that come at an exact place: a process that is killed between any two lines of a module."""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType, ModuleType

__all__ = ["killed_between_lines"]


def killed_between_lines(
    work: Callable[[], object], modules: list[ModuleType], *, every: int = 1
) -> Iterator[int]:
    """Run the work in a process that dies of SIGKILL at its n-th line within the modules, for growing n.

    Yields after each death, for the caller to look at what is there and to put it back; ends after the first run
    that got to its end. ``every``: how many lines to go on from one run to the next.
    """
    files = {module.__file__ for module in modules}
    number = 1
    while _run(work, files, number):
        yield number
        number += every


def _run(work: Callable[[], object], files: set[str | None], number: int) -> bool:
    """Run once; return whether the process was killed."""
    pid = os.fork()
    if pid == 0:
        try:
            left = number

            def trace(frame: FrameType, event: str, _argument: Any) -> Any:
                nonlocal left
                if frame.f_code.co_filename not in files:
                    return None
                if event == "line":
                    left -= 1
                    if left == 0:
                        os.kill(os.getpid(), signal.SIGKILL)
                return trace

            sys.settrace(trace)
            work()
            sys.settrace(None)
            os._exit(0)
        except BaseException:
            sys.settrace(None)
            sys.excepthook(*sys.exc_info())
            os._exit(1)
    _, status = os.waitpid(pid, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0, "the work failed before it could be killed"
    return os.WIFSIGNALED(status)
