"""The relay's side of acting on a live session: the socket, and what is put into the streams.

Rules it lives by:

* A session without a grant and without a policy has none of this: no socket, no thread, no filter.
* An action is on record with its author before its frame is sent. What cannot be recorded is not done.
* Whoever uses the socket holds up nobody: it has a thread of its own, a size and a time for each request.
* A stop goes on until the command is gone, and leaves no tool process behind.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

import msgspec

from proxy.acting import address
from proxy.acting.mediator import Answer, Mediator, Request
from proxy.acting.verbs import USAGE, ActionError, asks_caller
from proxy.relay.injection import InjectingPump, Injection
from proxy.sessions.private import open_private
from proxy.sessions.record import lifecycle

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Mapping, Sequence

    from proxy.relay.pump import Pump
    from proxy.relay.supervisor import Session
    from proxy.sessions.record import Body
    from proxy.sessions.writer import SessionLog

_MOST_BYTES = 256 * 1024
"""Of a request: four times the longest argument, for JSON may escape each character."""
_SOCKET_S = 2.0
"""For a request to come and its answer to be taken: the other end is a program on this machine, which has it ready."""
_CONNECTIONS = 8
"""At once, and threads for them: more than a page, a rule and a terminal make; a silent one holds up no other."""
_PACE_S = 0.1
"""For which a request takes the place of another: 80 a second are plenty, and more would take the session's time.

What is no request takes it for `_SOCKET_S`, whether it says nothing or too much.
"""
_WRITE_S = 5.0
"""For a frame to be written, half of what who asks waits: a command that takes longer does not read."""
_POLICY_S = 120.0
"""For Claude Code to answer at its start, which took 20 s on a machine with five times as much to do as it could."""
_USAGE_S = 1.0
"""Between two questions for the running cost: whoever asks more often makes no more of them."""
_REFUSALS_S = 1.0
"""Between two records of refusals: whoever tries much fills no disk."""


class _Asked(msgspec.Struct):
    """A request as it comes through the socket."""

    action_id: str = ""
    action: str = ""
    args: dict[str, Any] = {}
    token: str | None = None
    by: dict[str, Any] = {}


_decode = msgspec.json.Decoder(_Asked).decode


class Acting:
    """Lets others act on a session, or puts a policy in force in it."""

    def __init__(
        self,
        mediator: Mediator,
        log: SessionLog,
        data_dir: str,
        pid: int,
        *,
        signal_command: Callable[[int], None],
    ) -> None:
        """``pid``: of the command; ``signal_command`` sends it a signal, and no other process."""
        self._mediator = mediator
        self._data_dir = data_dir
        self._session_id = log.session_id
        self._log = log
        self._pid = pid
        self._signal_command = signal_command
        self._exited = threading.Event()
        self._listening: socket.socket | None = None
        self._stopping = threading.Lock()
        self._escalation: threading.Thread | None = None
        self._is_draining = False
        self._hurried = threading.Event()
        self._usage_at = -_USAGE_S
        self._refused_at = 0.0
        self._refused = 0
        self._stdin: InjectingPump | None = None
        self._stdout: InjectingPump | None = None
        mediator.on_release = self._release

    def filters(self) -> dict[str, Callable[[bytes], tuple[bool, Sequence[bytes]]]]:
        """Return what sees the lines of each stream."""
        return {
            "stdin": self._mediator.from_caller,
            "stdout": lambda line: (self._mediator.from_command(line), ()),
        }

    def start(self, pumps: Mapping[str, Pump], policy: Mapping[str, Any] | None) -> None:
        """Start the pumps of the session, and take actions from now on.

        With a policy, no line of the caller is read before Claude Code has confirmed it.
        """
        stdin, stdout = pumps["stdin"], pumps["stdout"]
        assert isinstance(stdin, InjectingPump)
        assert isinstance(stdout, InjectingPump)
        self._stdin, self._stdout = stdin, stdout
        if self._mediator.grant != "off":
            self._take_actions()
        for pump in pumps.values():
            if pump is not stdin or policy is None or policy["shadow"]:
                pump.start()
        if policy is not None and not policy["shadow"]:
            stdin.start_injecting()
            threading.Thread(target=self._begin_with, args=(policy,), name="policy", daemon=True).start()

    def _take_actions(self) -> None:
        try:
            self._listening = address.listen(self._data_dir, self._session_id)
        except OSError:  # a data directory that cannot be used: nobody can act, and all else goes on
            return
        threading.Thread(target=self._listen, args=(self._listening,), name="acting", daemon=True).start()

    def command_exited(self) -> None:
        """The command is gone: nothing is left to act on."""
        self._exited.set()

    def end(self) -> None:
        """Take no more actions, and leave nothing of a stop undone."""
        self._exited.set()
        if self._escalation is not None:
            self._escalation.join()
        if self._listening is not None:
            address.remove(self._data_dir, self._session_id)

    # -- a policy --------------------------------------------------------------------------------------------

    def _begin_with(self, policy: Mapping[str, Any]) -> None:
        """Put a policy in force, and let the caller's lines pass; or stop the session before its first prompt."""
        assert self._stdin is not None
        if not self._put_in_force(policy["permissions"], policy["sha256"]) and policy["on_failure"] == "stop":
            self._escalate("end", None, "the policy could not be put in force")
            self._stdin.give_up()
        self._stdin.start()

    def _put_in_force(self, rules: Mapping[str, Any], sha256: str) -> bool:
        """Put rules in force; return whether Claude Code confirms each of them."""
        assert self._stdin is not None
        in_force = self._mediator.policy or {}
        wanted = {
            (behavior, rule) for behavior in ("deny", "ask", "allow") for rule in in_force.get(behavior, ())
        }
        set_, listed = Answer(), Answer()
        about: dict[str, Any] = {"sha256": sha256, "rules": len(wanted)}
        if dropped := len(rules.get("ask", ())) - len(in_force.get("ask", ())):
            about["dropped_ask_rules"] = dropped  # nobody would be asked, so Claude Code would deny
        self._stdin.inject(
            Injection(self._mediator.rules_frame(set_.take), before=[self._record("policy_sent", about)])
        )
        self._stdin.inject(self._mediator.request_frame("list_permission_rules", listed.take))
        why = self._unconfirmed(wanted, set_, listed, about)
        about |= {"why": why} if why else {}
        self._log.append([self._record("policy_failed" if why else "policy_applied", about)])
        return not why

    def _unconfirmed(
        self, wanted: set[tuple[str, str]], set_: Answer, listed: Answer, about: dict[str, Any]
    ) -> str | None:
        """Return why it is not certain that all rules are in force, None if it is; add to ``about`` what else is."""
        until = time.monotonic() + _POLICY_S
        for answer in (set_, listed):
            while not answer.wait(0.5):
                if self._exited.is_set() or time.monotonic() > until:
                    return "Claude Code did not answer"
            if answer.error is not None:
                return f"Claude Code refused: {answer.error}"
        try:
            in_force = {(one["behavior"], one["rule"]) for one in listed.content["state"]["rules"]}
        except (LookupError, TypeError):
            return "Claude Code's list of rules has a format that is not known"
        about["other_deny_rules"] = sum(behavior == "deny" for behavior, _ in in_force - wanted)
        missing = [f"{behavior} {rule}" for behavior, rule in sorted(wanted - in_force)]
        return f"not in force: {', '.join(missing)}" if missing else None

    # -- the socket ------------------------------------------------------------------------------------------

    def _listen(self, listening: socket.socket) -> None:
        free = threading.Semaphore(_CONNECTIONS)

        def serve(connection: socket.socket) -> None:
            asked = b""
            try:
                with connection, contextlib.suppress(OSError):
                    connection.settimeout(_SOCKET_S)
                    if asked := _received(connection):
                        connection.sendall(self._answer(asked) + b"\n")
                time.sleep(_PACE_S if asked else _SOCKET_S)
            finally:
                free.release()

        # Also while descendants of a command that has exited hold its streams: whoever asks is told so.
        while True:
            free.acquire()
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(connection,), name="action", daemon=True).start()

    def _answer(self, data: bytes) -> bytes:
        asked = _Asked()
        try:
            try:
                asked = _decode(data)
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
                raise ActionError("bad_arguments", f"the request cannot be read: {error}") from error
            if asked.action == USAGE:
                self._ask_for_usage()
                return msgspec.json.encode({"ok": True})
            return msgspec.json.encode({"ok": True, "seq": self._act(asked)})
        except ActionError as error:
            self._note_refusal(asked, error)
            about = {"error": error.code, "message": error.sentence, **error.facts}
            return msgspec.json.encode({"ok": False, **about})

    def _ask_for_usage(self) -> None:
        """Ask Claude Code what the session has cost so far; its answer is on record, and kept from the caller."""
        assert self._stdin is not None
        if self._exited.is_set() or self._stdin.ended:
            raise ActionError("ended", "nobody is there to be asked")
        now = time.monotonic()
        if now - self._usage_at >= _USAGE_S:
            self._usage_at = now
            self._stdin.inject(self._mediator.request_frame("get_usage", skip_behaviors=True))

    def _act(self, asked: _Asked) -> int:
        """Do an action; return the number of its record."""
        request = Request(asked.action_id, asked.action, asked.args, asked.token)
        arguments = self._mediator.check(request)
        if self._exited.is_set():
            raise ActionError("ended", "the command has exited")
        assert self._stdin is not None
        if asked.action == "stop":
            return self._stop(asked, arguments)
        if self._stdin.ended:
            raise ActionError("stdin_closed", "the caller has closed the command's input")
        action = _Action(self._mediator, request, arguments, self._record("action", _about(asked, arguments)))
        self._stdin.inject(action)
        seq, to_caller = action.outcome(_WRITE_S)
        if to_caller is not None:
            assert self._stdout is not None
            self._stdout.inject(Injection(to_caller, tag=asked.action_id))
        return seq

    def _release(self, request_id: str) -> None:
        """Pass on a question that was held back, in its turn."""
        assert self._stdout is not None
        record = self._record("delivered", {"request_id": request_id})
        self._stdout.inject(_Released(self._mediator, request_id, record))

    def _note_refusal(self, asked: _Asked, error: ActionError) -> None:
        """Put a refusal on record: one a second, with a count of those that were not."""
        now = time.monotonic()
        self._refused += 1
        if now - self._refused_at >= _REFUSALS_S:
            about = {**_about(asked, {}), "error": error.code, **error.facts, "refusals": self._refused}
            self._log.append([self._record("action_refused", about)])
            self._refused_at, self._refused = now, 0

    # -- a stop ----------------------------------------------------------------------------------------------

    def _stop(self, asked: _Asked, arguments: Mapping[str, Any]) -> int:
        how = arguments.get("how", "end")
        with self._stopping:
            if self._escalation is not None and (how == "drain" or not self._is_draining):
                raise ActionError("already_answered", "the session is being stopped", by="api")
            seq = self._log.append_numbered([self._record("action", _about(asked, arguments))])
            if seq is None:
                raise ActionError("not_recorded", "the action could not be recorded, so it was not done")
            self._is_draining = self._escalation is None and how == "drain"
            if self._escalation is not None:
                self._hurried.set()
                return seq
            self._escalation = threading.Thread(
                target=self._escalate, args=(how, asked.action_id), name="stop", daemon=True
            )
            self._escalation.start()
            return seq

    def _escalate(self, how: str, action_id: str | None, reason: str = "stopped") -> None:
        """Take one step after the other until the command is gone, and none of its tools is left."""
        from proxy.relay.stopping import Escalation  # noqa: PLC0415 - few sessions come to this

        def note(step: str) -> None:
            self._log.append([self._record("action_step", {"action_id": action_id, "step": step})])

        def end_session() -> None:
            if self._stdin is not None and not self._stdin.ended:
                frame = self._mediator.request_frame("end_session", reason=reason)
                self._stdin.inject(Injection(frame, tag=action_id))

        def close_stdin() -> None:
            if self._stdin is not None:
                self._stdin.give_up()

        firsts: dict[str, tuple[str | None, Callable[[], None]]] = {
            "end": ("end_session", end_session),
            "drain": ("close_stdin", close_stdin),
            "term": (None, end_session),
        }
        Escalation(
            self._session_id,
            self._pid,
            exited=self._exited,
            hurried=self._hurried,
            signal_command=self._signal_command,
            note=note,
        ).run(*firsts[how])

    def _record(self, event_type: str, data: Mapping[str, Any]) -> Any:
        return lifecycle(self._session_id, event_type, dict(data))


class _Action(Injection):
    """What an action sends to the command. It is decided when it is its turn, so that the first answer is the one."""

    def __init__(
        self, mediator: Mediator, request: Request, arguments: Mapping[str, Any], record: Body
    ) -> None:
        super().__init__(b"", before=[record], tag=request.action_id)
        self._mediator = mediator
        self._request = request
        self._arguments = arguments
        self._outcome: SimpleQueue[tuple[int, bytes | None] | ActionError] = SimpleQueue()

    def settle(self, pump: InjectingPump) -> bytes | None:
        """Decide and record in one step: whoever else answers comes before it, or after it."""
        with self._mediator.lock:
            try:
                frames = self._mediator.frames(self._request, self._arguments)
            except ActionError as error:
                self._outcome.put(error)
                return None
            seq = pump.record([*self.before, pump.own_record(frames.to_command, self.tag)])
            if seq is None:
                frames.undo()
                sentence = "the action could not be recorded, so it was not done"
                self._outcome.put(ActionError("not_recorded", sentence))
                return None
        self._outcome.put((seq, frames.to_caller))
        return frames.to_command

    def drop(self) -> None:
        """Say that it was not done."""
        self._outcome.put(ActionError("stdin_closed", "the command's input is closed"))

    def outcome(self, patience_s: float) -> tuple[int, bytes | None]:
        """Return the number of its record and what is said to the caller. ActionError: it was not done, nor will be."""
        try:
            outcome = self._outcome.get(timeout=patience_s)
        except Empty:
            if self.claim():
                raise ActionError(
                    "busy", "the command does not read, or a line to it is half written"
                ) from None
            outcome = self._outcome.get()  # it is being recorded
        if isinstance(outcome, ActionError):
            raise outcome
        return outcome


class _Released(Injection):
    """A question that was held back from the caller: it is on record already."""

    def __init__(self, mediator: Mediator, request_id: str, record: Body) -> None:
        super().__init__(b"", before=[record])
        self._mediator = mediator
        self._request_id = request_id

    def settle(self, pump: InjectingPump) -> bytes | None:
        """Leave it out if it was withdrawn or answered meanwhile."""
        line = self._mediator.released(self._request_id)
        if line is not None:
            pump.record(self.before)
        return line


def make(
    grant: str,
    rules: Mapping[str, Any] | None,
    data_dir: str,
    log: SessionLog,
    session: Session,
    *,
    signal_command: Callable[[int], None],
) -> Acting:
    """Return what lets others act on a session with a grant, or puts rules in force in it."""
    asks = asks_caller(session.command)
    if rules is not None and not asks:  # nobody would be asked, and Claude Code denies then
        rules = {name: value for name, value in rules.items() if name != "ask"}
    tokens = may_act(data_dir) if grant == "full" else frozenset()
    mediator = Mediator(grant, tokens, asks=asks, policy=None if rules is None else dict(rules))
    return Acting(mediator, log, data_dir, session.pid, signal_command=signal_command)


def _about(asked: _Asked, arguments: Mapping[str, Any]) -> dict[str, Any]:
    return {"action_id": asked.action_id, "action": asked.action, "args": dict(arguments), "by": asked.by}


def may_act(data_dir: str) -> frozenset[str]:
    """Return the SHA-256 of each token with the scope `act`, as they are now: none that is made later counts."""
    try:
        with open(open_private(os.path.join(data_dir, "tokens.json"), os.O_RDONLY), "rb") as file:
            tokens = msgspec.json.decode(file.read(), type=_Tokens).tokens
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return frozenset()
    return frozenset(token.sha256 for token in tokens if "act" in token.scopes)


class _Token(msgspec.Struct):
    sha256: str
    scopes: list[str]


class _Tokens(msgspec.Struct):
    tokens: list[_Token]


def _received(connection: socket.socket) -> bytes:
    """Return one line, nothing where there is none within the limits."""
    data = bytearray()
    until = time.monotonic() + _SOCKET_S
    while b"\n" not in data:
        chunk = connection.recv(65536)
        if not chunk or len(data) > _MOST_BYTES or time.monotonic() > until:
            return b""
        data += chunk
    return bytes(data.partition(b"\n")[0])
