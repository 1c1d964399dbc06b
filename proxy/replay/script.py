"""A script: what a stand-in for ``claude`` does, step by step. Read from YAML or JSON and checked as a whole.

What each word means is said in ``docs/replay.md``, and done in ``acting``.
"""

from __future__ import annotations

import json

from proxy.nearest import nearest
from proxy.replay.messages import SMALLEST, VERSION

TYPE_CHECKING = False  # `typing` and `signal` (for its `enum`) take long to import
if TYPE_CHECKING:
    import signal
    from collections.abc import Callable, Iterator
    from typing import Any

    Step = tuple[str, Any]
    Check = Callable[[Any, str], Any]
else:
    import _signal as signal


_KEYS = ("steps", "answers", "signals", "version")


class ScriptError(ValueError):
    """A script that cannot be used; the sentence says where and what to change."""


class Script:
    """A script that has been checked: every step is one that ``acting`` can perform."""

    def __init__(self, value: dict[str, Any]) -> None:
        """``value``: a mapping with ``steps`` and known keys. ScriptError: it says what a script cannot say."""
        self.steps = _steps(value["steps"], "steps")
        answers = value.get("answers", {})
        is_off = answers in ("off", False)  # YAML reads a bare `off` as false
        payloads = "`off`, or a payload for each subtype of a control request"
        _require(is_off or isinstance(answers, dict), "answers", payloads)
        self.answers: dict[str, Any] | None = None if is_off else answers
        """Payloads by subtype of the client's control requests; None leaves them unanswered."""
        self.signals = _signals(value.get("signals", {}), "signals")
        self.version = _text(value.get("version", VERSION), "version")
        self.by_hand = frozenset(_by_hand(self.steps))
        """Subtypes of control requests that are left to an ``answer`` step; the empty text is all of them."""


def load(path: str) -> Script:
    """Return the script of a file: JSON when its name ends in ``.json``, else YAML (of which JSON is a part).

    Raises:
        ScriptError: it cannot be read, or says what a script cannot say.
    """
    try:
        with open(path, "rb") as file:
            text = file.read()
        if path.endswith(".json"):  # YAML's library takes as long to import as all else together
            return parse(json.loads(text))
        import yaml  # noqa: PLC0415 - see above

        try:
            return parse(yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader)))
        except yaml.YAMLError as error:
            raise ScriptError(f"it is not YAML: {' '.join(str(error).split())}") from error
    except OSError as error:
        raise ScriptError(f"cannot read the script {path}: {error.strerror}") from error
    except ScriptError as error:
        raise ScriptError(f"{path}: {error}") from error
    except ValueError as error:
        raise ScriptError(f"{path}: it is not JSON: {error}") from error
    except RecursionError:
        raise ScriptError(f"{path}: it is nested too deep") from None


def parse(value: Any) -> Script:
    """Return the script that a value is: a mapping with ``steps``, or the list of steps itself.

    Raises:
        ScriptError: it says what a script cannot say.
    """
    if isinstance(value, list):
        value = {"steps": value}
    if not isinstance(value, dict) or "steps" not in value:
        raise ScriptError("a script is a list of steps, or a mapping with `steps`")
    for key in value:
        if key not in _KEYS:
            raise ScriptError(f"unknown key {key!r}{_meant(key, _KEYS)}; a script has {', '.join(_KEYS)}")
    return Script(value)


def signal_number(name: str, where: str = "signals") -> int:
    """Return the number of a signal by its name. ScriptError when there is none."""
    number = getattr(signal, name, None) if name.startswith("SIG") and name[3:4].isalpha() else None
    if number is None:
        raise ScriptError(f"{where}: {name!r} is no signal; write its name, such as SIGTERM")
    return int(number)


def _steps(value: Any, where: str) -> list[Step]:
    _require(isinstance(value, list), where, "a list of steps, each a mapping such as `delay: 0.5`")
    return [_step(step, f"{where}/{index}") for index, step in enumerate(value)]


def _step(value: Any, where: str) -> Step:
    if isinstance(value, str):
        value = {value: {}}
    if not isinstance(value, dict) or len(value) != 1:
        raise ScriptError(f"{where}: a step is a mapping with one key, such as `delay: 0.5`")
    ((name, argument),) = value.items()
    if name not in _STEPS:
        known = ", ".join(sorted(_STEPS))
        raise ScriptError(f"{where}: unknown step {name!r}{_meant(name, _STEPS)}; steps are {known}")
    return name, _STEPS[name](argument, f"{where}/{name}")


def _by_hand(steps: list[Step]) -> Iterator[str]:
    for index, (name, argument) in enumerate(steps):
        if name == "repeat":
            yield from _by_hand(argument[1])
        elif name == "expect" and [following for following, _ in steps[index + 1 : index + 2]] == ["answer"]:
            yield argument["subtype"] or ""


def _meant(word: Any, known: Any) -> str:
    near = nearest(str(word), known)
    return f"; did you mean {near}?" if near and near != word else ""


# -- what the arguments of the steps may be: each check returns the argument as `acting` takes it --------------


def _require(holds: bool, where: str, what: str) -> None:
    if not holds:
        raise ScriptError(f"{where}: takes {what}")


def _text(value: Any, where: str) -> str:
    _require(isinstance(value, str), where, "a text, in quotation marks where YAML would read something else")
    return str(value)


def _bytes(value: Any, where: str) -> bytes:
    return _text(value, where).encode("utf-8", "surrogatepass")


def _line(value: Any, where: str) -> bytes:
    return _bytes(value, where) + b"\n"


def _hex(value: Any, where: str) -> bytes:
    text = _text(value, where)
    try:
        return bytes.fromhex(text)
    except ValueError as error:
        wanted = "bytes as pairs of hexadecimal digits, such as 'ff fe 0a'"
        raise ScriptError(f"{where}: takes {wanted}") from error


def _object(value: Any, where: str) -> dict[str, Any]:
    is_object = isinstance(value, dict) and all(isinstance(key, str) for key in value)
    _require(is_object, where, "an object, such as {type: keep_alive}")
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError) as error:
        # YAML reads 2026-01-02 as a date and !!binary as bytes: nothing that JSON has.
        raise ScriptError(f"{where}: {error}; put it in quotation marks to make it a text") from error
    return dict(value)


def _messages(value: Any, where: str) -> list[dict[str, Any]]:
    return [_object(message, where) for message in (value if isinstance(value, list) else [value])]


def _any_object(value: Any, where: str) -> dict[str, Any]:
    return _object({} if value is None else value, where)


def _number(least: float = 0, most: float = 86_400) -> Check:
    def check(value: Any, where: str) -> float:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        _require(is_number and least <= value <= most, where, f"a number from {least:g} to {most:g}")
        return float(value)

    return check


def _whole(least: int, most: int = 1_000_000_000) -> Check:
    def check(value: Any, where: str) -> int:
        _number(least, most)(value, where)
        _require(value == int(value), where, "a whole number")
        return int(value)

    return check


def _status(value: Any, where: str) -> int:
    _require(type(value) is int and 0 <= value <= 255, where, "an exit status, 0 to 255")
    return int(value)


def _stream(value: Any, where: str) -> int:
    streams = ("stdin", "stdout", "stderr")
    _require(value in streams, where, "stdin, stdout or stderr")
    return streams.index(value)


def _streams(value: Any, where: str) -> list[int]:
    return [_stream(one, where) for one in (value if isinstance(value, list) else [value])]


def _fields(value: Any, where: str, checks: dict[str, Check], **defaults: Any) -> dict[str, Any]:
    """Check a mapping field by field; what is not given has its default."""
    is_known = isinstance(value, dict) and value.keys() <= checks.keys()
    _require(is_known, where, f"a mapping of {', '.join(checks)}")
    given = {key: item for key, item in value.items() if item is not None}
    return defaults | {key: checks[key](item, f"{where}/{key}") for key, item in given.items()}


def _kind(value: Any, where: str) -> dict[str, Any]:
    """``user``, ``control_request/interrupt``, ``any``, ``end``, or a mapping that says more."""
    if isinstance(value, str):
        value = {"type": value}
    checks = {"type": _text, "subtype": _text, "contains": _bytes, "within": _number()}
    is_known = isinstance(value, dict) and bool(value) and value.keys() <= checks.keys()
    kinds = "user, control_request/interrupt, any, end"
    _require(is_known, where, f"{kinds}, or a mapping of {', '.join(checks)}")
    wanted = _fields(value, where, checks, type="any", subtype=None, contains=b"", within=None)
    wanted["type"], slash, subtype = wanted["type"].partition("/")
    if slash:
        wanted["subtype"] = subtype or _text(wanted["subtype"], f"{where}/subtype")
    return wanted


def _flood(value: Any, where: str) -> dict[str, Any]:
    checks = {"lines": _whole(0), "bytes": _whole(SMALLEST, 1 << 30), "stream": _stream}
    flood = _fields(value, where, checks, lines=1, bytes=None, stream=1)
    _require(flood["bytes"] is not None, where, "the bytes of a line")
    return flood


def _child(value: Any, where: str) -> dict[str, Any]:
    # An end in any case: nothing that a test starts may stay behind for ever.
    checks = {"holds": _streams, "seconds": _number(most=3600), "line": _line}
    return _fields(value, where, checks, holds=[1], seconds=1, line=b"")


def _read(value: Any, where: str) -> tuple[bool, tuple[int, float] | None]:
    if value in ("on", "off", True, False):
        return value in ("on", True), None
    pace = _fields(value, where, {"bytes": _whole(1, 1 << 30), "every": _number()}, bytes=4096, every=0.01)
    return True, (pace["bytes"], pace["every"])


def _echo(value: Any, where: str) -> int | None:
    return None if value in ({}, "end", None) else _whole(1)(value, where)


def _signals(value: Any, where: str) -> dict[str, int | str]:
    _require(isinstance(value, dict), where, "a mapping such as {SIGTERM: ignore}")
    for name, action in value.items():
        signal_number(str(name), where)
        if name in ("SIGKILL", "SIGSTOP"):
            raise ScriptError(f"{where}: {name} can be neither caught nor ignored")
        if action not in ("ignore", "die"):
            _status(action, f"{where}/{name}: takes ignore, die or an exit status; a status")
    return dict(value)


def _death(value: Any, where: str) -> int:
    return signal_number(_text(value, where), where)


def _repeat(value: Any, where: str) -> tuple[int | None, list[Step]]:
    given = _fields(value, where, {"times": _whole(0), "steps": _steps}, times=None, steps=None)
    times, steps = given["times"], given["steps"]
    both = "a mapping with `steps`, and `times` unless one of them is expect"
    _require(steps is not None, where, both)
    if times is None and not any(name in ("expect", "ask", "echo") for name, _ in steps):
        why = "without times it ends with the input, so one of its steps must be expect"
        raise ScriptError(f"{where}: {why}")
    return times, steps


def _nothing(value: Any, where: str) -> None:
    _require(value in ({}, None, True), where, "nothing")


_STEPS: dict[str, Check] = {
    "answer": _any_object,
    "ask": _object,
    "child": _child,
    "close": _stream,
    "delay": _number(),
    "die": _death,
    "drain": _nothing,
    "echo": _echo,
    "exit": _status,
    "expect": _kind,
    "flood": _flood,
    "hang": _nothing,
    "hex": _hex,
    "line": _line,
    "read": _read,
    "repeat": _repeat,
    "reply": _text,
    "send": _messages,
    "signals": _signals,
    "stderr": _bytes,
    "text": _bytes,
}
STEPS = frozenset(_STEPS)
"""Every step that a script may have."""
