"""Commands that the wrapper could only run, and not record, because it did not get what it needs of the system.

``DATA_DIR/unrecorded.jsonl`` says of each when, which, and why: nobody is to take them for commands that never ran.
"""

import contextlib
import json
import os
import time
from typing import NamedTuple

from proxy.sessions.private import append_line, make_private_dir, read_private
from proxy.sessions.record import rfc3339

_NAME = "unrecorded.jsonl"
_LARGEST_BYTES = 256 * 1024
"""About a thousand commands; beyond, the file is begun anew: who has not looked by then has no use for more."""


class Unrecorded(NamedTuple):
    """A command that ran unrecorded."""

    ts: str
    """When it was started, as in records."""
    program: str
    """Its path or name, without its arguments, which may hold credentials."""
    reason: str
    """What the system said."""


def note_unrecorded(data_dir: str, program: str, error: OSError) -> None:
    """Leave a note that a command is run unrecorded. Never raises: then there is none."""
    entry = Unrecorded(rfc3339(time.time_ns()), program, error.strerror or str(error))
    with contextlib.suppress(OSError):
        make_private_dir(data_dir)
        path = os.path.join(data_dir, _NAME)
        if os.path.exists(path) and os.path.getsize(path) > _LARGEST_BYTES:
            os.unlink(path)
        append_line(path, json.dumps(entry._asdict()).encode() + b"\n")


def unrecorded(data_dir: str) -> list[Unrecorded]:
    """Return what was noted, oldest first; nothing where it cannot be read."""
    try:
        lines = read_private(os.path.join(data_dir, _NAME)).splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        with contextlib.suppress(ValueError, TypeError, KeyError, RecursionError):  # a line that was torn
            entry = json.loads(line)
            found.append(Unrecorded(str(entry["ts"]), str(entry["program"]), str(entry["reason"])))
    return found
