"""Writes to stdout from one thread, and reads stdin in another, as fast as it can; both lengths are given."""

import os
import sys
import threading

line = b'{"type":"flood","pad":"' + b"." * 900 + b'"}\n'
lines = int(sys.argv[1])


def write() -> None:
    """Fill stdout."""
    for _ in range(lines):
        os.write(1, line)


def read() -> int:
    """Drain stdin and return how much there was."""
    size = 0
    while chunk := os.read(0, 1 << 16):
        size += len(chunk)
    return size


writer = threading.Thread(target=write)
writer.start()
received = read()
writer.join()
os.write(1, b"received %d\n" % received)
