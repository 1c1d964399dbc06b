"""The actions: what they take, who may do them, and why one is refused.

A grant is given at the start of a session and never raised. ``restrain`` has the actions that can only make the agent
do less; ``full`` has all, and those that ``restrain`` has not need a token that existed when the session began: a
wrapped agent runs as the same user as its wrapper, so that user alone is nobody to be asked.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from proxy.claude_command import guess

RESTRAIN: Final = ("interrupt", "deny", "pause", "stop")
FULL: Final = (*RESTRAIN, "allow", "resume", "mode", "model")
GRANTS: Final[Mapping[str, tuple[str, ...]]] = {"off": (), "restrain": RESTRAIN, "full": FULL}
"""What a session with a grant takes."""

USAGE: Final = "usage"
"""No action: the relay is asked to have Claude Code state the running cost. It takes any grant."""

STATUS: Final[Mapping[str, int]] = {
    "token_needed": 401,
    "acting_off": 403,
    "not_granted": 403,
    "token_too_new": 403,
    "unknown_session": 404,
    "unknown_question": 404,
    "already_answered": 409,
    "cannot_pause": 409,
    "not_paused": 409,
    "stdin_closed": 409,
    "ended": 409,
    "too_large": 413,
    "bad_arguments": 422,
    "too_many": 429,
    "not_recorded": 503,
    "busy": 503,
    "relay_unreachable": 503,
    "unconfirmed": 504,
}
"""The HTTP status of each reason for a refusal."""

LONGEST_TEXT: Final = 64 * 1024
"""Characters of an argument, such as a message or an input: what Claude Code itself prints of a tool's input is far
less."""
HOW_TO_STOP: Final = ("end", "drain", "term")


class ActionError(Exception):
    """An action is refused: ``code`` is one of `STATUS`; ``facts`` are told with it, such as who was first."""

    def __init__(self, code: str, sentence: str, **facts: Any) -> None:
        super().__init__(f"{code}: {sentence}")
        self.code = code
        self.sentence = sentence
        self.facts = facts

    @property
    def status(self) -> int:
        """The HTTP status."""
        return STATUS[self.code]


class Verb:
    """One action: what it takes (the type of each argument; those in ``needs`` are required)."""

    __slots__ = ("help", "needs", "takes")

    def __init__(self, help: str, needs: tuple[str, ...] = (), **takes: type) -> None:  # noqa: A002 - as argparse
        self.help = help
        self.needs = needs
        self.takes = takes


VERBS: Final[Mapping[str, Verb]] = {
    "interrupt": Verb("interrupt the turn; the session goes on"),
    "deny": Verb("answer a question with no", ("request_id",), request_id=str, message=str, stop_turn=bool),
    "allow": Verb(
        "answer a question with yes", ("request_id",), request_id=str, updated_input=dict, remember=bool
    ),
    "pause": Verb("let no further tool start, and hold its question back from the caller"),
    "resume": Verb("let tools start again, and pass on the questions that were held back"),
    "mode": Verb("set the permission mode", ("value",), value=str),
    "model": Verb("set the model", ("value",), value=str),
    "stop": Verb("end the session, and its tools with it", how=str),
}


def asks_caller(command: Sequence[str]) -> bool:
    """Return whether a command line lets Claude Code ask its caller for permissions, and not deny them itself."""
    return guess(command).values.get("--permission-prompt-tool") == "stdio"


def possible(grant: str, command: Sequence[str], *, paused: bool) -> tuple[str, ...]:
    """Return the actions that a session takes as it is now."""
    never = {"pause" if paused else "resume"}
    if not asks_caller(command):
        never |= {"pause", "allow", "deny"}
    return tuple(verb for verb in GRANTS[grant] if verb not in never)


def checked_arguments(action: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of an action, without those that are None. ActionError: they are not what it takes."""
    verb = VERBS.get(action)
    if verb is None:
        raise ActionError("bad_arguments", f"there is no action {action!r}; there are {', '.join(VERBS)}")
    given = {name: value for name, value in arguments.items() if value is not None}
    for name, value in given.items():
        if name not in verb.takes:
            takes = ", ".join(verb.takes) or "nothing"
            raise ActionError("bad_arguments", f"{action} takes {takes}, and no {name}")
        if not isinstance(value, verb.takes[name]) or value == "":
            raise ActionError("bad_arguments", f"{name} of {action} is no {_WORDS[verb.takes[name]]}")
    for name in verb.needs:
        if name not in given:
            raise ActionError("bad_arguments", f"{action} needs {name}")
    if action == "stop" and (how := given.get("how", "end")) not in HOW_TO_STOP:
        raise ActionError("bad_arguments", f"how of stop is {how!r}; it takes {', '.join(HOW_TO_STOP)}")
    if any(len(str(value)) > LONGEST_TEXT for value in given.values()):
        raise ActionError("too_large", f"an argument is longer than {LONGEST_TEXT} characters")
    return given


_WORDS: Final = {str: "text", bool: "true or false", dict: "object"}
