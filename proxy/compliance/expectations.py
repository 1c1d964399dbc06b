"""Holds what was seen against what a scenario expects: pure, evidence in, findings out.

Lines are compared in four strengths, so that each fault of a wrapper costs its own points and no others:

``identical``  byte for byte, and nothing besides
``unchanged``  each line arrived byte for byte, wherever it stands
``complete``   each message arrived, however it is encoded and wherever it stands
``ordered``    those that arrived stand in the order in which they were written
"""

import io
import json
import os
import signal
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, TypeVar

from proxy.compliance.caller import excerpt
from proxy.compliance.evidence import Evidence
from proxy.compliance.report import Problem
from proxy.compliance.scenario import Expectation
from proxy.protocol.judge import Judge

_SHELL_VARIABLES = frozenset(["_", "SHLVL", "PWD", "OLDPWD"])
"""What any shell on the way sets; nobody relies on it."""
_T = TypeVar("_T")
_WORDS = {"stdout": ("stand-in", "caller"), "stderr": ("stand-in", "caller"), "stdin": ("caller", "stand-in")}
"""Who writes on a stream, and who reads from it."""
_TOLD_BY_JOURNAL = (*_WORDS, "signals", "input_ended", "same")


def problems(evidence: Evidence, expected: list[Expectation]) -> Iterator[Problem]:
    """Yield what does not hold. What only a stand-in's journal tells is not asked of the real `claude`."""
    if evidence.stuck:
        yield Problem("caller and stand-in speak to the end", evidence.stuck)
    if evidence.seen and not evidence.seen.started and any(one.verb in _TOLD_BY_JOURNAL for one in expected):
        yield Problem("the wrapper runs the claude that it is given", "it did not run it")
        return
    for one in expected:
        if not evidence.stuck or one.verb in _WORDS:  # all else is a mere consequence
            yield from _CHECKS[one.verb](evidence, getattr(one, one.verb))


def _stream(name: str, evidence: Evidence, comparison: str) -> Iterator[Problem]:
    seen = evidence.seen
    if comparison == "valid":
        data = evidence.stdout if name == "stdout" else seen.stdin if seen else b""
        yield from _valid(name, _lines(data))
    elif seen is not None:
        written, arrived = {
            "stdout": (seen.stdout, evidence.stdout),
            "stderr": (seen.stderr, evidence.stderr),
            "stdin": (evidence.sent, seen.stdin),
        }[name]
        yield from _COMPARISONS[comparison](name, written, arrived)


def _identical(name: str, written: bytes, arrived: bytes) -> Iterator[Problem]:
    if written == arrived:
        return
    source, target = _WORDS[name]
    pairs = enumerate(zip(written, arrived, strict=False))
    at = next((place for place, (one, other) in pairs if one != other), min(len(written), len(arrived)))
    if at == len(arrived):
        came = f"the first {at} bytes; missing is {excerpt(written[at:])}"
    elif at == len(written):
        came = f"all of them, and then {excerpt(arrived[at:])}"
    else:
        start = max(0, at - 20)
        came = f"at byte {at} {excerpt(arrived[start:], 80)} instead of {excerpt(written[start:], 80)}"
    what = f"the {len(written)} bytes that the {source} wrote, unchanged"
    yield Problem(f"the {target} gets on {name} {what}", came)


def _unchanged(name: str, written: bytes, arrived: bytes) -> Iterator[Problem]:
    lines, source, target = _whole_lines(written), *_WORDS[name]
    for place in _missing(lines, _whole_lines(arrived))[:1]:
        near = [one for one in _whole_lines(arrived) if _meaning(one) == _meaning(lines[place])]
        came = f"as {excerpt(near[0])}" if near else "not, or in parts"
        expected = f"each line that the {source} wrote on {name} reaches the {target} byte for byte"
        yield Problem(expected, f"line {place + 1}, {excerpt(lines[place])}, came {came}")


def _complete(name: str, written: bytes, arrived: bytes) -> Iterator[Problem]:
    lines, source, target = _lines(written), *_WORDS[name]
    if missing := _missing(_meanings(written), _meanings(arrived)):
        expected = f"each of the {len(lines)} lines that the {source} wrote on {name} reaches the {target}"
        first = f"line {missing[0] + 1}: {excerpt(lines[missing[0]])}"
        yield Problem(expected, f"{len(missing)} did not; the first is {first}")


def _missing(written: list[_T], arrived: list[_T]) -> list[int]:
    """Return the places of what did not arrive."""
    there = Counter(arrived)
    missing = []
    for place, one in enumerate(written):
        if there[one] > 0:
            there[one] -= 1
        else:
            missing.append(place)
    return missing


def _ordered(name: str, written: bytes, arrived: bytes) -> Iterator[Problem]:
    places: dict[str, list[int]] = {}
    for number, meaning in enumerate(_meanings(written), 1):
        places.setdefault(meaning, []).append(number)
    last = 0
    for meaning in _meanings(arrived):
        later = [number for number in places.get(meaning, ()) if number > last]
        if later:
            last = later[0]
        elif meaning in places:
            expected = f"lines on {name} stand in the order in which the {_WORDS[name][0]} wrote them"
            yield Problem(expected, f"line {places[meaning][-1]} came behind line {last}")
            return


def _added(written: bytes, arrived: bytes) -> list[bytes]:
    lines = _lines(arrived)
    return [lines[place] for place in _missing(_meanings(arrived), _meanings(written))]


def _nothing_added(name: str, written: bytes, arrived: bytes) -> Iterator[Problem]:
    if added := _added(written, arrived):
        expected = f"nothing comes on {name} but what the {_WORDS[name][0]} wrote"
        yield Problem(expected, f"{len(added)} lines more; the first is {excerpt(added[0])}")


def _added_valid(name: str, written: bytes, arrived: bytes) -> Iterator[Problem]:
    return _valid(name, _added(written, arrived), "what the wrapper adds")


def _valid(name: str, lines: list[bytes], what: str = "each line") -> Iterator[Problem]:
    judge = Judge("stdin" if name == "stdin" else "stdout")
    for number, line in enumerate(lines, 1):
        if not line.strip(b" \t\r") or (judgement := judge.judge(line)).verdict == "valid":
            continue
        errors = [f"{error.path or 'the line'}: {error.message}" for error in judgement.errors[:2]]
        reason = f" ({'; '.join(errors)})" if errors else ""
        came = f"number {number} is {judgement.verdict}: {excerpt(line)}{reason}"
        yield Problem(f"{what} on {name} is a valid message of the protocol", came)
        return


_COMPARISONS: Mapping[str, Callable[[str, bytes, bytes], Iterator[Problem]]] = {
    "identical": _identical,
    "unchanged": _unchanged,
    "complete": _complete,
    "ordered": _ordered,
    "nothing-added": _nothing_added,
    "added-valid": _added_valid,
}


def _stdout_text(evidence: Evidence, text: str) -> Iterator[Problem]:
    if evidence.stdout != text.encode():
        yield Problem(f"the caller gets on stdout {excerpt(text.encode())}", excerpt(evidence.stdout))


def _status(evidence: Evidence, expected: int) -> Iterator[Problem]:
    # A shell gives 128 and the number for death by a signal: that is a true answer too.
    if evidence.status not in (expected, 128 - expected if expected < 0 else expected):
        came = "it did not end, and had to be killed" if evidence.status is None else _told(evidence.status)
        yield Problem(f"the wrapper ends with {_told(expected)}", came)


def _signals(evidence: Evidence, expected: Mapping[str, int]) -> Iterator[Problem]:
    if evidence.seen is None:
        return
    for name, times in expected.items():
        if (came := evidence.seen.signals.get(name, 0)) != times:
            yield Problem(f"{name} reaches the stand-in {_times(times)}", f"it came {_times(came)}")
            return


def _input_ended(evidence: Evidence, expected: bool) -> Iterator[Problem]:
    if evidence.seen is None or evidence.seen.input_ended == expected:
        return
    if expected:
        yield Problem("the stand-in is told that its input has ended", "it was not")
    else:
        yield Problem("the stand-in's input stays open as long as the caller's does", "it was ended early")


def _nothing_left(evidence: Evidence, _: object) -> Iterator[Problem]:
    if evidence.left:
        shown = ", ".join(f"{found.pid} (`{found.command}`)" for found in evidence.left[:3])
        yield Problem("no process is left when it is over", f"{len(evidence.left)} lived on: {shown}")


def _same(evidence: Evidence, what: str) -> Iterator[Problem]:
    if evidence.seen is None:
        return
    if what == "environment":
        yield from _environment(evidence.environment, evidence.seen.environment)
    elif (came := getattr(evidence.seen, what)) != (given := getattr(evidence, what)):
        yield Problem(f"the stand-in's {what}: {given!r}", repr(came))


def _environment(given: Mapping[str, str], came: Mapping[str, str]) -> Iterator[Problem]:
    """What a wrapper adds for its own processes disturbs nobody."""
    changed = sorted(name for name, value in given.items() if not _kept(name, value, came.get(name)))
    for name in changed[:1]:
        now = f"is {excerpt(os.fsencode(came[name]))}" if name in came else "is gone"
        more = f", and {len(changed) - 1} more are changed" if changed[1:] else ""
        such = f"{name} with {excerpt(os.fsencode(given[name]))}"
        expected = f"each variable of the caller reaches the stand-in, such as {such}"
        yield Problem(expected, f"{name} {now}{more}")


def _kept(name: str, value: str, now: str | None) -> bool:
    """Tell whether a variable is as it was; folders that a tool put on `PATH` for itself leave the others."""
    is_put_before = name == "PATH" and now is not None and now.endswith(f":{value}")
    return name in _SHELL_VARIABLES or now == value or is_put_before


_CHECKS: Mapping[str, Callable[[Evidence, Any], Iterator[Problem]]] = {
    **{name: partial(_stream, name) for name in _WORDS},
    "stdout_text": _stdout_text,
    "status": _status,
    "signals": _signals,
    "input_ended": _input_ended,
    "nothing_left": _nothing_left,
    "same": _same,
}


def _lines(data: bytes) -> list[bytes]:
    return [line.removesuffix(b"\n") for line in _whole_lines(data)]


def _whole_lines(data: bytes) -> list[bytes]:
    """Return the lines with their newlines. (`splitlines` splits at carriage returns too.)"""
    return list(io.BytesIO(data))


def _meanings(data: bytes) -> list[str]:
    """Return for each line what it says, whatever its spelling: the same for equal JSON values."""
    return [_meaning(line) for line in _lines(data)]


def _meaning(line: bytes) -> str:
    try:
        return json.dumps(json.loads(line), sort_keys=True)
    except (ValueError, RecursionError):
        return repr(line.strip(b"\r"))


def _told(status: int) -> str:
    if status >= 0:
        return f"exit status {status}"
    try:
        return f"death by {signal.Signals(-status).name}"
    except ValueError:
        return f"death by signal {-status}"


def _times(count: int) -> str:
    return {0: "not at all", 1: "once", 2: "twice"}.get(count, f"{count} times")
