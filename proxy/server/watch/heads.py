"""Sends seals elsewhere, where nobody who changes a log changes them; adds those that a killed wrapper left out.

``seals.jsonl`` is the queue; ``seals_sent.json`` says for each place how much of it has been taken. So no line is lost
while a place is away or over a restart; killed between an answer and the note of it, a line is sent twice. Of a live
session the newest checkpoint is sent once a minute, and not again when it is not taken: the next one says more.
"""

import asyncio
import contextlib
import hashlib
import os
import socket
import time
from collections.abc import Awaitable, Callable, Iterable

import msgspec

from proxy import config
from proxy.protocol.grammar import REFUSALS
from proxy.server.base.journal import journal
from proxy.server.watch.webhook import NotTakenError, Webhook
from proxy.sessions import catalogue
from proxy.sessions.identity import log_path
from proxy.sessions.private import read_private, replace_file
from proxy.sessions.sealing import is_sealed, seals_path
from proxy.upkeep.seals import Seal, newest_checkpoint, read_seals, sealed_sessions
from proxy.upkeep.verification import seal_log

JOURNAL = "/run/systemd/journal/socket"
"""Where journald takes datagrams: https://systemd.io/JOURNAL_NATIVE_PROTOCOL/."""
_LOOK_S = 5.0  # a minute is promised
_MINUTE_S = 60.0
"""Between two looks at live logs; and the age of a log's last record from which on its wrapper adds no line."""
_LONGEST_PAUSE_S = 300.0  # as docs/seal.md says
_JOURNAL, _JOURNAL_S = "journal", 5.0

Send = Callable[[dict[str, object]], Awaitable[None]]


class Heads:
    """The seals of a data directory on their way."""

    def __init__(
        self,
        data_dir: str,
        settings: config.Seal,
        running: Callable[[], Iterable[str]],
        clock: Callable[[], float] = time.time,
    ) -> None:
        """``running`` returns the ids of the sessions that go on."""
        self._data_dir, self._settings, self._running, self._clock = data_dir, settings, running, clock
        self._state = os.path.join(data_dir, "seals_sent.json")
        # A digest: the address is a secret.
        self._webhook = hashlib.sha256((settings.send_to or "").encode()).hexdigest()
        self._sent = self._remembered()  # bytes of seals.jsonl, by place
        self._live: dict[str, Seal] = {}
        self._settled: set[str] = set()
        self._minute_s = 0.0
        self._pause_s = _LOOK_S
        self.trouble: str | None = None
        """What keeps seals from being sent, if something does."""

    async def look(self) -> float:
        """Add and send what is new; return the seconds until the next look."""
        is_minute = not 0 <= self._clock() - self._minute_s < _MINUTE_S
        lines, live = await asyncio.to_thread(self._gathered, is_minute=is_minute)
        if not lines and not live:
            return _LOOK_S
        try:
            if self._settings.journal:
                await self._send(_JOURNAL, _to_journal, lines, live)
            if self._settings.send_to is not None:
                async with Webhook(self._settings.send_to, key="seal.send_to") as webhook:
                    await self._send(self._webhook, webhook.post_body, lines, live)
        except (NotTakenError, OSError) as error:
            if self.trouble is None:
                journal.warning("seal.undelivered", error=str(error))
            self.trouble = f"Seals cannot be sent: {error}."
            self._pause_s = min(self._pause_s * 2, _LONGEST_PAUSE_S)
        else:
            self.trouble, self._pause_s = None, _LOOK_S
        return self._pause_s

    async def _send(self, place: str, send: Send, lines: list[tuple[int, Seal]], live: list[Seal]) -> None:
        here = {"host": socket.gethostname(), "data_dir": self._data_dir}
        for end, seal in lines:
            if end > self._sent.get(place, 0):
                await send(msgspec.to_builtins(seal) | here)
                self._sent[place] = end
                replace_file(self._state, msgspec.json.encode(self._sent))
        for seal in live:
            await send(msgspec.to_builtins(seal) | here)
        journal.info("seal.sent", lines=len(lines), live=len(live))

    # -- what there is to send -----------------------------------------------------------------------------------

    def _gathered(self, *, is_minute: bool) -> tuple[list[tuple[int, Seal]], list[Seal]]:
        """Return lines, each with where it ends, and heads of live sessions, that some place has not taken."""
        path = seals_path(self._data_dir)
        if not os.path.exists(path):  # nothing has ever been sealed
            return [], []
        if is_minute:
            self._minute_s = self._clock()
            self._add_missing()
        places = [_JOURNAL] * self._settings.journal + [self._webhook] * (self._settings.send_to is not None)
        if not places:
            return [], []
        live = self._live_heads() if is_minute else []
        size, taken = os.stat(path).st_size, [self._sent.get(place, 0) for place in places]
        if size == min(taken):
            return [], live
        if size < max(taken):
            # It is another one, of a copy that was restored: what is sent twice is not lost.
            self._sent = {}
        content, found, end = read_private(path), [], 0
        for line, seal in read_seals(content[: content.rfind(b"\n") + 1]).lines:
            end = content.index(line, end) + len(line) + 1
            found.append((end, seal))
        return found, live

    def _remembered(self) -> dict[str, int]:
        try:
            return msgspec.json.decode(read_private(self._state), type=dict[str, int])
        except (OSError, *REFUSALS):
            return {}  # all of it is sent: twice is better than not at all

    def _live_heads(self) -> list[Seal]:
        """Return the newest checkpoints that were not sent."""
        before, self._live = self._live, {}
        for session_id in self._running():
            path = log_path(self._data_dir, session_id)
            with contextlib.suppress(OSError):
                if is_sealed(path) and (newest := newest_checkpoint(path)) is not None:
                    self._live[session_id] = newest
        return [seal for session_id, seal in self._live.items() if before.get(session_id) != seal]

    def _add_missing(self) -> None:
        """Add the lines of sealed sessions whose wrappers were killed."""
        self._settled |= sealed_sessions(self._data_dir)
        for session_id in catalogue.list_logs(self._data_dir):
            path = log_path(self._data_dir, session_id)
            with contextlib.suppress(OSError):
                if session_id not in self._settled and self._is_left(path):
                    if is_sealed(path):
                        seal_log(self._data_dir, session_id, path)
                    self._settled.add(session_id)

    def _is_left(self, path: str) -> bool:
        """Whether nobody writes a log any more, or will go on with it."""
        if self._clock() - os.stat(path).st_mtime < _MINUTE_S:
            return False
        return not catalogue.is_running(path) and not catalogue.is_unattended(path)


async def _to_journal(seal: dict[str, object]) -> None:
    """Tell journald; with ``Seal=yes`` in its configuration it seals what it is told in turn."""
    message = b"SYSLOG_IDENTIFIER=claude-proxy\nPRIORITY=6\nMESSAGE=" + msgspec.json.encode(seal) + b"\n"

    def send() -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as datagrams:
            datagrams.settimeout(_JOURNAL_S)
            datagrams.sendto(message, JOURNAL)

    await asyncio.to_thread(send)
