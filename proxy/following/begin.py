"""Begins the record of an interactive session, in the process that is left beside it (see ``launch``)."""

from __future__ import annotations

import os
import sys
import time

from proxy import __version__
from proxy.following.files import config_folder
from proxy.following.recorder import Recorder
from proxy.following.session import FollowedSession
from proxy.redaction import Redactor
from proxy.sessions import log_class, process
from proxy.sessions.record import FORMAT, lifecycle

TYPE_CHECKING = False  # see `proxy.sessions.process`
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, NoReturn

    from proxy.following.launch import Command


class Settings:
    """What the user chose for the session."""

    __slots__ = (
        "data_dir",
        "fields",
        "is_reserved",
        "mode",
        "name",
        "patterns",
        "redact",
        "seal",
        "session_id",
    )

    def __init__(
        self,
        session_id: str,
        data_dir: str,
        name: str | None,
        mode: str,
        redact: str,
        *,
        patterns: Sequence[str] = (),
        fields: Sequence[str] = (),
        is_reserved: bool = False,
        seal: str = "off",
    ) -> None:
        """``mode``: ``record``, or ``status`` for states alone; ``redact``, ``patterns``, ``fields``: as by `Redactor`.

        ``is_reserved``: the log is there, and empty. ``seal``: ``on`` or ``off``.
        """
        self.session_id = session_id
        self.data_dir = data_dir
        self.name = name
        self.mode = mode
        self.redact = redact
        self.patterns = patterns
        self.fields = fields
        self.is_reserved = is_reserved
        self.seal = seal


def record(settings: Settings, command: Command, on_recorded: Callable[[], None]) -> NoReturn:
    """Record the session to its end, in a process of its own.

    ``on_recorded`` is called once, when the session has its log.
    """
    status = 1
    try:
        environment = process.environment(command.identity.pid) or dict(os.environb)
        config_dir = config_folder(environment) or "/nonexistent"
        redactor = Redactor(settings.redact, patterns=settings.patterns, fields=settings.fields)
        started, redacted = _started(settings, command, config_dir, redactor)
        body = lifecycle(settings.session_id, "session_started", started, redacted)
        # `look_s`: nobody waits for a record, and the next one may be an hour away.
        log = log_class(settings.seal)(
            settings.data_dir, settings.session_id, body, is_reserved=settings.is_reserved, look_s=0.0
        )
        log.try_append([])
        session = FollowedSession(
            settings.session_id,
            redactor=redactor,
            started_s=time.monotonic(),
            started_us=command.started_ns // 1000,
            content=settings.mode == "record",
        )
        recorder = Recorder(log, session, command, config_dir)
        on_recorded()
        log.point_latest_here()
        recorder.run()
        status = 0
    finally:
        os._exit(status)


def _started(
    settings: Settings, command: Command, config_dir: str, redactor: Redactor
) -> tuple[dict[str, Any], list[str]]:
    words, changed = list(command.words), list[int]()
    if settings.redact != "off":
        words, changed = redactor.command(words)
    data = {
        "format": FORMAT,
        "mode": "followed",
        "interactive": settings.mode,
        "command": words,
        "cwd": command.cwd,
        "name": settings.name,
        "pid": command.identity.pid,
        "age_ms": (process.boot_ns() - command.started_boot_ns) // 1_000_000,
        "proc_start": command.identity.start,
        "boot_id": command.identity.boot,
        "follower_pid": os.getpid(),
        "config_dir": config_dir,
        "validation": "off",
        "redact": settings.redact,
        "redaction": {"patterns": list(settings.patterns), "fields": list(settings.fields)},
        **({"seal": "on"} if settings.seal == "on" else {}),
        "versions": {"claude_proxy": __version__, "python": sys.version.split()[0]},
        "streams": {
            name: {"kind": "terminal", "relayed": False, "declared_messages": False}
            for name in ("stdin", "stdout", "stderr")
        },
    }
    return data, [f"/command/{index}" for index in changed]
