"""One interactive session as its recorder knows it: pure, what was seen in, record bodies and what to wait for out.

What is seen are the registry's words (`FollowedSession.registered`), files (`FollowedSession.open`) and lines. Times of
waiting are seconds of any clock that only goes forward.
"""

from proxy.following.transcript import Head, Transcript, Why, end_of_history, last_cost  # first: see there

# isort: split
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from proxy.following.registry import Registration
from proxy.redaction import Redactor
from proxy.sessions.record import Body, lifecycle, rfc3339

_REGISTERED_S = 8.0
"""Claude Code registers within a second or two of its start, when nobody has to be asked anything before.

Four times that, for busy machines; what is said too early is taken back."""
_CHILD_S = 2.0
"""How long a session is waited for that will not be registered, as its environment says: as one that will be."""
_WRITTEN_S = 8.0
"""Lines have been seen to be written up to 2.5 s after what they tell, on a busy machine; three times that."""
_CLOSED_S = 2.0
"""With the next conversation begun, Claude Code writes the total of the one before at once; a busy machine's time."""
_LOOK_S = 1.0
"""How often it is looked for the transcript of a turn that is under way: its folder may be another than the likely
one, which alone is watched."""
_CLOCK_TICK_US = 20_000
"""File systems take their times from a clock that ticks: behind by 10 ms at most (100 Hz), twice that to be sure."""
_COST_BYTES = 1 << 18
"""The total of a conversation is among its last lines, which are of some KB; not more, as all of it is searched."""
_CHILD = b"CLAUDE_CODE_CHILD_SESSION"
"""In the environment of what Claude Code starts: a session that is begun there keeps no transcript."""


class FollowedSession(msgspec.Struct):
    """What is known of one session, and what is to be said of it in its log."""

    session_id: str
    redactor: Redactor
    started_us: int
    """When the command was started, in microseconds since 1970."""
    started_s: float
    """When that was, or its recorder began, by the clock of waiting."""
    content: bool = True
    """Whether transcripts are recorded."""
    transcripts: dict[str, Transcript] = {}
    conversation: str | None = None
    """Claude Code's id of the conversation that is open."""
    not_recorded: str | None = None
    """Why the session is not recorded, if it is known not to be."""
    said: dict[str, Any] | None = None
    """What the registry said last."""
    lived_us: int = 0
    """When another recorder wrote its last record while the command lived, in microseconds since 1970."""
    _registration: Registration | None = None
    _may_register: bool = True  # whether it is not said yet that it is not registered
    _is_child: bool = False
    _write_by_s: float | None = None
    _in_turn: bool = False
    _turn_has_lines: bool = False
    _conversations: int = 0
    _boundary_us: int | None = None
    _closing: dict[str, float] = {}
    _sharers: list[Registration] = []
    _branches: dict[str, bool] = {}

    def resume(
        self, status: Mapping[str, Any], not_recorded: str | None, last_us: int, lived_us: int
    ) -> None:
        """Go on from what another recorder has said: the registry's last words, and when it said anything last.

        ``lived_us``: the same while the command lived.
        """
        self.not_recorded, self.lived_us = not_recorded, lived_us
        if status:
            self.conversation, self._conversations = status["claude_session_id"], 1
            self.said = dict(status)
            self._may_register = False
            # A conversation that was turned to meanwhile goes on with what is newer than that.
            self._boundary_us = last_us
        for transcript in self.transcripts.values():
            is_open = transcript.claude_session_id == self.conversation
            transcript.is_over = not transcript.is_subagent and not is_open

    # -- the registry ------------------------------------------------------------------------------------------

    def registered(
        self, found: Registration | None, others: Iterable[Registration], config_dir: str, now_s: float
    ) -> list[Body]:
        """Take what the registry says of the session's process, and of all others that live."""
        if found is None:
            if self._registration is None:
                return []
            self._registration = self.said = None
            return [self._event("claude_status", {"claude_session_id": self.conversation, "gone": True})]
        bodies = self._status(found, config_dir)
        self._may_register = False
        if self.not_recorded in ("child_session", "no_registry"):
            bodies.append(self._recorded_after_all())
        if found.session_id != self.conversation:
            self._turn_to(found, now_s)
        self._registration = found
        self._follow_turn(found, now_s)
        return bodies + self._shared(others)

    def _status(self, found: Registration, config_dir: str) -> list[Body]:
        since = None if found.since_ms is None else rfc3339(found.since_ms * 1_000_000)
        data = {
            "claude_session_id": found.session_id,
            "status": found.status,
            "waiting_for": found.waiting_for,
            "since": since,
            "version": found.version,
            "kind": found.kind,
            "pid": found.pid,
            "config_dir": config_dir,
        }
        if data == self.said:
            return []
        self.said = data
        return [self._event("claude_status", data)]

    def _turn_to(self, found: Registration, now_s: float) -> None:
        """Turn to another conversation. What is in its file from before the last change of state is history."""
        if (former := self._main()) is not None:
            self._closing[former.file] = now_s + _CLOSED_S
        if self._registration is not None and self._registration.since_ms is not None:
            self._boundary_us = self._registration.since_ms * 1000
        self.conversation = found.session_id
        self._conversations += 1
        self._branches.clear()

    def _follow_turn(self, found: Registration, now_s: float) -> None:
        """Note when a turn ends of which no line has come."""
        if found.status == "busy" and not self._in_turn:
            self._in_turn, self._turn_has_lines = True, False
        elif found.status in ("idle", "shell") and self._in_turn:
            self._in_turn = False
            if self.content and not self._turn_has_lines and self._write_by_s is None:
                self._write_by_s = now_s + _WRITTEN_S

    def _shared(self, others: Iterable[Registration]) -> list[Body]:
        sharers = [one for one in others if one.session_id == self.conversation]
        was, self._sharers = {one.pid for one in self._sharers}, sharers
        pids = [one.pid for one in sharers]
        if set(pids) == was:
            return []
        data = {"claude_session_id": self.conversation, "pids": pids} | ({} if pids else {"over": True})
        return [self._event("transcript_shared", data)]

    # -- transcripts -------------------------------------------------------------------------------------------

    @property
    def wants_transcript(self) -> bool:
        """Whether the transcript of the conversation that is open is to be looked for."""
        return self.content and self.conversation is not None and self._main() is None

    def _main(self) -> Transcript | None:
        mains = (one for one in self.transcripts.values() if not one.is_subagent)
        return next((one for one in mains if one.claude_session_id == self.conversation), None)

    def open(
        self,
        file: str,
        read: Callable[[int, int], bytes],
        *,
        size: int,
        changed_us: int,
        size_at_start: int | None,
        was_there: bool,
    ) -> Transcript:
        """Begin to follow the transcript of the conversation that is open.

        ``read`` gives so many bytes (first) from a place on (second). ``changed_us``: when the file was last written.
        ``size_at_start``: how long it was when the command was started, where that is known. ``was_there``: when the
        conversation was turned to.
        """
        boundary_us = self.started_us if self._boundary_us is None else self._boundary_us
        end, is_exact = 0, True
        if size_at_start is not None and self._boundary_us is None:
            end = size_at_start
        elif was_there and changed_us < boundary_us - _CLOCK_TICK_US:
            end = size
        elif was_there or size_at_start is not None:
            end, is_exact = end_of_history(read, size_at_start or 0, size, boundary_us), False
        if end:
            place = max(0, end - _COST_BYTES)
            about = {"cost_before": last_cost(read(end - place, place))}
            transcript = self._add(file, self.conversation or "", "continued", boundary_us, about)
            transcript.begin_at(end, is_exact=is_exact)
            return transcript
        why: Why = "cleared" if self._conversations > 1 else "new"
        return self._add(file, self.conversation or "", why, boundary_us, {})

    def open_subagent(self, file: str, conversation: str, about: dict[str, Any]) -> Transcript:
        """Begin to follow the transcript of a subagent."""
        return self._add(file, conversation, "subagent", self.started_us, about)

    def reopen(self, file: str, conversation: str, why: Why, offset: int) -> Transcript:
        """Go on with a transcript that another recorder has begun, behind what it has recorded."""
        transcript = self._add(file, conversation, why, 0, {})
        transcript.begin_at(offset, is_exact=True)
        transcript.is_opened = True
        return transcript

    def _add(self, file: str, of: str, why: Why, boundary_us: int, about: dict[str, Any]) -> Transcript:
        """Add the transcript of a conversation."""
        transcript = Transcript(self.session_id, file, of, why, self.redactor, boundary_us, about)
        self.transcripts[file] = transcript
        return transcript

    def is_older(self, changed_us: int) -> bool:
        """Tell whether a file that was last written then has nothing of the session."""
        return changed_us < self.started_us - _CLOCK_TICK_US

    def lines_came(self) -> list[Body]:
        """Note that a transcript has grown."""
        self._turn_has_lines = True
        self._write_by_s = None
        return [self._recorded_after_all()] if self.not_recorded == "no_transcript" else []

    def is_mine(self) -> Callable[[Head], bool] | None:
        """Return what tells whether a line is this process's, None where no other has the conversation open."""
        return self._is_mine if self._sharers else None

    def _is_mine(self, head: Head) -> bool:
        """Tell whose a line is: of the branch of a process, or of the one that does something.

        Each process goes on from its own last line. Where both are idle or both at work nobody can tell.
        """
        mine = self._branches.get(head.parent_uuid or "")
        if mine is None:
            if (at_us := head.at_us) is None:
                return True
            is_idle = self._registration is not None and _was_idle(self._registration, at_us)
            mine = not is_idle or all(_was_idle(one, at_us) for one in self._sharers)
        if head.uuid is not None:
            self._branches[head.uuid] = mine
        return mine

    # -- waiting -----------------------------------------------------------------------------------------------

    def wait_until_s(self, now_s: float) -> float | None:
        """Return when to look again though nothing was heard, None: not at all."""
        times = [self._register_by_s(), self._write_by_s, *self._closing.values()]
        if self.wants_transcript and self._in_turn:
            times.append(now_s + _LOOK_S)
        return min((time for time in times if time is not None), default=None)

    def learn(self, environment: Mapping[bytes, bytes] | None) -> None:
        """Take what the command's environment says of the session, if it could be read."""
        if environment:
            self._is_child = bool(environment.get(_CHILD))

    def overdue(self, now_s: float) -> list[Body]:
        """Say what should have come by now and has not; let go of conversations that are over."""
        bodies = []
        if (by_s := self._register_by_s()) is not None and now_s >= by_s:
            self._may_register = False
            bodies.append(self._not_recorded("child_session" if self._is_child else "no_registry"))
        if self._write_by_s is not None and now_s >= self._write_by_s:
            self._write_by_s = None
            if self.not_recorded is None:
                bodies.append(self._not_recorded("no_transcript"))
        for file in [file for file, time in self._closing.items() if now_s >= time]:
            del self._closing[file]
            self.transcripts[file].is_over = True
        return bodies

    def ended(self) -> list[Body]:
        """Say what has not come now that nothing more will come."""
        return self.overdue(float("inf"))

    def _register_by_s(self) -> float | None:
        if not self._may_register:
            return None
        return self.started_s + (_CHILD_S if self._is_child else _REGISTERED_S)

    def _not_recorded(self, why: str) -> Body:
        self.not_recorded = why
        return self._event("not_recorded", {"why": why})

    def _recorded_after_all(self) -> Body:
        why, self.not_recorded = self.not_recorded, None
        return self._event("not_recorded", {"why": why, "over": True})

    def _event(self, event_type: str, data: object) -> Body:
        return lifecycle(self.session_id, event_type, data)


def _was_idle(registration: Registration, at_us: int) -> bool:
    """Tell whether a process was at rest at a time, and has been since."""
    since_ms = registration.since_ms
    return registration.status in ("idle", "shell") and since_ms is not None and since_ms * 1000 <= at_us
