"""``--validation enforce``: invalid messages to the command are held back and answered by a gate (does no I/O).

The gate's answers go to the caller between two lines of the command's own output, and to the command in place of the
line that was held back (see ``injection``).
"""

from __future__ import annotations

from functools import partial

import proxy.protocol  # noqa: F401 - it imports msgspec in the way that costs least
from proxy.relay.framing import with_newline
from proxy.relay.gate import Gate
from proxy.relay.recording import StreamRecorder

TYPE_CHECKING = False  # `typing` takes long to import, and a session waits for its streams
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from proxy.protocol import Judgement
    from proxy.relay.framing import Batch, Hold
    from proxy.sessions.record import Body


def recorders() -> dict[str, Callable[..., StreamRecorder]]:
    """Return what makes the recorders of one session, by stream: they share a gate."""
    gate = Gate()
    return {"stdin": partial(GuardedRecorder, gate), "stdout": partial(WatchedRecorder, gate)}


class WatchedRecorder(StreamRecorder):
    """Records stdout, and shows it to the gate."""

    def __init__(self, gate: Gate, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._gate = gate

    def record(self, batch: Batch) -> None:
        """Make the records of the batch's complete lines, in order."""
        for line in batch.lines:
            self._gate.watch(with_newline(line))
        super().record(batch)


class GuardedRecorder(StreamRecorder):
    """Records stdin, and takes what is invalid out of what is to be passed on."""

    def __init__(self, gate: Gate, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._gate = gate

    @property
    def hold(self) -> Hold:
        """Every unfinished line of a stream of messages is held: what has begun to pass can not be held back."""
        kinds: dict[str, Hold] = {"text": "nothing", "undecided": "messages", "messages": "everything"}
        return kinds[self.kind]

    def _record_judged(self, batch: Batch, judgements: Sequence[Judgement]) -> None:
        if any(judgement.verdict == "invalid" for judgement in judgements):
            self._hold_back(batch, judgements)
        else:
            super()._record_judged(batch, judgements)

    def _hold_back(self, batch: Batch, judgements: Sequence[Judgement]) -> None:
        """Leave in the batch what is to be passed on, with the gate's answers in their places."""
        records: list[Body] = []
        passing: list[bytes] = []
        replies: list[bytes] = []
        for line, judgement in zip(batch.lines, judgements, strict=True):
            whole = with_newline(line)
            if judgement.verdict != "invalid":
                records.append(self._body(line, judgement))
                passing.append(whole.removesuffix(b"\n"))
                continue
            records.append(self._body(line, judgement, held_back=True))
            to_caller, to_command = self._gate.answer(whole, judgement.errors)
            if to_caller is not None:
                replies.append(to_caller)
            if to_command is not None:
                records.append(self.own_words(to_command))
                passing.append(to_command)
        batch.records, batch.replies = records, replies
        batch.data = b"".join(line + b"\n" for line in passing)
