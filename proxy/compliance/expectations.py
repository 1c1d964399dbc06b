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
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from proxy.compliance.caller import excerpt
from proxy.compliance.evidence import Evidence, Seen
from proxy.compliance.report import Problem
from proxy.compliance.scenario import Expectation
from proxy.protocol.judge import Judge

_SHELL_VARIABLES = frozenset(["_", "SHLVL", "PWD", "OLDPWD"])
"""What any shell on the way sets; nobody relies on it."""
_COMPARED = ("stdin", "stdout", "stderr")
_TOLD_BY_JOURNAL = (*_COMPARED, "signals", "input_ended", "same")
_T = TypeVar("_T")
_WORDS = {"stdout": ("stand-in", "caller"), "stderr": ("stand-in", "caller"), "stdin": ("caller", "stand-in")}


def problems(evidence: Evidence, expected: list[Expectation]) -> list[Problem]:
    """Return what does not hold. What only a stand-in's journal tells is not asked of the real `claude`."""
    found = []
    if evidence.stuck:
        found.append(Problem("caller and stand-in speak to the end", evidence.stuck))
    if evidence.seen and not evidence.seen.started and any(one.verb in _TOLD_BY_JOURNAL for one in expected):
        return [*found, Problem("the wrapper runs the claude that it is given", "it did not run it")]
    for one in expected:
        if evidence.stuck and one.verb not in _COMPARED:
            continue  # a mere consequence
        finding = _CHECKS[one.verb](evidence, getattr(one, one.verb))
        if finding is not None:
            found.append(finding)
    return found


_Check = Callable[[Evidence, Any], Problem | None]


def _streams(name: str) -> Callable[[Evidence, str], Problem | None]:
    def check(evidence: Evidence, comparison: str) -> Problem | None:
        seen = evidence.seen
        if comparison == "valid":
            data = evidence.stdout if name == "stdout" else seen.stdin if seen else b""
            return _valid(name, _lines(data))
        if seen is None:
            return None
        written, arrived = {
            "stdout": (seen.stdout, evidence.stdout),
            "stderr": (seen.stderr, evidence.stderr),
            "stdin": (evidence.sent, seen.stdin),
        }[name]
        return _COMPARISONS[comparison](name, written, arrived)

    return check


def _identical(name: str, written: bytes, arrived: bytes) -> Problem | None:
    if written == arrived:
        return None
    source, target = _WORDS[name]
    at = _first_difference(written, arrived)
    expected = f"the {target} gets on {name} the {len(written)} bytes that the {source} wrote, unchanged"
    if at == len(arrived):
        came = f"the first {at} bytes; missing is {excerpt(written[at:])}"
    elif at == len(written):
        came = f"all of them, and then {excerpt(arrived[at:])}"
    else:
        start = max(0, at - 20)
        came = f"at byte {at} {excerpt(arrived[start:], 80)} instead of {excerpt(written[start:], 80)}"
    return Problem(expected, came)


def _unchanged(name: str, written: bytes, arrived: bytes) -> Problem | None:
    missing = _missing(_whole_lines(written), _whole_lines(arrived))
    if not missing:
        return None
    source, target = _WORDS[name]
    line = _whole_lines(written)[missing[0]]
    expected = f"each line that the {source} wrote on {name} reaches the {target} byte for byte"
    near = [one for one in _whole_lines(arrived) if _meaning(one) == _meaning(line)]
    came = f"as {excerpt(near[0])}" if near else "not, or in parts"
    return Problem(expected, f"line {missing[0] + 1}, {excerpt(line)}, came {came}")


def _complete(name: str, written: bytes, arrived: bytes) -> Problem | None:
    missing = _missing(_meanings(written), _meanings(arrived))
    if not missing:
        return None
    source, target = _WORDS[name]
    lines = _lines(written)
    return Problem(
        f"each of the {len(lines)} lines that the {source} wrote on {name} reaches the {target}",
        f"{len(missing)} did not; the first is line {missing[0] + 1}: {excerpt(lines[missing[0]])}",
    )


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


def _ordered(name: str, written: bytes, arrived: bytes) -> Problem | None:
    places: dict[str, list[int]] = {}
    for number, meaning in enumerate(_meanings(written), 1):
        places.setdefault(meaning, []).append(number)
    last = 0
    for meaning in _meanings(arrived):
        later = [number for number in places.get(meaning, ()) if number > last]
        if later:
            last = later[0]
        elif meaning in places:
            source, _ = _WORDS[name]
            expected = f"lines on {name} stand in the order in which the {source} wrote them"
            return Problem(expected, f"line {places[meaning][-1]} came behind line {last}")
    return None


def _added(written: bytes, arrived: bytes) -> list[bytes]:
    lines = _lines(arrived)
    return [lines[place] for place in _missing(_meanings(arrived), _meanings(written))]


def _nothing_added(name: str, written: bytes, arrived: bytes) -> Problem | None:
    added = _added(written, arrived)
    if not added:
        return None
    expected = f"nothing comes on {name} but what the {_WORDS[name][0]} wrote"
    return Problem(expected, f"{len(added)} lines more; the first is {excerpt(added[0])}")


def _added_valid(name: str, written: bytes, arrived: bytes) -> Problem | None:
    return _valid(name, _added(written, arrived), "what the wrapper adds")


def _valid(name: str, lines: list[bytes], what: str = "each line") -> Problem | None:
    judge = Judge("stdin" if name == "stdin" else "stdout")
    for number, line in enumerate(lines, 1):
        if not line.strip(b" \t\r"):
            continue
        judgement = judge.judge(line)
        if judgement.verdict != "valid":
            reason = "; ".join(
                f"{error.path or 'the line'}: {error.message}" for error in judgement.errors[:2]
            )
            came = f"number {number} is {judgement.verdict}: {excerpt(line)}" + (
                f" ({reason})" if reason else ""
            )
            return Problem(f"{what} on {name} is a valid message of the protocol", came)
    return None


_COMPARISONS: Mapping[str, Callable[[str, bytes, bytes], Problem | None]] = {
    "identical": _identical,
    "unchanged": _unchanged,
    "complete": _complete,
    "ordered": _ordered,
    "nothing-added": _nothing_added,
    "added-valid": _added_valid,
}


def _stdout_text(evidence: Evidence, text: str) -> Problem | None:
    if evidence.stdout == text.encode():
        return None
    return Problem(
        f"the caller gets on stdout {excerpt(text.encode())}", excerpt(evidence.stdout) or "nothing"
    )


def _status(evidence: Evidence, expected: int) -> Problem | None:
    # A shell gives 128 and the number for death by a signal: that is a true answer too.
    allowed = (expected,) if expected >= 0 else (expected, 128 - expected)
    if evidence.status in allowed:
        return None
    if evidence.status is None:
        return Problem(f"the wrapper ends with {_told(expected)}", "it did not end, and had to be killed")
    return Problem(f"the wrapper ends with {_told(expected)}", _told(evidence.status))


def _signals(evidence: Evidence, expected: Mapping[str, int]) -> Problem | None:
    if evidence.seen is None:
        return None
    for name, times in expected.items():
        came = evidence.seen.signals.get(name, 0)
        if came != times:
            return Problem(f"{name} reaches the stand-in {_times(times)}", f"it came {_times(came)}")
    return None


def _input_ended(evidence: Evidence, expected: bool) -> Problem | None:
    if evidence.seen is None or evidence.seen.input_ended == expected:
        return None
    if expected:
        return Problem("the stand-in is told that its input has ended", "it was not")
    return Problem("the stand-in's input stays open as long as the caller's does", "it was ended early")


def _nothing_left(evidence: Evidence, _: object) -> Problem | None:
    if not evidence.left:
        return None
    shown = ", ".join(f"{found.pid} (`{found.command}`)" for found in evidence.left[:3])
    return Problem("no process is left when it is over", f"{len(evidence.left)} lived on: {shown}")


def _same(evidence: Evidence, what: str) -> Problem | None:
    seen = evidence.seen
    if seen is None:
        return None
    if what == "environment":
        return _environment(evidence, seen)
    given, came = getattr(evidence, what), getattr(seen, what)
    return None if came == given else Problem(f"the stand-in's {what}: {given!r}", repr(came))


def _environment(evidence: Evidence, seen: Seen) -> Problem | None:
    given = evidence.environment
    changed = sorted(
        name for name, value in given.items() if not _kept(name, value, seen.environment.get(name))
    )
    if not changed:
        return None  # what a wrapper adds for its own processes disturbs nobody
    name = changed[0]
    now = seen.environment.get(name)
    came = f"{name} is {'gone' if now is None else excerpt(os.fsencode(now))}"
    more = f", and {len(changed) - 1} more are changed" if changed[1:] else ""
    shown = excerpt(os.fsencode(given[name]))
    return Problem(
        f"each variable of the caller reaches the stand-in, such as {name} with {shown}", came + more
    )


def _kept(name: str, value: str, now: str | None) -> bool:
    """Tell whether a variable is as it was; folders that a tool put on `PATH` for itself leave the others."""
    return (
        name in _SHELL_VARIABLES
        or now == value
        or (name == "PATH" and now is not None and now.endswith(f":{value}"))
    )


_CHECKS: Mapping[str, _Check] = {
    "stdout": _streams("stdout"),
    "stdin": _streams("stdin"),
    "stderr": _streams("stderr"),
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


def _first_difference(one: bytes, other: bytes) -> int:
    """Return where two byte strings part; the length of the shorter if it begins the longer."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _told(status: int) -> str:
    if status >= 0:
        return f"exit status {status}"
    try:
        return f"death by {signal.Signals(-status).name}"
    except ValueError:
        return f"death by signal {-status}"


def _times(count: int) -> str:
    return {0: "not at all", 1: "once", 2: "twice"}.get(count, f"{count} times")
