"""Begins the record of an interactive session, in the process that is left beside it (see ``launch``)."""

import os
import time
from collections.abc import Callable
from typing import Any, NoReturn

from proxy.following.files import config_folder
from proxy.following.launch import Command
from proxy.following.recorder import Recorder
from proxy.following.session import FollowedSession
from proxy.sessions import process
from proxy.sessions.beginning import Settings


def record(settings: Settings, mode: str, command: Command, on_recorded: Callable[[], None]) -> NoReturn:
    """Record the session to its end, in a process of its own.

    ``mode``: ``record``, or ``status`` for states alone. ``on_recorded`` is called once, when the session has its log.
    """
    status = 1
    try:
        environment = process.environment(command.identity.pid) or dict(os.environb)
        config_dir = config_folder(environment) or "/nonexistent"
        redactor = settings.redactor()
        about = _about(settings, mode, command, config_dir)
        # `look_s`: nobody waits for a record, and the next one may be an hour away.
        log = settings.begin_log(redactor, command.words, about, look_s=0.0)
        log.try_append([])
        started_us = (time.time_ns() - process.boot_ns() + command.started_boot_ns) // 1000
        session = FollowedSession(settings.session_id, redactor, started_us, time.monotonic())
        session.content = mode == "record"
        recorder = Recorder(log, session, command, config_dir)
        on_recorded()
        log.point_latest_here()
        recorder.run()
        status = 0
    finally:
        os._exit(status)


def _about(settings: Settings, mode: str, command: Command, config_dir: str) -> dict[str, Any]:
    return {
        "mode": "followed",
        "interactive": mode,
        "cwd": command.cwd,
        "pid": command.identity.pid,
        "age_ms": (process.boot_ns() - command.started_boot_ns) // 1_000_000,
        "proc_start": command.identity.start,
        "boot_id": command.identity.boot,
        "follower_pid": os.getpid(),
        "config_dir": config_dir,
        "validation": "off",
        "redaction": {"patterns": list(settings.patterns), "fields": list(settings.fields)},
        "streams": {
            name: {"kind": "terminal", "relayed": False, "declared_messages": False}
            for name in ("stdin", "stdout", "stderr")
        },
    }
