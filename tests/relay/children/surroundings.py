"""Writes, as one line of JSON, all that a process inherits and could tell it that something stands between."""

import json
import os
import resource
import sys


def from_proc(*fields: str) -> dict[str, str]:
    """Return fields of this process's status."""
    with open("/proc/self/status") as status:
        rows = dict(line.rstrip("\n").split(":", 1) for line in status)
    return {field: rows[field].strip() for field in fields}


def command_line() -> list[str]:
    """Return all arguments but the last, from the program's own name on, as the kernel has them."""
    with open("/proc/self/cmdline", "rb") as arguments:
        return [repr(word) for word in arguments.read().split(b"\0")[:-2]]


def environment() -> list[str]:
    """Return the environment as the kernel has it, without the one variable that is added."""
    with open("/proc/self/environ", "rb") as environ:
        entries = environ.read().split(b"\0")
    added = [entry for entry in entries if entry.startswith(b"CLAUDE_PROXY_SESSION_ID=")]
    assert len(added) == (sys.argv[-1] == "wrapped"), added
    return [repr(entry) for entry in entries if entry not in added]


os.write(
    1,
    json.dumps(
        {
            "status": from_proc(
                "SigBlk", "SigIgn", "SigCgt", "Umask", "NoNewPrivs", "Seccomp", "Cpus_allowed"
            ),
            "arguments": command_line(),
            "environment": environment(),
            "cwd": os.getcwd(),
            "group": os.getpgrp() in (os.getpid(), os.getppid()),
            "session": "own" if os.getsid(0) in (os.getpid(), os.getppid()) else os.getsid(0),
            "niceness": os.getpriority(os.PRIO_PROCESS, 0),
            "scheduler": os.sched_getscheduler(0),
            "limits": {
                name: resource.getrlimit(getattr(resource, name))
                for name in dir(resource)
                if name.startswith("RLIMIT_")
            },
            "descriptors": sorted(int(fd) for fd in os.listdir("/proc/self/fd"))[:-1],
        }
    ).encode()
    + b"\n",
)
