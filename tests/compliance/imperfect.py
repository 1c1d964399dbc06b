"""A wrapper that is sound, or has one fault: the twelve that the check has to find, and more.

    imperfect.py FAULT CLAUDE [ARG...]

Sound, it is what a careful author writes in Python: two pumps, signals passed on, the status of the command. It runs
alone, with the standard library and without ``site``, so that it starts fast.
"""

import ctypes
import json
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable

FAULT = sys.argv[1]
LINE = 50
"""Faults of one line have it here, so that only sessions with that many lines show them."""
LONGEST = 1 << 16
LINE_FAULTS = (
    "closes stdin early",
    "drops a line",
    "holds lines",
    "lets through what it knows",
    "loses the tail",
    "re-encodes",
    "reorders",
    "reorders the input",
    "splits on U+2028",
    "stops at 64 KB",
)


def split(line: bytes) -> bytes:
    """Take every character for the end of a line that Python takes for one."""
    text = line[:-1].decode("utf-8", "surrogateescape")
    return "".join(part + "\n" for part in text.splitlines() or [""]).encode("utf-8", "surrogateescape")


def encoded_again(line: bytes) -> bytes:
    """Decode and encode what is JSON."""
    try:
        return json.dumps(json.loads(line), ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
    except ValueError:
        return line


ONE_LINE: dict[str, Callable[[bytes], bytes]] = {
    "re-encodes": encoded_again,
    "lets through what it knows": lambda line: b"" if b"future" in line else line,
}
READ_FAULTS: dict[str, Callable[[bytes], bytes]] = {
    "takes reads for lines": lambda data: data.removesuffix(b"\n") + b"\n",
    "decodes text": lambda data: data.decode("ascii", "replace").encode(),
}


class Pump(threading.Thread):
    """Passes one stream on, line by line where the fault is one of lines."""

    def __init__(self, source: int, target: int, *, output: bool) -> None:
        super().__init__(daemon=True)
        self.source, self.target, self.output = source, target, output
        self.exited = threading.Event()
        self.rest = bytearray()
        self.kept = b""
        self.number = 0

    def run(self) -> None:
        """Pass on until the end."""
        poll = select.poll()
        poll.register(self.source, select.POLLIN)
        while True:
            exited = self.exited.is_set()
            if not poll.poll(10) and self.output:
                if exited:
                    break
                continue
            data = os.read(self.source, 1 << 16)
            if not data or not self.take(data):
                break
        self.end()

    def take(self, data: bytes) -> bool:
        """Pass on what was read; False when no more is to be passed on."""
        if FAULT not in LINE_FAULTS:
            return self.write(READ_FAULTS[FAULT](data) if FAULT in READ_FAULTS else data)
        *lines, rest = data.split(b"\n")
        if lines:
            lines[0] = bytes(self.rest) + lines[0]
            self.rest = bytearray()
        self.rest += rest
        if FAULT == "stops at 64 KB" and any(len(line) > LONGEST for line in (*lines, self.rest)):
            self.rest = bytearray()
            return False
        for line in lines:
            self.number += 1
            if not self.write(self.changed(line + b"\n")):
                return False
            if FAULT == "closes stdin early" and not self.output and b'"user"' in line:
                self.rest = bytearray()
                return False
        return True

    def changed(self, line: bytes) -> bytes:
        """Return what is written for a whole line."""
        if FAULT == "splits on U+2028":
            return split(line)
        at_line = FAULT.removesuffix(" the input") in ("drops a line", "reorders") and self.number == LINE
        if self.output == (FAULT == "reorders the input"):
            return line
        if FAULT == "drops a line" and at_line:
            return b""
        if FAULT == "holds lines" or at_line:
            line, self.kept = self.kept, line
            return line
        line, self.kept = ONE_LINE.get(FAULT, bytes)(line) + self.kept, b""
        return line

    def end(self) -> None:
        """Pass on what is left, and the end itself."""
        tail = b"" if FAULT == "loses the tail" else bytes(self.rest)
        self.write(self.kept + tail)
        if FAULT == "never ends the input" and not self.output:
            return
        os.close(self.target if not self.output else self.source)

    def write(self, data: bytes) -> bool:
        """Write all of it; False when nobody reads."""
        left = memoryview(data)
        while left:
            try:
                left = left[os.write(self.target, left) :]
            except OSError:
                return False
        return True


def start(command: list[str]) -> tuple[int, int, int]:
    """Start the command in a group of its own; return its process id and our ends of its pipes."""
    (read_in, write_in), (read_out, write_out) = os.pipe(), os.pipe()
    libc = ctypes.CDLL(None)
    pid = os.fork()
    if pid == 0:
        os.setpgid(0, 0)  # what goes to our group goes to us alone, and is passed on
        libc.prctl(1, signal.SIGKILL)
        os.dup2(read_in, 0)
        os.dup2(write_out, 1)
        if FAULT == "mixes stderr into stdout":
            os.dup2(1, 2)
        if FAULT == "changes the directory":
            os.chdir("/")
        if FAULT == "forgets the environment":
            kept = {
                name: value
                for name, value in os.environ.items()
                if name in ("PATH", "HOME", "CLAUDE_PROXY_CHECK")
            }
            os.execve(command[0], command, kept)
        if FAULT == "splits arguments":
            command = [word for argument in command for word in argument.split()]
        os.execv(command[0], command)
    os.close(read_in)
    os.close(write_out)
    return pid, write_in, read_out


def leave_an_orphan() -> None:
    """Leave a process that holds nothing open."""
    if os.fork() == 0:
        os.setsid()
        nothing = os.open(os.devnull, os.O_RDWR)
        for fd in (0, 1, 2):
            os.dup2(nothing, fd)
        time.sleep(60)
        os._exit(0)


def main() -> None:
    """Be the wrapper."""
    if FAULT == "leaves an orphan":
        leave_an_orphan()
    if FAULT == "prints a banner":
        os.write(1, b"wrapper 1.0, at your service\n")
    if FAULT == "starts late":
        time.sleep(3)
    hoard = bytearray(os.urandom(1 << 20)) * 150 if FAULT == "hoards memory" else b""
    pid, to_command, from_command = start(sys.argv[2:])
    if FAULT == "adds to the input":
        os.write(to_command, b"Hello, claude!\n")

    def forward(number: int, _: object) -> None:
        if FAULT == "keeps signals":
            os._exit(128 + number)
        os.kill(pid, number)
        if FAULT == "doubles signals":
            while pending(pid, number):
                time.sleep(0)
            os.kill(pid, number)

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, forward)
    inward = Pump(0, to_command, output=False)
    outward = Pump(from_command, 1, output=True)
    inward.start()
    outward.start()
    _, status = os.waitpid(pid, 0)
    del hoard
    if FAULT == "waits for the input to end":
        inward.join()
    outward.exited.set()
    outward.join()
    if FAULT == "swallows the exit status":
        os._exit(0)
    if os.WIFSIGNALED(status):
        if os.WTERMSIG(status) != signal.SIGKILL:
            signal.signal(os.WTERMSIG(status), signal.SIG_DFL)
        os.kill(os.getpid(), os.WTERMSIG(status))
    os._exit(os.waitstatus_to_exitcode(status))


def pending(pid: int, number: int) -> bool:
    """Tell whether the command has not taken a signal yet."""
    try:
        with open(f"/proc/{pid}/status") as file:
            masks = [line.split()[1] for line in file if line.startswith(("ShdPnd", "SigPnd"))]
    except OSError:
        return False
    return any(int(mask, 16) >> (number - 1) & 1 for mask in masks)


main()
