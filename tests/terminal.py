"""A terminal for tests."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import termios
from typing import Any

from tests.relay.wrapper import Running, read_some, write_all

__all__ = ["Terminal"]


class Terminal:
    """A terminal, and the command that has it: in a session of its own, in the foreground."""

    def __init__(self) -> None:
        self.keys, self.tty = pty.openpty()

    def start(
        self, command: list[str], *, stdin: bool, stdout: bool, stderr: bool = False, **popen: Any
    ) -> Running:
        """Start a command with the terminal for some of its streams."""
        running = Running(
            command,
            stdin=self.tty if stdin else subprocess.PIPE,
            stdout=self.tty if stdout else subprocess.PIPE,
            stderr=self.tty if stderr else subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(self.tty, termios.TIOCSCTTY, 0),
            bufsize=0,
            **popen,
        )
        os.close(self.tty)
        return running

    def press(self, key: bytes) -> None:
        """Press a key."""
        write_all(self.keys, key)

    def resize(self, rows: int, columns: int) -> None:
        """Change the size of the window."""
        fcntl.ioctl(self.keys, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def until(self, text: bytes) -> bytes:
        """Read what is shown up to and with a text."""
        shown = b""
        while text not in shown:
            chunk = read_some(self.keys)
            assert chunk, shown
            shown += chunk
        return shown
