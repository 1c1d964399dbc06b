"""Which line of the record does a line of this client's stand for? Lines in, decisions out; no I/O.

Rules it lives by:

* A control request stands for a recorded one of its subtype, an answer for the recorded answer to the same request,
  whatever the mode. Any other line stands for one of its type, or, in the mode ``any``, for the one that is due.
* Among several that fit, the one of equal content is taken, else the first.
* The order of the record is kept as long as the client keeps to it. A control request that comes earlier or later is
  answered when it comes. Only a prompt or an answer is worth waiting for while the client has gone on: what follows
  it in the record follows from it.
* What stands for nothing in the record is unexpected. A control request gets an answer even so.
"""

from typing import Any

from proxy.replay import messages
from proxy.replay.differences import (
    Divergences,
    canonical,
    contrasted,
    first_difference,
    kind,
    named,
    request_id,
    request_key,
    shown,
)
from proxy.replay.recording import Cue, Recording
from proxy.replay.renaming import Renaming

MODES = ("exact", "type", "any")
_WAITED_FOR = ("user", "control_response", "text")


class Matching:
    """The client's lines beside those of the record."""

    def __init__(self, recording: Recording, mode: str, renaming: Renaming, divergences: Divergences) -> None:
        self.received = 0
        """How many lines have come that count."""
        self.beyond = False
        """Whether a prompt came that the record does not have: nothing recorded can follow it."""
        self._mode = mode
        self._renaming = renaming
        self._divergences = divergences
        self._forgiving = recording.lost > 0  # what is missing there may be what comes unexpected here
        self._here: list[Cue] = []
        self._of_text = not recording.speaks_messages
        self._due = [c for c in recording.cues if c.stream == "stdin" and not is_nothing(c.line)]
        self._answers = {request_key(cue.message): cue for cue in recording.cues if _is_answer(cue)}
        self._given: set[str] = set()  # recorded ids of requests that were answered
        self._examples: dict[str, Cue] = {}  # by kind: the request that was matched last
        self._without_hook: list[object] = []

    def receive(self, line: bytes) -> None:
        """Take a line of the client's, without its newline."""
        if not is_nothing(line):
            self.received += 1
            self._here.append(Cue(0, 0, "stdin", line))

    def is_due(self, cue: Cue) -> bool:
        """Tell whether a line of the record still waits for the client's."""
        return cue in self._due

    def take(self, cue: Cue) -> bool:
        """Match the line of the record that is due, if the client's is there."""
        fitting = [line for line in self._here if self._fits(cue, line)]
        if not fitting:
            return False
        equal = [line for line in fitting if len(fitting) > 1 and self._difference(cue, line) is None]
        self._match(cue, (equal or fitting)[0])
        return True

    def settle(self, due: Cue | None, *, waiting: bool = True) -> tuple[list[bytes], bool]:
        """Deal with the lines that do not stand for the one that is due (None: the record is at its end).

        Returns the lines to write at once, and whether the client has gone on without the one that is due.
        ``waiting``: whether nothing else is to be played meanwhile.
        """
        replies: list[bytes] = []
        gone_on = False
        for line in list(self._here):
            later = next((cue for cue in self._due if self._fits(cue, line)), None)
            if later is None:
                self._here.remove(line)
                replies += self._unexpected(line)
            elif waiting and later is not due:
                if line.kind.startswith("control_request/"):
                    self._match(later, line)
                    replies += self._recorded_answer(later)
                else:
                    gone_on = True
        return replies, gone_on and due is not None and due.kind not in _WAITED_FOR

    def miss(self, cue: Cue) -> bool:
        """Note that a line of the record will not come; return whether the record can go on without it."""
        if cue in self._due:
            self._due.remove(cue)
            what = cue.kind
            if self._of_text and what == "text" and self._mode != "exact":
                return True  # a prompt of other words may have fewer lines
            sentence = f"{named(what)} did not come (record {cue.seq}: {_text(cue.line)})"
            self._divergences.add("missing", sentence, seq=cue.seq, expected=_text(cue.line))
            return what not in _WAITED_FOR
        return True

    def miss_the_rest(self) -> None:
        """Note what has not come until the end."""
        for cue in list(self._due):
            self.miss(cue)

    def is_an_answer(self, cue: Cue) -> bool:
        """Tell whether a line of Claude Code's answers a control request that the client has sent."""
        if not _is_answer(cue):  # by its bytes: others are not decoded
            return False
        asked = request_key(cue.message)
        return all(request_key(due.message) != asked for due in self._due if due.kind != "control_response")

    def is_to_be_said(self, cue: Cue) -> bool:
        """Tell whether a line of Claude Code's is for this client now: no answer that it has, or did not ask for."""
        if _is_answer(cue):
            asked = request_key(cue.message)
            if asked in self._given or not self.is_an_answer(cue):
                return False
            self._given.add(asked)
            return True
        if self._without_hook and b'"hook_callback"' in cue.line and cue.message:
            request = cue.message.get("request")
            if isinstance(request, dict) and request.get("callback_id") in self._without_hook:
                asked = request_key(cue.message)
                self._due = [due for due in self._due if request_key(due.message) != asked]
                return False
        return True

    # -- one line ----------------------------------------------------------------------------------------------

    def _fits(self, cue: Cue, line: Cue) -> bool:
        what = cue.kind
        if what == "control_response" or line.kind == "control_response":
            return what == line.kind and request_key(cue.message) == request_key(line.message)
        control = "control_request/" in (what[:16], line.kind[:16])
        return what == line.kind or (self._mode == "any" and not control)

    def _match(self, cue: Cue, line: Cue) -> None:
        self._due.remove(cue)
        self._here.remove(line)
        self._learn(cue, line)
        if self._mode == "exact" and (found := self._difference(cue, line)):
            path, expected, received = found
            where = f" at {path}" if path else ""
            what = f"{named(line.kind)} is not the recorded one{where}"
            sentence = f"{what}: {contrasted(received, expected)} (record {cue.seq})"
            data = {"path": path, "expected": expected, "received": received}
            self._divergences.add("different", sentence, seq=cue.seq, **data)

    def _learn(self, cue: Cue, line: Cue) -> None:
        if cue.message is None or line.message is None:
            return
        if line.kind.startswith("control_request/"):
            self._renaming.call_request(request_id(cue.message), request_id(line.message))
            self._examples[line.kind] = cue
        if line.kind == "control_request/initialize":
            mine = line.message.get("request")
            recorded = cue.message.get("request") or {}
            hooks = recorded.get("hooks"), dict(mine or {}).get("hooks")
            self._without_hook = self._renaming.call_hooks(*hooks)
            for id_ in self._without_hook:
                sentence = f"the client has no hook where the record has {id_!r} (record {cue.seq})"
                self._divergences.add("missing", sentence, seq=cue.seq, expected=id_)
        if line.kind == "user":
            self._renaming.call(cue.message.get("uuid"), line.message.get("uuid"))

    def _difference(self, cue: Cue, line: Cue) -> tuple[str, Any, Any] | None:
        if cue.message is None or line.message is None:
            recorded, here = _text(cue.line), _text(line.line)
            return None if recorded == here else ("", recorded, here)
        one = canonical(cue.message, cue.redacted, lambda text: text)
        other = canonical(line.message, cue.redacted, self._renaming.recorded)
        return first_difference(one, other)

    # -- answers -----------------------------------------------------------------------------------------------

    def _recorded_answer(self, cue: Cue) -> list[bytes]:
        asked = request_key(cue.message)
        answer = self._answers.get(asked)
        if answer is None:
            return []
        self._given.add(asked)
        return [self._renaming.outgoing(answer.line).removesuffix(b"\n")]

    def _unexpected(self, line: Cue) -> list[bytes]:
        if self._of_text and line.kind == "text" and self._mode != "exact":
            return []
        if not self._forgiving:
            sentence = f"{named(line.kind)} is not in the record: {_text(line.line)}"
            self._divergences.add("unexpected", sentence, received=_text(line.line))
        if line.kind == "user":
            self.beyond = True
        if not line.kind.startswith("control_request/") or line.message is None:
            return []
        example = self._examples.get(line.kind)
        if example is not None and request_key(example.message) in self._answers:
            self._renaming.call_request(request_id(example.message), request_id(line.message))
            return self._recorded_answer(example)
        subtype = line.kind.partition("/")[2]
        refusal = {"error": f"claude-proxy replay: the record has no {subtype} request"}
        answers = {} if subtype == "initialize" else {subtype: refusal}  # without it no client would begin
        return [messages.answer(line.message, answers)]


def is_nothing(line: bytes) -> bool:
    """Tell whether a client's line has no effect on Claude Code: blank, or a ``keep_alive``."""
    if not line.strip():
        return True
    return len(line) < 1000 and b'"keep_alive"' in line and kind(messages.decoded(line)) == "keep_alive"


def _is_answer(cue: Cue) -> bool:
    is_likely = cue.stream == "stdout" and b'"control_response"' in cue.line
    return is_likely and cue.kind == "control_response"


def _text(line: bytes) -> str:
    return shown(line.strip(b"\n").decode(errors="replace"))
