"""``--validation enforce``: invalid messages to the command are held back and answered (see ``gate``).

Two pumps that share one gate. What the gate says to the caller goes out between two lines of the command's own
output, and to the command in place of the line that was held back.
"""

from __future__ import annotations

import contextlib
import threading

from proxy.relay.gate import Gate
from proxy.relay.pump import Pump, ReaderGoneError

TYPE_CHECKING = False  # `typing` takes long to import, and a session waits for its streams
if TYPE_CHECKING:
    from collections.abc import Mapping

    from proxy.relay.framing import Hold
    from proxy.relay.recording import StreamRecorder
    from proxy.sessions.record import Body


class AnsweringPump(Pump):
    """Moves stdout, and puts the gate's answers between its lines."""

    recorder: StreamRecorder

    def guard(self, gate: Gate) -> None:
        """Let ``gate`` see what passes. Call before `start`."""
        self._gate = gate
        self._lock = threading.Lock()
        self._within_line = False  # where the bytes written so far end
        self._answers: list[bytes] = []

    def pass_on(self, lines: list[bytes], data: bytes) -> None:
        """Pass on the command's output; then, between two lines, the answers that wait."""
        for line in lines:
            self._gate.watch(line)
        with self._lock:
            self.write(data)
            self._within_line = self._framer.mid_line
            self._write_answers()

    def answer(self, line: bytes) -> None:
        """Write ``line`` to the caller, now or when the command has finished the line that it is in."""
        with self._lock:
            self._answers.append(line)
            self._write_answers()

    def _write_answers(self) -> None:
        while self._answers and not self._within_line and not self.ended:
            line = self._answers.pop(0)
            (judgement,) = self.recorder.judge([line])
            self.record([self.recorder.body(line, judgement, from_proxy=True)])
            self.write(line + b"\n")


class GuardedPump(Pump):
    """Moves stdin, and holds back what is invalid."""

    recorder: StreamRecorder

    def guard(self, gate: Gate, answers: AnsweringPump) -> None:
        """Answer by ``gate``, through ``answers``. Call before `start`."""
        self._gate = gate
        self._answers = answers

    def hold(self) -> Hold:
        """Hold every unfinished line of a stream of messages: what has begun to pass can not be held back."""
        kinds: dict[str, Hold] = {"text": "nothing", "undecided": "messages", "messages": "everything"}
        return kinds[self.recorder.kind]

    def take_lines(self, lines: list[bytes], data: bytes) -> bytes:
        """Record the lines and return those to be passed on, with the gate's replacements in their places."""
        self.recorder.decide(lines)
        if self.recorder.kind != "messages":
            return super().take_lines(lines, data)
        judgements = self.recorder.judge(lines)
        if not any(judgement.verdict == "invalid" for judgement in judgements):
            return super().take_lines(lines, data)
        bodies: list[Body] = []
        passing: list[bytes] = []
        to_caller: list[bytes] = []
        for line, judgement in zip(lines, judgements, strict=True):
            held_back = judgement.verdict == "invalid"
            bodies.append(self.recorder.body(line, judgement, held_back=held_back))
            if not held_back:
                passing.append(line)
                continue
            answer = self._gate.answer(line, judgement)
            if answer.to_caller is not None:
                to_caller.append(answer.to_caller)
            if answer.to_command is not None:
                (own,) = self.recorder.judge([answer.to_command])
                bodies.append(self.recorder.body(answer.to_command, own, from_proxy=True))
                passing.append(answer.to_command)
        self.record(bodies)
        for answer_line in to_caller:
            self._answer(answer_line)
        return b"".join(line + b"\n" for line in passing)

    def _answer(self, line: bytes) -> None:
        # A caller that no longer reads waits for no answer; its other messages go on.
        with contextlib.suppress(ReaderGoneError):
            self._answers.answer(line)

    def _finish(self) -> None:
        """A last line without a newline is held back like any other."""
        line, rest = self._framer.finish()
        if line and self.recorder.kind != "text":
            rest = self.take_lines([line], rest + b"\n")[:-1]
        elif line:
            self.record([self.recorder.unfinished(line)])
        if rest:
            self.pass_on([], rest)


def guard(pumps: Mapping[str, Pump]) -> None:
    """Join the pumps of one session by a gate, before they start."""
    stdin, stdout = pumps.get("stdin"), pumps.get("stdout")
    gate = Gate()
    if isinstance(stdout, AnsweringPump):
        stdout.guard(gate)
        if isinstance(stdin, GuardedPump):
            stdin.guard(gate, stdout)
