"""The state machine of one session: records in, events out.

Rules it lives by:

* Events are a function of the log: the same records give the same events, whether they come at once, one by one, or
  after a pause in which the `Session` was kept as JSON. What is only missing so far is a state and no event.
* No message can make it fail. What has not the shape that is expected is passed over; the verdict in the record
  says what was wrong with it.
* A message that was held back did not reach Claude Code, and begins and ends nothing.
* Messages that most of a session's traffic consists of, and that make no events, are counted without being decoded.
"""

import contextlib
import re
from collections import deque
from typing import TYPE_CHECKING, Any

import msgspec

from proxy.events import acting, printing, prompts, registry, session_outcome, stdin, stdout, transcript
from proxy.events.emitter import Emitter, Event
from proxy.events.fields import Message, inner, integer, known, number, present, text, texts
from proxy.events.known_rules import KnownRules
from proxy.events.session import Evidence, Followed, Session, Standing
from proxy.events.vocabulary import OVER
from proxy.protocol import grammar
from proxy.sessions.reader import Record

if TYPE_CHECKING:
    from collections.abc import Sequence

    from proxy.sessions.firings import Firing

__all__ = ["Event", "Interpreter"]

_OF_NO_CONSEQUENCE = (b'{"type":"stream_event"', b'{"type":"keep_alive"', b'{"type":"transcript_mirror"')
_LONGEST_START = max(map(len, _OF_NO_CONSEQUENCE))
_OF_A_START = ("name", "cwd", "pid", "age_ms", "versions", "validation", "mode", "capture_options")
_ESCAPED_SURROGATE = re.compile(rb"\\u[dD]")
_LONGEST_QUOTE = 300  # characters of a line that is no message; the record has it


class Interpreter:
    """Interprets the records of one session, in order. The `session` may be one that was kept."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self._emitter = Emitter(session)
        self._firings: deque[Firing] = deque()

    def expect(self, firings: "Sequence[Firing]") -> None:
        """Learn all that rules found of the session: it lies beside the log, and is told in order of time."""
        self._firings = deque(firings[self.session.firings :])

    def take(self, record: Record) -> list[Event]:
        """Return the events that a record makes, oldest first, behind those of the rules that had fired by then."""
        session, emitter = self.session, self._emitter
        # A log that others write may tell no time, or one that runs back: nothing in it takes less than no time.
        timestamp_us = session.last_record_us
        with contextlib.suppress(ValueError):
            timestamp_us = max(timestamp_us, emitter.codec.parse(record.ts))
        fired = self._fire(timestamp_us)
        emitter.begin(record.seq, timestamp_us)
        session.last_seq, session.last_record_us = record.seq, timestamp_us
        session.crash = None  # the log goes on, so nobody died
        match record.stream:
            case "stdout":
                session.last_output_us = timestamp_us
                self._line(record)
            case "stdin":
                self._line(record)
            case "stderr":
                session.last_output_us = timestamp_us
                self._count(record)
                printing.takes(emitter, record)
            case "transcript":
                session.last_output_us = timestamp_us
                self._transcript(record)
            case "proxy":
                self._lifecycle(record)
            case "api" if record.event is not None:
                emitter.emit_posted(record.event.event_type, record.event.data)
            # Any other is a stream of a later version.
        return fired + emitter.events if fired else emitter.events

    def rest(self) -> list[Event]:
        """Return the events of the rules that have fired since the last record, where no more is known to come."""
        return self._fire(None)

    def _fire(self, until_us: int | None) -> list[Event]:
        events: list[Event] = []
        while self._firings and (until_us is None or self._firings[0].timestamp_us <= until_us):
            firing = self._firings.popleft()
            self._emitter.begin(self.session.last_seq, max(firing.timestamp_us, self.session.last_event_us))
            self.session.firings += 1
            self._emitter.emit("rule_fired", **firing.fields())
            events += self._emitter.events
        return events

    # -- lines -------------------------------------------------------------------------------------------------

    def _line(self, record: Record) -> None:
        self._count(record)
        if printing.takes(self._emitter, record):
            return
        # A copy of a long message takes as much memory.
        start = bytes(memoryview(record.message)[:_LONGEST_START])
        if start.startswith(_OF_NO_CONSEQUENCE) and record.verdict in ("valid", None):
            return
        message = _decoded(record)
        if record.verdict in ("invalid", "malformed"):
            self._invalid(record, message)
        elif record.verdict == "unknown":
            tags = present(message, "type", "subtype") if isinstance(message, dict) else {}
            self._emitter.emit("protocol_drift", stream=record.stream, verdict="unknown", **tags)
        if not isinstance(message, dict):
            return
        is_response = message.get("type") == "control_response"
        match record.stream:
            case "stdin" if record.origin is not None:  # claude-proxy itself has put it there
                if is_response:
                    stdin.answer(self._emitter, message, "api")
                elif record.action_id is not None:
                    acting.sent(self._emitter, record.action_id, message)
            case "stdin" if record.forwarded:
                stdin.take(self._emitter, message)
            case "stdout" if record.origin is None and (record.forwarded or not is_response):
                stdout.take(self._emitter, message)  # a question is held back while the session is paused
            case "stdout" if record.origin is None:
                acting.answered(self._emitter, message)
        self._end()

    def _transcript(self, record: Record) -> None:
        self._count(record)
        message, followed = _decoded(record), self.session.followed
        if followed is not None and record.source is not None and isinstance(message, dict):
            transcript.take(self._emitter, followed, record.source.file, message)

    def _count(self, record: Record) -> None:
        verdict = record.verdict or ("text" if record.stream == "stderr" else "unjudged")
        if verdict == "unjudged" and record.raw is not None and grammar.is_blank(record.line()):
            return
        counts = self.session.counts.setdefault(record.stream, {})
        counts[verdict] = counts.get(verdict, 0) + 1

    def _invalid(self, record: Record, message: Any) -> None:
        fields: dict[str, Any] = {"stream": record.stream, "verdict": record.verdict, "errors": record.errors}
        if isinstance(message, dict):
            fields |= present(message, "type", "subtype")
        elif record.raw is not None:
            fields["raw"] = record.raw[:_LONGEST_QUOTE]
        if not record.forwarded:
            fields["held_back"] = True
        self._emitter.emit("validation_failed", **fields)

    # -- lifecycle ---------------------------------------------------------------------------------------------

    def _lifecycle(self, record: Record) -> None:
        if record.event is None:
            return
        session, emitter, data = self.session, self._emitter, record.event.data
        match record.event.event_type:
            case "session_started":
                self._started(data)
            case "command_exited":
                self._exited(data)
                acting.exited(emitter)
                printing.exited(emitter)
                emitter.change_state("ended", "command_exited", stated=True)
                self._end()
            case "session_ended":
                self._exited(data)
                session.complete = True
                acting.exited(emitter)
                printing.exited(emitter)
                if session.followed is not None:
                    transcript.ended(emitter, session.followed)
                self._cut_off()
                is_killed = session.followed is not None and ("signal" in data or data.get("clean") is False)
                emitter.change_state("failed" if is_killed else "ended", "session_ended", stated=True)
                self._end()
            case "recording_gap":
                session.lost_records += integer(data, "lost_records") or 0
                emitter.emit("recording_gap", **present(data, "lost_records", "lost_bytes", "reason"))
            case "wrapper_error":
                emitter.emit("error", source="claude-proxy", **present(data, "where", "error"))
            case event_type if event_type in acting.LIFECYCLE:
                acting.take(emitter, event_type, data)
            case event_type if session.followed is not None:
                registry.take(emitter, session.followed, event_type, data)
            # Any other is a lifecycle record of a later version.

    def _started(self, data: Message) -> None:
        session, emitter = self.session, self._emitter
        if not session.started_us:
            # The command started before there was a log to say so.
            session.started_us = emitter.timestamp_us - round((number(data, "age_ms") or 0) * 1000)
            evidence = Evidence(emitter.seq, "session_started")
            session.standing = Standing(since_us=session.started_us, evidence=evidence)
        session.name, session.cwd = text(data, "name"), text(data, "cwd")
        session.kind = text(data, "kind") or "wrapped"
        session.pid, session.validation = integer(data, "pid"), text(data, "validation")
        command = data.get("command")
        session.command = [str(word) for word in command] if isinstance(command, list) else []
        session.rules = KnownRules.of_command(session.command)
        streams = inner(data, "streams")
        declared = {name: bool(inner(streams, name).get("declared_messages")) for name in streams}
        session.grant = text(inner(data, "acting"), "grant") or "off"
        if data.get("mode") == "followed":
            session.followed = Followed(content=text(data, "interactive") != "status")
        call = printing.recognise(session, declared)
        if session.kind == "monitoring":
            emitter.change_state("idle", "session_started")
        about = present(data, *_OF_A_START) | texts(data, "traceparent") | known(output_format=session.prints)
        emitter.emit("session_started", command=session.command, kind=session.kind, **about)
        if call is not None:
            printing.begin(emitter, call)

    def _exited(self, data: Message) -> None:
        session = self.session
        session.exit |= present(data, "exit_code", "signal", "reason", "clean")
        session.ran_ms = number(data, "duration_ms") if "duration_ms" in data else session.ran_ms
        session.questions.clear()
        session.requests.clear()
        session.tasks.clear()

    def _cut_off(self) -> None:
        """Close a run that is open when nothing more will come: it has no result."""
        session = self.session
        if session.exit.get("exit_code") == 0:
            prompts.nothing_waits(self._emitter, "session_ended")
        if session.run is None:
            return
        session.cut_off, session.last_turn = True, session_outcome.of_cut_off(session)
        self._emitter.end_run("session_ended", session.last_turn, errors=[session.last_turn.reason])

    def _end(self) -> None:
        """Say that the session is over, once: at the command's exit if its last turn has a result.

        A command may have exited while what it wrote last is still on its way; then its result comes later, or the
        last record says that none will.
        """
        session, emitter = self.session, self._emitter
        if session.standing.state not in OVER or session.run is not None or session.end_told:
            return
        session.end_told = True
        code = session.exit.get("exit_code")
        emitter.emit(
            "session_ended",
            **session_outcome.described(session),
            exit_code=code if isinstance(code, int) else None,
            signal=text(session.exit, "signal"),
            duration_ms=session.duration_ms(emitter.timestamp_us),
            counts={stream: dict(verdicts) for stream, verdicts in session.counts.items()},
            turns=session.figures.turns,
            cost_usd=session.figures.cost_usd,
            tokens=session.figures.tokens,
            **present(session.exit, "reason"),
        )


def _decoded(record: Record) -> Any:
    """Return the message, None for a line that is none or that no reader here can hold.

    What Claude Code takes has happened, whatever its verdict: input that is not quite JSON is read as it reads it.
    Lone surrogates become U+FFFD: what is derived is given out as UTF-8, and the log has the message as it was.
    """
    if not record.has_message and record.stream == "stdin" and record.verdict != "text":
        return grammar.as_taken(record.line())
    if _ESCAPED_SURROGATE.search(memoryview(record.message)):
        neutral = grammar.without_lone_surrogates(bytes(record.message))
        record = msgspec.structs.replace(record, message=msgspec.Raw(neutral))
    try:
        return record.value()
    except (ValueError, RecursionError):
        return None
