"""The process beside an interactive ``claude``: waits for what Claude Code writes, and appends it to the session's log.

It decides nothing (see ``session`` and ``transcript``), and whatever fails in it reaches nobody: the command is another
process, which does not know of it. What cannot be written to the log stays in the transcript and is tried again; if
this process dies, another one goes on (see ``resumption``).
"""

import contextlib
import copy
import os
import select
import time

from proxy.following.files import ConfigFolder, config_folder
from proxy.following.launch import Command
from proxy.following.registry import Registration, is_of, pid_of
from proxy.following.session import FollowedSession
from proxy.following.transcript import Transcript
from proxy.sessions import process
from proxy.sessions.record import Body, lifecycle
from proxy.sessions.watch import Watch
from proxy.sessions.writer import SessionLog

_BLIND_S = 1.0
"""Without the kernel's notices: how often to look. As often as people look at a status, and some system calls."""
_SETTLE_S = 0.05
"""Claude Code writes its registry in steps, and a line or two at once: looked at together. People see no difference."""
_RETRY_S = 5.0
"""How soon to try again what could not be written: a full disk is made room on by people."""
_MOST_UNSAID = 1000
"""So many changes of state are kept for a log that cannot be written: about 300 KB, a day's work."""
_UNREGISTERED_S = (0.2, 10.0)
"""How often to look for the registration, at first and at last: a script may move the configuration folder.

The likely folder is watched besides: soon at first, and then so seldom that it costs nothing."""
_AFTER_EXIT_S = 0.05
"""What a child of the command may take to write its last words after it: they are written already, or being so."""
_PIECE = 1 << 18  # longer than nearly all lines, and little memory
_LONGEST_LINE = 1 << 28
"""As for lines that pass (`MAX_LINE_BYTES` of `relay`): a longer one is not for a log."""


class Recorder:
    """Follows one command from now on to its end."""

    def __init__(
        self,
        log: SessionLog,
        session: FollowedSession,
        command: Command,
        config_dir: str,
        *,
        is_first: bool = True,
    ) -> None:
        """``is_first``: no other recorder was there before."""
        self._log = log
        self._session = session
        self._command = command
        self._config = ConfigFolder(config_dir, command.cwd)
        self._sizes = self._config.sizes(session.started_us) if is_first else {}
        self._watch = Watch(blind_s=_BLIND_S, settle_s=_SETTLE_S)
        self._registered: process.Identity | None = None
        """The process that is registered: the command, or one that it has started."""
        session.learn(process.environment(command.identity.pid))
        self._was_there: dict[str, bool] = {}
        self._look_for_s = _UNREGISTERED_S[0]
        self._is_behind = False  # whether something could not be written
        self._unsaid: list[Body] = []  # what could not, of what is in no transcript
        self._is_blind = False  # whether the file system has been seen to give no notices

    def run(self) -> None:
        """Record until the command has ended."""
        try:
            changed: set[str] | None = None
            while not self.has_ended():
                before = self._config, self._session.said
                self.look(changed)
                self._watch.set_paths(self._watched())
                # Nothing was heard, and there is news where it is listened: some file systems give no notices.
                is_untold = changed == set() and before[0] is self._config and before[1] != self._session.said
                wait_s = _SETTLE_S if is_untold else self._timeout()
                changed = self._watch.wait(wait_s, also=self._command.pidfd)
                self._is_blind |= is_untold and not changed
            self._finish()
        except Exception:
            import traceback  # noqa: PLC0415 - not for sessions without faults

            self._say([self._fault(traceback.format_exc())])
            raise

    def has_ended(self) -> bool:
        """Tell whether the command has ended."""
        if self._command.pidfd >= 0:
            poller = select.poll()  # `select.select` takes no descriptor above 1023
            poller.register(self._command.pidfd, select.POLLIN)
            return bool(poller.poll(0))
        return not process.lives(self._command.identity)

    def look(self, changed: set[str] | None = None, *, is_last: bool = False) -> None:
        """Take what is new; ``changed``: names of files that changed, empty or None where nobody told.

        ``is_last``: nothing more will come.
        """
        if self._is_behind or self._registered is None:
            changed = None
        self._adjust_clock()
        now_s = time.monotonic()
        self._is_behind = False
        self._say([])
        if not changed or any(pid_of(name) is not None for name in changed):
            self._look_at_registry(now_s, changed or None)
        self._look_for_transcripts(changed)
        for file, transcript in list(self._session.transcripts.items()):
            if not transcript.is_over and (not changed or os.path.basename(file) in changed):
                self._read_on(file, transcript, is_last)
        self._say(self._session.overdue(now_s))

    # -- waiting -----------------------------------------------------------------------------------------------

    def _timeout(self) -> float | None:
        now_s = time.monotonic()
        until_s = self._session.wait_until_s(now_s)
        waits = [] if until_s is None else [max(0.0, until_s - now_s)]
        if self._registered is None:
            waits.append(self._look_for_s)
            self._look_for_s = min(self._look_for_s * 2, _UNREGISTERED_S[1])
        if self._is_behind:
            waits.append(_RETRY_S)
        if self._command.pidfd < 0 or self._is_blind:
            waits.append(_BLIND_S)
        return min(waits, default=None)

    def _watched(self) -> list[str]:
        session, config = self._session, self._config
        paths = [config.registry]
        if session.wants_transcript:
            paths.append(config.absolute(config.likely_transcript(session.conversation or "")))
        for file, transcript in session.transcripts.items():
            if transcript.is_over:
                continue
            paths.append(config.absolute(file))
            if not transcript.is_subagent:
                paths.append(config.absolute(config.subagents_folder(file)))
        return paths

    def _adjust_clock(self) -> None:
        """A clock that is set back makes new lines look older than the session: then it started earlier, by it."""
        age_ns = process.boot_ns() - self._command.started_boot_ns
        self._session.started_us = min(self._session.started_us, (time.time_ns() - age_ns) // 1000)

    # -- reading -----------------------------------------------------------------------------------------------

    def _look_at_registry(self, now_s: float, changed: set[str] | None) -> None:
        registrations = self._config.registrations(changed)
        mine = self._mine(registrations) or (self._look_elsewhere() if self._registered is None else None)
        if mine is not None and self._registered is None:
            self._registered = process.identity(mine.pid)
        others = [one for one in registrations.values() if mine is not None and _shares(one, mine)]
        self._say(self._session.registered(mine, others, self._config.path, now_s))

    def _mine(self, registrations: dict[int, Registration]) -> Registration | None:
        """Return the registration of the command or, for a launcher that stays, of what it has started."""
        identity, started_ms = self._registered or self._command.identity, self._session.started_us // 1000
        own = registrations.get(identity.pid)
        if own is not None and is_of(own, identity, started_ms):
            return own
        if self._registered is None:
            for pid in process.descendants(identity.pid) if registrations else ():
                found = registrations.get(pid)
                if found is not None and is_of(found, process.identity(pid), started_ms):
                    return found
        return None

    def _look_elsewhere(self) -> Registration | None:
        """A script in between may have set another configuration folder, for itself or for what it starts."""
        pid = self._command.identity.pid
        for one in (pid, *process.descendants(pid)):
            environment = process.environment(one) or {}
            self._session.learn(environment)
            path = config_folder(environment)
            if path is not None and path != self._config.path:
                config = ConfigFolder(path, self._command.cwd)
                if (found := self._mine(config.registrations())) is not None:
                    self._config, self._sizes = config, config.sizes(self._session.started_us)
                    return found
        return None

    def _look_for_transcripts(self, changed: set[str] | None) -> None:
        session, config = self._session, self._config
        if session.wants_transcript:
            conversation = session.conversation or ""
            file = config.transcript(conversation)
            was_there = self._was_there.setdefault(conversation, file is not None)
            if file is not None:
                self._open(file, was_there=was_there)
        if changed and changed <= {os.path.basename(file) for file in session.transcripts}:
            return
        for main in [one for one in session.transcripts.values() if not (one.is_subagent or one.is_over)]:
            for file in config.subagents(main.file):
                status = None if file in session.transcripts else config.status(file)
                if status is not None and not session.is_older(status.st_mtime_ns // 1000):
                    session.open_subagent(file, main.claude_session_id, config.subagent(file))

    def _open(self, file: str, *, was_there: bool) -> None:
        with contextlib.suppress(OSError), open(self._config.absolute(file), "rb") as opened:
            status = os.fstat(opened.fileno())
            self._session.open(
                file,
                lambda length, place: os.pread(opened.fileno(), length, place),
                size=status.st_size,
                changed_us=status.st_mtime_ns // 1000,
                size_at_start=self._sizes.get(file),
                was_there=was_there,
            )

    def _read_on(self, file: str, transcript: Transcript, is_last: bool) -> None:
        """Record what has come into a transcript, or else leave it as it was."""
        with contextlib.suppress(OSError), open(self._config.absolute(file), "rb", buffering=0) as opened:
            size, began = os.fstat(opened.fileno()).st_size, transcript.offset
            piece = _PIECE
            while size > transcript.offset or not transcript.is_opened:
                before = copy.copy(transcript)
                data = os.pread(opened.fileno(), min(piece, max(0, size - before.offset)), before.offset)
                is_rest = before.offset + len(data) >= size
                bodies = transcript.take(data, is_last=is_last and is_rest, is_mine=self._session.is_mine())
                if not self._log.try_append(bodies):
                    self._session.transcripts[file] = before
                    self._is_behind = True
                    break
                if transcript.offset > before.offset:
                    piece = _PIECE
                elif is_rest:
                    break
                elif piece > _LONGEST_LINE:
                    transcript.is_over = True
                    self._say([self._fault(f"{file} has a line longer than {_LONGEST_LINE} bytes")])
                    break
                else:
                    piece *= 4
            if self._session.transcripts[file].offset > began:
                self._say(self._session.lines_came())

    def _say(self, bodies: list[Body]) -> None:
        """Record this, and what could not be recorded before; the oldest of too much counts as lost."""
        self._unsaid += bodies
        if not self._unsaid or self._log.try_append(self._unsaid):
            self._unsaid = []
            return
        self._is_behind = True
        if too_old := self._unsaid[:-_MOST_UNSAID]:
            self._unsaid = self._unsaid[-_MOST_UNSAID:]
            self._log.append(too_old)

    # -- the end -----------------------------------------------------------------------------------------------

    def _finish(self) -> None:
        # Asked first: before Linux 6.15 it is known only until the command's parent has waited for it.
        status = process.exit_of(self._command.identity, self._command.pidfd)
        self.look()
        time.sleep(_AFTER_EXIT_S)
        self.look(is_last=True)
        self._say(self._session.ended())
        if self._is_behind:
            return  # the disk is full: whoever looks next goes on
        transcripts = self._session.transcripts.values()
        lines = sum(one.recorded_lines for one in transcripts)
        data = {
            **({} if status is None else process.described_exit(status)),
            "clean": self._mine(self._config.registrations()) is None,
            "duration_ms": self._duration_ms(),
            "counts": {"transcript": {"unjudged": lines}} if lines else {},
            "skipped": {
                "lines": sum(one.skipped_lines for one in transcripts),
                "bytes": sum(one.skipped_bytes for one in transcripts),
            },
        }
        self._log.append_end(data)
        self._log.close()

    def _duration_ms(self) -> int:
        if self._command.seen_alive:
            return (process.boot_ns() - self._command.started_boot_ns) // 1_000_000
        # It ended while nobody looked: its last words tell when, about.
        last_us = max(self._session.lived_us, *(one.last_us for one in self._session.transcripts.values()), 0)
        return max(0, last_us - self._session.started_us) // 1000

    def _fault(self, error: str) -> Body:
        return lifecycle(self._session.session_id, "wrapper_error", {"where": "recorder", "error": error})


def _shares(one: Registration, mine: Registration) -> bool:
    """Tell whether another process has a conversation open, and lives."""
    if one.session_id != mine.session_id or one.pid == mine.pid:
        return False
    identity = process.identity(one.pid)
    return process.lives(identity) and is_of(one, identity, 0)
