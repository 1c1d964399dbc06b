"""A program that stands in front of a command and writes down what passes, byte for byte.

    python recorder.py FOLDER COMMAND [ARG...]

Each start makes the next of FOLDER/1, FOLDER/2, ... with `argv` (the arguments, one a line), `stdin.jsonl`,
`stdout.jsonl` and, once the command has ended, `exit` (its status, negative for a signal). It knows nothing
of lines or JSON, and shares no code with the wrapper that it is used to check.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading
from itertools import count
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType


def main(folder: str, command: list[str]) -> int:
    """Run a command between two records; return its status, or die by the signal that it died by."""
    own = _next_folder(folder)
    with open(f"{own}/argv", "w", encoding="utf-8") as file:
        file.writelines(f"{argument}\n" for argument in command[1:])
    # Before anything moves: a command may be gone before the first byte has passed.
    records = [
        os.open(f"{own}/{name}.jsonl", os.O_WRONLY | os.O_CREAT | os.O_APPEND) for name in ("stdin", "stdout")
    ]
    # A command that ignores SIGTERM must not live on when its recorder is killed.
    prctl, die_with_parent = ctypes.CDLL(None).prctl, 1
    child = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        preexec_fn=lambda: prctl(die_with_parent, signal.SIGKILL),  # noqa: PLW1509 - no thread runs yet
    )
    assert child.stdin is not None
    assert child.stdout is not None

    def pass_on(number: int, _frame: FrameType | None) -> None:
        child.send_signal(number)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, pass_on)
    into = threading.Thread(
        target=_pump, args=(0, child.stdin.fileno(), records[0], child.stdin.close), daemon=True
    )
    into.start()
    _pump(child.stdout.fileno(), 1, records[1], lambda: None)
    status = child.wait()
    with open(f"{own}/exit", "w", encoding="ascii") as file:
        file.write(str(status))
    return status


def _pump(source: int, target: int, record: int, close: Callable[[], None]) -> None:
    """Copy until the end of the source; a target that is gone ends the passing on, not the recording."""
    gone = False
    while data := os.read(source, 65536):
        os.write(record, data)
        while data and not gone:
            try:
                data = data[os.write(target, data) :]
            except BrokenPipeError:
                gone = True
    close()


def _next_folder(folder: str) -> str:
    for number in count(1):
        try:
            os.makedirs(f"{folder}/{number}")
        except FileExistsError:
            continue
        return f"{folder}/{number}"
    raise AssertionError("unreachable: count() does not end")


if __name__ == "__main__":
    exit_status = main(sys.argv[1], sys.argv[2:])
    if exit_status < 0:
        if -exit_status not in (signal.SIGKILL, signal.SIGSTOP):  # which nobody can set
            signal.signal(-exit_status, signal.SIG_DFL)
        os.kill(os.getpid(), -exit_status)
    # The thread that reads standard input may be waiting for ever: leave without it.
    os._exit(exit_status)
