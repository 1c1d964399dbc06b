"""How the record of a session begins: what the user chose for it, and a log whose first record says so."""

from __future__ import annotations

import sys

from proxy import __version__
from proxy.redaction import Redactor
from proxy.sessions.record import FORMAT, lifecycle
from proxy.sessions.writer import SessionLog

TYPE_CHECKING = False  # `typing` takes long to import, and a session waits for its log
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any


def log_class(seal: object) -> type[SessionLog]:
    """Return which kind of log a session has; ``seal``: what the user chose, ``on`` or anything else for none."""
    if seal != "on":
        return SessionLog
    from proxy.sessions.sealing import SealedLog  # noqa: PLC0415 - few sessions are sealed

    return SealedLog


class Settings:
    """What the user chose for the record of a session."""

    def __init__(
        self,
        session_id: str,
        data_dir: str,
        name: str | None,
        redact: str,
        *,
        patterns: Sequence[str] = (),
        fields: Sequence[str] = (),
        is_reserved: bool = False,
        seal: str = "off",
    ) -> None:
        """``redact``, ``patterns``, ``fields``: as by `Redactor`. ``is_reserved``: the log is there, and empty.

        ``seal``: ``on`` or ``off``.
        """
        self.session_id = session_id
        self.data_dir = data_dir
        self.name = name
        self.redact = redact
        self.patterns = patterns
        self.fields = fields
        self.is_reserved = is_reserved
        self.seal = seal

    def redactor(self) -> Redactor:
        """Return what replaces credentials in the record."""
        return Redactor(self.redact, patterns=self.patterns, fields=self.fields)

    def begin_log(
        self, redactor: Redactor, command: Sequence[str], about: Mapping[str, Any], **options: Any
    ) -> SessionLog:
        """Return the log, whose first record tells the command line and ``about`` the session; ``options``: its own."""
        words, changed, name = list(command), list[int](), self.name
        if self.redact != "off":
            words, changed = redactor.command(command)
            if name is not None:
                name = redactor.string(name)
        started = {
            "format": FORMAT,
            "command": words,
            "name": name,
            "redact": self.redact,
            **about,
            **({"seal": "on"} if self.seal == "on" else {}),
            "versions": {"claude_proxy": __version__, "python": sys.version.split()[0]},
        }
        redacted = [f"/command/{position}" for position in changed] + ["/name"] * (name != self.name)
        body = lifecycle(self.session_id, "session_started", started, redacted)
        return log_class(self.seal)(
            self.data_dir, self.session_id, body, is_reserved=self.is_reserved, **options
        )
