"""The state machine of one session: records in, events out.

Rules it lives by:

* The same records give the same events, whether they come at once, one by one, or after a pause in which the
  `Session` was kept as JSON.
* No message can make it fail. What has not the shape that is expected is passed over; the verdict in the record
  says what was wrong with it.
* A message that was held back did not reach Claude Code, and begins and ends nothing.
* Messages that most of a session's traffic consists of, and that make no events, are counted without being decoded.
"""

from typing import Any

import msgspec

from proxy.events import stdin, stdout
from proxy.events.emitter import Emitter, Event
from proxy.events.figures import duration_ms
from proxy.events.reading import Message, number, some, text, whole
from proxy.events.session import Prompt, Session
from proxy.protocol import grammar
from proxy.sessions.reader import Record

__all__ = ["Event", "Interpreter"]

_PARTIAL = b'{"type":"stream_event"'
_OF_NO_CONSEQUENCE = (_PARTIAL, b'{"type":"keep_alive"', b'{"type":"transcript_mirror"')
_LONGEST_QUOTE = 300


class Interpreter:
    """Interprets the records of one session, in order. The `session` may be one that was kept."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self._scribe = Emitter(session)

    def take(self, record: Record) -> list[Event]:
        """Return the events that a record makes, oldest first."""
        session, emitter = self.session, self._scribe
        try:
            # In a log of somebody else's writing time may run back: nothing there takes less than no time.
            moment = max(emitter.codec.parse(record.ts), session.last_record_us)
        except ValueError:
            moment = session.last_record_us  # written by somebody else: it happened when it is read
        emitter.begin(record.seq, moment)
        session.last_seq, session.last_record_us = record.seq, moment
        match record.stream:
            case "stdout":
                session.last_output_us = moment
                self._line(record)
            case "stdin":
                self._line(record)
            case "stderr":
                session.last_output_us = moment
                self._count(record)
            case "proxy":
                self._lifecycle(record)
            case "api" if record.event is not None:
                emitter.note(record.event.event_type, record.event.data)
            case _:
                pass  # a stream of a later version
        return emitter.events

    def crashed(self) -> list[Event]:
        """Return the events that follow from the writer's death: its log says nothing more."""
        emitter = self._scribe
        emitter.begin(self.session.last_seq, self.session.last_record_us)
        if self.session.ended_us:
            return []
        if self.session.last_seq < 0:  # a log of nothing tells no moment for anything to have happened at
            self.session.state = "failed"
            return []
        self._end("failed", "the log is not held by its writer and does not end", {"reason": "crashed"})
        return emitter.events

    # -- lines -------------------------------------------------------------------------------------------------

    def _line(self, record: Record) -> None:
        self._count(record)
        raw = bytes(record.message)
        if raw.startswith(_OF_NO_CONSEQUENCE) and record.verdict in ("valid", None):
            if raw.startswith(_PARTIAL):
                self.session.partials += 1
            return
        message = _decoded(record)
        if record.verdict in ("invalid", "malformed"):
            self._invalid(record, message)
        elif record.verdict == "unknown":
            self._drift(record, message)
        if not isinstance(message, dict) or not record.forwarded or record.origin is not None:
            return
        (stdin if record.stream == "stdin" else stdout).take(self._scribe, message)

    def _count(self, record: Record) -> None:
        verdict = record.verdict or ("text" if record.stream == "stderr" else "unjudged")
        if verdict == "unjudged" and record.raw is not None and grammar.is_blank(record.line()):
            return
        counts = self.session.counts.setdefault(record.stream, {})
        counts[verdict] = counts.get(verdict, 0) + 1

    def _invalid(self, record: Record, message: Any) -> None:
        fields: dict[str, Any] = {"stream": record.stream, "verdict": record.verdict, "errors": record.errors}
        if isinstance(message, dict):
            fields |= some(message, "type", "subtype")
        elif record.raw is not None:
            fields["raw"] = record.raw[:_LONGEST_QUOTE]
        if not record.forwarded:
            fields["held_back"] = True
        self._scribe.emit("validation_failed", **fields)

    def _drift(self, record: Record, message: Any) -> None:
        tags = some(message, "type", "subtype") if isinstance(message, dict) else {}
        self._scribe.emit("protocol_drift", stream=record.stream, verdict="unknown", **tags)

    # -- lifecycle ---------------------------------------------------------------------------------------------

    def _lifecycle(self, record: Record) -> None:
        if record.event is None:
            return
        data = record.event.data
        match record.event.event_type:
            case "session_started":
                self._started(data)
            case "command_exited":
                self.session.exit = some(data, "exit_code", "signal", "reason")
                self.session.ran_ms = number(data, "duration_ms")
            case "session_ended":
                self._end("ended", "session_ended", data)
            case "recording_gap":
                self.session.lost_records += whole(data, "lost_records") or 0
                self._scribe.emit("recording_gap", **data)
            case "wrapper_error":
                self._scribe.emit("error", source="claude-proxy", **some(data, "where", "error"))
            case _:
                pass  # a lifecycle record of a later version

    def _started(self, data: Message) -> None:
        session, emitter = self.session, self._scribe
        if not session.started_us:
            # The command started before there was a log to say so.
            age_us = round((number(data, "age_ms") or 0) * 1000)
            session.started_us = session.state_since_us = emitter.timestamp_us - age_us
            session.evidence.message = "session_started"
        session.name, session.cwd = text(data, "name"), text(data, "cwd")
        session.kind = text(data, "kind") or "wrapped"
        session.pid, session.validation = whole(data, "pid"), text(data, "validation")
        command = data.get("command")
        session.command = [str(word) for word in command] if isinstance(command, list) else []
        streams = data.get("streams")
        declared = {
            name: bool(stream.get("declared_messages"))
            for name, stream in (streams if isinstance(streams, dict) else {}).items()
            if isinstance(stream, dict)
        }
        session.one_prompt = declared.get("stdout", False) and not declared.get("stdin", False)
        if session.kind == "monitoring":
            emitter.change_state("idle", "session_started")
        about = some(data, "name", "cwd", "pid", "age_ms", "versions", "validation", "capture_options")
        emitter.emit("session_started", command=session.command, kind=session.kind, **about)
        if session.one_prompt:
            prompt = _prompt_of(session.command)
            started = None if prompt is None else Prompt(emitter.seq, prompt)
            emitter.start_run(
                started, "session_started", prompt_on="stdin" if prompt is None else "command line"
            )

    def _end(self, state: str, message: str, data: Message) -> None:
        session, emitter = self.session, self._scribe
        session.exit = session.exit | some(data, "exit_code", "signal", "reason")
        session.ran_ms = number(data, "duration_ms") if "duration_ms" in data else session.ran_ms
        session.ended_us = emitter.timestamp_us
        session.ended_in_run = session.run is not None
        session.questions.clear()
        session.tasks.clear()
        if session.run is not None:
            stopped = session.run.interrupted or session.exit.get("signal") == "SIGINT"
            event = "run_interrupted" if stopped else "run_failed"
            reason = "The command ended without a result." if state == "ended" else "The wrapper died."
            emitter.end_run(event, message, errors=[reason])
        emitter.change_state(state, message, stated=state == "ended")
        figures = session.figures
        totals = {"turns": figures.turns, "cost_usd": figures.cost_usd, "tokens": figures.tokens}
        code = session.exit.get("exit_code")
        emitter.emit(
            "session_ended",
            exit_code=code if isinstance(code, int) else None,
            signal=text(session.exit, "signal"),
            duration_ms=duration_ms(session, emitter.timestamp_us),
            counts=session.counts,
            **totals,
            **some(session.exit, "reason"),
        )


def _decoded(record: Record) -> Any:
    """Return the message, None for a line that is none or that no reader here can hold.

    Lone surrogates become U+FFFD: what is derived is given out as UTF-8, and the log has the message as it was.
    """
    raw = bytes(record.message)
    if b"\\ud" in raw or b"\\uD" in raw:
        record = msgspec.structs.replace(record, message=msgspec.Raw(grammar.without_lone_surrogates(raw)))
    try:
        return record.value()
    except (ValueError, RecursionError):
        return None


def _prompt_of(command: list[str]) -> str | None:
    """Return the prompt on a command line: the word behind ``-p``, or else the last one that no option can own."""
    for flag in ("-p", "--print"):
        if flag in command:
            after = command[command.index(flag) + 1 :]
            if after and not after[0].startswith("-"):
                return after[0]
    if len(command) > 2 and not command[-1].startswith("-") and not command[-2].startswith("-"):
        return command[-1]
    return None
