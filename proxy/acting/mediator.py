"""Stands between the caller and the command of one session: lets others act, and gives each question one answer.

Rules it lives by:

* Whoever answers a question first has answered it. What comes later is held back.
* Frames are built here; nobody outside writes one.
* What Claude Code answers to our requests is ours and held back from the caller.
* The caller is told what was answered in its place (``control_cancel_request``), so no dialog stays open.
* A policy and a pause are permission rules that Claude Code itself keeps (``apply_flag_settings``). It has one set of
  them, so each change, the caller's own too, is followed by all rules that are in force.

Pure, but for a lock: lines and actions in, decisions and frames out.
"""

import hashlib
import hmac
import json
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from proxy.acting.verbs import GRANTS, RESTRAIN, ActionError, checked_arguments

PREFIX = "claude-proxy-"
"""How the ids of our own requests begin."""
_MOST_ANSWERED = 1024
"""As many answered questions are remembered: the TypeScript SDK keeps as many answers that it cannot place."""
_HEAD_BYTES = 4096
"""A control message says so at its beginning."""
_LONGEST_INPUT = 1024 * 1024
"""Longer inputs are not kept for an answer: Claude Code runs an allowed tool with its own copy."""

Rules = dict[str, Any]


class _Inner(msgspec.Struct):
    subtype: str = ""
    request_id: str = ""
    tool_name: str = ""
    input: msgspec.Raw = msgspec.Raw(b"{}")
    permission_suggestions: list[Any] | None = None
    settings: msgspec.Raw = msgspec.Raw(b"{}")
    response: msgspec.Raw = msgspec.Raw(b"{}")
    error: Any = None


class _Control(msgspec.Struct):
    type: str = ""
    request_id: str = ""
    request: _Inner = msgspec.field(default_factory=_Inner)
    response: _Inner = msgspec.field(default_factory=_Inner)


_decode = msgspec.json.Decoder(_Control).decode
_OnAnswer = Callable[[_Inner], None]


class _Question(msgspec.Struct):
    tool: str
    input: bytes
    suggestions: list[Any]
    held: bytes | None = None
    """The line, while it is held back from the caller."""


_Make = Callable[[_Question, Mapping[str, Any]], dict[str, Any]]
"""Makes the answer to a question out of the arguments of an action."""


class Request(msgspec.Struct, frozen=True):
    """An action that somebody asks for. ``token``: as it was given, None where there was none."""

    action_id: str
    action: str
    arguments: Mapping[str, Any]
    token: str | None = None


class Frames(msgspec.Struct):
    """What an action sends, each a line without its newline."""

    to_command: bytes
    to_caller: bytes | None = None
    undo: Callable[[], None] = lambda: None
    """Takes back what was taken for done, where the frames could not be recorded."""


class Mediator:
    """The state of one session as far as acting on it goes. Safe to use from several threads."""

    def __init__(
        self, grant: str, tokens: frozenset[str], *, asks: bool, policy: Rules | None = None
    ) -> None:
        """``tokens``: SHA-256 of those that may act, as they were when the session began.

        ``asks``: whether Claude Code asks its caller for permissions (``--permission-prompt-tool stdio``).
        ``policy``: permission rules that are in force for the whole session.
        """
        self.grant = grant
        self.paused = False
        self.lock = threading.RLock()
        """To be held where what an action decides and its record are to be one step."""
        self.on_release: Callable[[str], None] = lambda request_id: None
        """Called with each question that the caller waits for no longer in vain: `released` has its line."""
        self._tokens = tokens
        self._asks = asks
        self.policy = policy
        self._callers_rules: Rules | None = None
        self._questions: dict[str, _Question] = {}
        self._answered: OrderedDict[str, str] = OrderedDict()
        self._ours: dict[str, _OnAnswer] = {}
        self._number = 0
        self._actions: Mapping[str, Callable[[Mapping[str, Any]], Frames]] = {
            "allow": lambda arguments: self._answer(arguments, _allowed),
            "deny": lambda arguments: self._answer(arguments, _denied),
            "interrupt": lambda _: Frames(self.request_frame("interrupt")),
            "mode": lambda given: Frames(self.request_frame("set_permission_mode", mode=given["value"])),
            "model": lambda given: Frames(self.request_frame("set_model", model=given["value"])),
            "pause": lambda _: self._pause(),
            "resume": lambda _: self._resume(),
        }

    # -- the wire --------------------------------------------------------------------------------------------

    def from_command(self, line: bytes) -> bool:
        """Take note of a line of the command; return whether it is held back from the caller."""
        message = _control(line)
        if message is None:
            return False
        with self.lock:
            match message.type:
                case "control_response":
                    on_answer = self._ours.pop(message.response.request_id, None)
                    if on_answer is not None:
                        on_answer(message.response)
                    return on_answer is not None
                case "control_request" if message.request.subtype == "can_use_tool":
                    return self._asked(message, line)
                case "control_cancel_request":
                    question = self._questions.pop(message.request_id, None)
                    return question is not None and question.held is not None  # the caller never saw it
        return False

    def from_caller(self, line: bytes) -> tuple[bool, Sequence[bytes]]:
        """Take note of a line of the caller; return whether it is held back, and the frames that are to follow it."""
        message = _control(line)
        if message is None:
            return False, ()
        with self.lock:
            if message.type == "control_response":
                request_id = message.response.request_id
                if self._answered.get(request_id, "caller") != "caller":
                    return True, ()
                if self._questions.pop(request_id, None) is not None:
                    self._settle(request_id, "caller")
            elif message.type == "control_request" and message.request.subtype == "apply_flag_settings":
                return False, self._after_callers_rules(message.request)
        return False, ()

    def _asked(self, message: _Control, line: bytes) -> bool:
        request = message.request
        input_ = bytes(request.input)
        self._questions[message.request_id] = _Question(
            request.tool_name,
            input_ if len(input_) <= _LONGEST_INPUT else b"",
            request.permission_suggestions or [],
            line.removesuffix(b"\n") if self.paused else None,
        )
        return self.paused

    def _after_callers_rules(self, request: _Inner) -> Sequence[bytes]:
        try:
            settings = msgspec.json.decode(request.settings)
        except msgspec.DecodeError:
            return ()
        if not isinstance(settings, dict) or "permissions" not in settings:
            return ()
        rules = settings["permissions"]
        self._callers_rules = rules if isinstance(rules, dict) else None
        return [self.rules_frame()] if self.policy or self.paused else ()

    # -- acting ----------------------------------------------------------------------------------------------

    def check(self, request: Request) -> dict[str, Any]:
        """Return the arguments of an action that may be done. ActionError: it may not."""
        if self.grant == "off":
            raise ActionError("acting_off", "start the session with --act")
        arguments = checked_arguments(request.action, request.arguments)
        if request.action not in GRANTS[self.grant]:
            raise ActionError("not_granted", f"the session was started with --act {self.grant}")
        if request.action not in RESTRAIN:
            if request.token is None:
                raise ActionError("token_needed", f"{request.action} needs a token with the scope `act`")
            digest = hashlib.sha256(request.token.encode()).hexdigest()
            if not any(hmac.compare_digest(digest, one) for one in self._tokens):
                why = "the token is none of those with the scope `act` when the session began"
                raise ActionError("token_too_new", why)
        return arguments

    def frames(self, request: Request, arguments: Mapping[str, Any]) -> Frames:
        """Return what an action other than `stop` sends, and take it for done.

        ActionError: it cannot be, as things stand.
        """
        with self.lock:
            return self._actions[request.action](arguments)

    def request_frame(self, subtype: str, on_answer: _OnAnswer = lambda _: None, **fields: Any) -> bytes:
        """Return a control request of ours; its response is held back, and given to ``on_answer``."""
        with self.lock:
            self._number += 1
            request_id = f"{PREFIX}{self._number}"
            self._ours[request_id] = on_answer
        request = {"subtype": subtype, **fields}
        return _encode({"type": "control_request", "request_id": request_id, "request": request})

    def rules_frame(self, on_answer: _OnAnswer = lambda _: None) -> bytes:
        """Return the request that puts all rules in force: the policy's, the caller's own, and those of a pause."""
        with self.lock:
            blocks = [block for block in (self.policy, self._callers_rules) if block]
            if self.paused:
                blocks.append({"ask": ["*"]})
        return self.request_frame("apply_flag_settings", on_answer, settings={"permissions": _merged(blocks)})

    def _answer(self, arguments: Mapping[str, Any], make: _Make) -> Frames:
        request_id = arguments["request_id"]
        question = self._questions.pop(request_id, None)
        if question is None:
            if (by := self._answered.get(request_id)) is None:
                raise ActionError("unknown_question", f"Claude Code asks nothing under {request_id!r}")
            raise ActionError("already_answered", f"the question was answered by the {by}", by=by)
        self._settle(request_id, "api")
        response = {"subtype": "success", "request_id": request_id, "response": make(question, arguments)}

        def undo() -> None:
            with self.lock:
                self._answered.pop(request_id, None)
                self._questions[request_id] = question

        told = _encode({"type": "control_cancel_request", "request_id": request_id})
        answer = _encode({"type": "control_response", "response": response})
        return Frames(answer, None if question.held else told, undo)  # the caller never saw what is held

    def _settle(self, request_id: str, by: str) -> None:
        self._answered[request_id] = by
        while len(self._answered) > _MOST_ANSWERED:
            self._answered.popitem(last=False)

    def _pause(self) -> Frames:
        if not self._asks:
            why = "the session was started without --permission-prompt-tool stdio, so it asks nobody"
            raise ActionError("cannot_pause", why)
        was_paused, self.paused = self.paused, True

        def on_answer(response: _Inner) -> None:
            if response.subtype != "success":  # as of releases that do not know the request
                self._unpause()

        return Frames(self.rules_frame(on_answer), undo=lambda: None if was_paused else self._unpause())

    def _resume(self) -> Frames:
        if not self.paused:
            raise ActionError("not_paused", "the session is not paused")
        self._unpause()
        return Frames(self.rules_frame(), undo=lambda: setattr(self, "paused", True))

    def _unpause(self) -> None:
        with self.lock:
            self.paused = False
            for request_id, question in self._questions.items():
                if question.held is not None:
                    self.on_release(request_id)

    def released(self, request_id: str) -> bytes | None:
        """Return the line of a question that was held back and is passed on now; None: it is not to be any more."""
        with self.lock:
            question = self._questions.get(request_id)
            if question is None or self.paused:  # withdrawn, answered, or held back again
                return None
            line, question.held = question.held, None
            return line


class Answer:
    """Waits for Claude Code's answer to a request of ours, which `take` is given."""

    def __init__(self) -> None:
        self._came = threading.Event()
        self.error: str | None = None
        self.content: Any = None

    def take(self, response: _Inner) -> None:
        """Take the answer."""
        if response.subtype == "success":
            self.content = msgspec.json.decode(response.response)
        else:
            self.error = str(response.error or "refused")
        self._came.set()

    def wait(self, seconds: float) -> bool:
        """Return whether it came in time."""
        return self._came.wait(seconds)


def _control(line: bytes) -> _Control | None:
    """Return a control message, None for any other line."""
    if line.find(b'"control_', 0, _HEAD_BYTES) < 0:
        return None
    try:
        return _decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def _allowed(question: _Question, arguments: Mapping[str, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = {"behavior": "allow"}
    if (updated := arguments.get("updated_input")) is not None:
        answer["updatedInput"] = updated
    elif question.input:
        answer["updatedInput"] = json.loads(question.input)  # as older releases want it
    if arguments.get("remember"):
        suggested = [one for one in question.suggestions if isinstance(one, dict)]
        rule = {"type": "addRules", "rules": [{"toolName": question.tool}], "behavior": "allow"}
        # For this session alone: what is to last is for a person at the keyboard to say.
        answer["updatedPermissions"] = [{**one, "destination": "session"} for one in suggested or [rule]]
    return answer


def _denied(_: _Question, arguments: Mapping[str, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = {"behavior": "deny", "message": arguments.get("message", "Denied.")}
    if arguments.get("stop_turn"):
        answer["interrupt"] = True
    return answer


def _merged(blocks: Sequence[Rules]) -> Rules | None:
    """Return all rules of several blocks as one; None for none, which takes away what was set before."""
    merged: Rules = {}
    for block in blocks:
        for name, value in block.items():
            if isinstance(value, list):
                merged[name] = list(dict.fromkeys([*merged.get(name, []), *value]))
            else:
                merged.setdefault(name, value)
    return merged or None


def _encode(message: Mapping[str, Any]) -> bytes:
    return json.dumps(message, separators=(",", ":")).encode()
