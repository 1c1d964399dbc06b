"""The least that a Python program does that reads, judges, records and passes on: what a round trip is held against.

    python -m benchmarks.bare_loop LOG COMMAND...

One thread a direction, no care for anything: no lines cut by a read, no failing disk, no signals, no exit status.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from typing import Literal

from proxy.protocol import Judge


def pump(source: int, sink: int, log: int, stream: Literal["stdin", "stdout"]) -> None:
    """Move whole lines, each read one of them."""
    judge = Judge(stream)
    while line := os.read(source, 65536):
        verdict = judge.judge(line).verdict
        record = b'{"ts":%d,"stream":"%b","verdict":"%b","message":%b}\n'
        os.write(log, record % (time.time_ns(), stream.encode(), verdict.encode(), line[:-1]))
        os.write(sink, line)
    os.close(sink)


def main() -> None:
    """Run the command between two such loops."""
    path, *command = sys.argv[1:]
    log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        stdin, stdout = os.dup(process.stdin.fileno()), process.stdout.fileno()
        process.stdin.close()
        threading.Thread(target=pump, args=(0, stdin, log, "stdin"), daemon=True).start()
        pump(stdout, 1, log, "stdout")


if __name__ == "__main__":
    main()
