"""``--validation enforce``: invalid messages to the command are held back and answered (see ``gate``).

Two pumps that share one gate. What the gate says to the caller goes out between two lines of the command's own
output, and to the command in place of the line that was held back. A thread of its own writes to the caller, so that
one who does not read holds up its own answers and nothing else.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections import Counter
from queue import SimpleQueue

import proxy.protocol  # noqa: F401 - it imports msgspec in the way that costs least
from proxy.relay.gate import Gate
from proxy.relay.pump import WAKE, Pump, ReaderGoneError
from proxy.relay.recording import truncated

TYPE_CHECKING = False  # `typing` takes long to import, and a session waits for its streams
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from proxy.relay.framing import Hold
    from proxy.relay.recording import StreamRecorder
    from proxy.sessions.record import Alike, Body


class AnsweringPump(Pump):
    """Moves stdout, and puts the gate's answers between its lines."""

    recorder: StreamRecorder

    def guard(self, gate: Gate) -> None:
        """Let ``gate`` see what passes. Call before `start`."""
        self._gate = gate
        self._turn = threading.Condition()
        self._within_line = False  # where the bytes written so far end
        self._over = False
        self._answers: SimpleQueue[bytes | None] = SimpleQueue()
        self._answered: Counter[str] = Counter()
        self._answerer = threading.Thread(name="answers", target=self._write_answers, daemon=True)
        self._answerer.start()

    @property
    def counts(self) -> Mapping[str, int]:
        """Lines recorded so far, by verdict, the answers among them."""
        return self.recorder.counts + self._answered

    def answer(self, line: bytes) -> None:
        """Write ``line`` to the caller when the command is between two lines; returns at once."""
        self._answers.put(line)

    def prefix(self, line: bytes) -> None:
        """No line goes past the gate unseen."""

    def pass_on(self, lines: list[bytes], data: bytes) -> None:
        """Pass on the command's output."""
        for line in lines:
            self._gate.watch(line)
        with self._turn:
            self.write(data)
            self._within_line = not data.endswith(b"\n")
            self._turn.notify()

    def _finish(self) -> None:
        """The command's output has ended: what is left to say is said before the caller sees the end."""
        super()._finish()
        with self._turn:
            self._within_line = False
            self._turn.notify()
        self._answers.put(None)
        self._answerer.join()

    def threads(self) -> list[threading.Thread]:
        """Return the threads that may be writing."""
        return [*super().threads(), self._answerer]

    def close_ends(self) -> None:
        """Close both ends, with no answer under way."""
        with self._turn:
            self._over = True
            super().close_ends()

    def _write_answers(self) -> None:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {WAKE})
        with contextlib.suppress(ReaderGoneError):
            while (line := self._answers.get()) is not None:
                with self._turn:
                    self._turn.wait_for(lambda: not self._within_line)
                    if self._over:
                        return
                    self._answered["valid"] += 1
                    self.record([self.recorder.own_words(line)])
                    self.write(line + b"\n")
                    self.delivered -= len(line) + 1  # none of it was taken from the command


class GuardedPump(Pump):
    """Moves stdin, and holds back what is invalid."""

    recorder: StreamRecorder

    def guard(self, gate: Gate, answers: AnsweringPump | None) -> None:
        """Answer by ``gate``, through ``answers`` where the caller can hear. Call before `start`."""
        self._gate = gate
        self._unfinished = False  # in the last line, which has no newline
        self._answers = answers

    def hold(self) -> Hold:
        """Hold every unfinished line of a stream of messages: what has begun to pass can not be held back."""
        kinds: dict[str, Hold] = {"text": "nothing", "undecided": "messages", "messages": "everything"}
        return kinds[self.recorder.kind]

    def prefix(self, line: bytes) -> None:
        """No line goes past the gate unseen."""

    def take_lines(self, lines: list[bytes], data: bytes) -> tuple[Sequence[Body] | Alike, bytes]:
        """Return the records, and the lines to be passed on, with the gate's replacements in their places."""
        if lines[0][-1:] == b"\n":  # see `framing.Cut`
            lines = [data[:-1]]
        try:
            self.recorder.decide(lines)
            if self.recorder.kind != "messages":
                return super().take_lines(lines, data)
            judgements = self.recorder.judge(lines)
        except Exception as error:  # a fault of ours holds nothing back
            self._on_fault(self.name, error)
            return self.recorder.raw(lines), data
        if not any(judgement.verdict == "invalid" for judgement in judgements):
            return self.recorder.judged(lines, judgements, data), data
        bodies: list[Body] = []
        passing: list[bytes] = []
        answers: list[bytes] = []
        for line, judgement in zip(lines, judgements, strict=True):
            held_back = judgement.verdict == "invalid"
            body = self.recorder.body(line, judgement, held_back=held_back)
            bodies.append(truncated(body) if self._unfinished else body)
            if not held_back:
                passing.append(line)
                continue
            to_caller, to_command = self._gate.answer(line, judgement.errors)
            if to_caller is not None:
                answers.append(to_caller)
            if to_command is not None:
                bodies.append(self.recorder.own_words(to_command))
                passing.append(to_command)
        self.record(bodies)
        if self._answers is not None:
            for answer in answers:
                self._answers.answer(answer)
        return (), b"".join(line + b"\n" for line in passing)

    def deliver(self, bodies: Sequence[Body] | Alike, lines: list[bytes], data: bytes) -> None:
        """Deliver at once, always: `take_lines` records by itself, and the log keeps the order of the stream."""
        self.record(bodies)
        self.pass_on(lines, data)

    def _finish(self) -> None:
        """A last line without a newline is held back like any other."""
        line, rest = self._framer.finish()
        if not line:
            return
        if self._is_held_back(line):
            self._unfinished = True
            _, instead = self.take_lines([line], line)
            self.write(instead)
        else:
            self.record([self.unfinished(line)])
            self.pass_on([], rest)

    def _is_held_back(self, line: bytes) -> bool:
        try:
            self.recorder.decide([line])
            return self.recorder.kind == "messages" and self.recorder.judge([line])[0].verdict == "invalid"
        except Exception as error:  # as in `take_lines`
            self._on_fault(self.name, error)
            return False


def guard(pumps: Mapping[str, Pump]) -> None:
    """Join the pumps of one session by a gate, before they start."""
    stdin, stdout = pumps.get("stdin"), pumps.get("stdout")
    gate = Gate()
    answers = stdout if isinstance(stdout, AnsweringPump) else None
    if answers:
        answers.guard(gate)
    if isinstance(stdin, GuardedPump):
        stdin.guard(gate, answers)
