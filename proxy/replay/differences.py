"""Divergences: what a client did otherwise than the record, as sentences and as data."""

import json
from collections.abc import Callable, Sequence
from typing import Any

from proxy.protocol.json_pointer import escaped
from proxy.replay.messages import subtype_of

_SHOWN = 200
_BEFORE = 50
"""Characters that are shown before the place where two values part."""
VOLATILE = ("uuid", "session_id", "request_id", "timestamp")
"""Fields of a client's message, at its top, that differ from run to run."""


def kind(message: dict[str, Any] | None) -> str:
    """Return what a message is matched by: its type, for control requests with the subtype; ``text`` for no message."""
    if message is None:
        return "text"
    type_ = str(message.get("type"))
    return f"{type_}/{subtype_of(message)}" if type_ == "control_request" else type_


def named(what: str) -> str:
    """Return a kind of message for a sentence."""
    article = "an" if what[:1] in "aeio" else "a"
    return {"text": "a line", "user": "a user message"}.get(what, f"{article} {what}")


def request_id(message: dict[str, Any] | None) -> object:
    """Return the id that a control request bears, or that the answer to one is for."""
    message = message or {}
    answer = message.get("response")
    if message.get("type") == "control_response" and isinstance(answer, dict):
        return answer.get("request_id")
    return message.get("request_id")


def request_key(message: dict[str, Any] | None) -> str:
    """Return the same for looking up: whatever an id is, should it not be the text that it ought to be."""
    return repr(request_id(message))


def canonical(message: dict[str, Any], ignored: Sequence[str], name: Callable[[str], str]) -> Any:
    """Return a client's message as it is compared: by its content, under the names of the record.

    ``ignored``: pointers of values that do not count; ``name`` gives the record's name for a text.
    """
    is_initialize = kind(message) == "control_request/initialize"

    def named(value: Any, path: str) -> Any:
        if path in ignored:
            return None
        if isinstance(value, dict):
            return {key: named(item, f"{path}/{escaped(key)}") for key, item in value.items()}
        if isinstance(value, list):
            if is_initialize and path.endswith("/hookCallbackIds"):
                return len(value)
            return [named(item, f"{path}/{index}") for index, item in enumerate(value)]
        return name(value) if isinstance(value, str) else value

    return named({key: value for key, value in message.items() if key not in VOLATILE}, "")


def first_difference(one: Any, other: Any, path: str = "") -> tuple[str, Any, Any] | None:
    """Return where two values part: a JSON pointer and what either has there; None when they are equal."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in {**one, **other}:
            inner = f"{path}/{escaped(key)}"
            if key not in one or key not in other:
                return inner, one.get(key), other.get(key)
            if found := first_difference(one[key], other[key], inner):
                return found
        return None
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for index, (left, right) in enumerate(zip(one, other, strict=True)):
            if found := first_difference(left, right, f"{path}/{index}"):
                return found
        return None
    # 1 is 1.0, and neither is true.
    same = one == other and isinstance(one, bool) == isinstance(other, bool)
    return None if same else (path, one, other)


def shown(value: Any, start: int = 0) -> str:
    """Return a value for reading, cut short; from the character ``start`` on."""
    text = _encoded(value)
    end = start + _SHOWN
    return f"{'...' if start else ''}{text[start:end]}{'...' if len(text) > end else ''}"


def contrasted(received: Any, expected: Any) -> str:
    """Return for reading what came instead of what: of long values the place where they part."""
    texts = _encoded(received), _encoded(expected)
    pairs = enumerate(zip(*texts, strict=False))
    parted = next((place for place, (one, other) in pairs if one != other), min(map(len, texts)))
    start = parted - _BEFORE if parted > _SHOWN - _BEFORE else 0
    return f"{shown(received, start)} instead of {shown(expected, start)}"


def _encoded(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


class Divergences:
    """What was different, in the order in which it was noticed."""

    def __init__(self) -> None:
        self.found: list[dict[str, Any]] = []

    def add(self, what: str, sentence: str, **data: Any) -> None:
        """Note one: ``what`` kind of divergence, a sentence for people, and data for programs."""
        self.found.append({"kind": what, "sentence": sentence, **data})
