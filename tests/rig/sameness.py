"""What makes two runs of one scenario the same, although their ids, times and places differ."""

from __future__ import annotations

import json
import re
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

__all__ = ["differences", "shape"]

# Ids are replaced by their kind and the order in which they turned up, so that what refers to the same thing
# in one run must refer to the same thing in the other.
IDS = re.compile(
    r"(?P<uuid>[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})"
    r"|(?P<message>msg_\d+)"
    r"|(?P<tool>toolu_\d+)"
    r"|(?P<request>req_\d+_[0-9a-f]+)"
    r"|(?P<run>\b0m[0-9a-z]{7}-[0-9a-f]{8}\b)"
    r"|(?P<agent>\ba[0-9a-f]{16}\b)"
    r"|(?P<task>(?<=tasks/)b[0-9a-z]{8}|(?<=ID: )b[0-9a-z]{8})"
)
# Written out as words, these depend on how long something took or when it happened.
WORDS = (
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"), "<time>"),
    (re.compile(r"\d{4}-\d\d-\d\d-\d{6}(?=-)"), "<time>"),  # in the names of exported conversations
    (re.compile(r"/cc-socks/\d+\.sock"), "/cc-socks/<pid>.sock"),
    (re.compile(r"(?<=Total duration \()(API|wall)\): +[\dms .]+"), r"\1): <duration>"),
    (re.compile(r"(?<=duration_ms: )\d+"), "<n>"),
    (re.compile(r"play-\d+"), "play-<n>"),
    (re.compile(r"-\d{13}-[0-9a-z]{6}\b"), "-<made up>"),  # names of files that keep large results
    (re.compile(r"(?<=/plans/)[a-z-]+\.md"), "<made up>.md"),
)
# Figures by name: times, and what Claude Code estimates from texts that hold paths.
FIGURES = re.compile(
    r"(_ms|Ms|_at|At|pid|_time_seconds|mtime|_faults|Tokens|_tokens|tokens|percentage|ttft|_time)$"
)
# Whole values by name: present in both runs, but alike only by chance.
OPAQUE = {"startup_timing", "gridRows", "task_id", "backgroundTaskId", "subagent_stats"}


def shape(messages: Iterable[Any], home: Path) -> list[Any]:
    """Return messages with ids numbered, times and figures levelled, and the run's home replaced."""
    numbered: dict[str, str] = {}

    def number(match: re.Match[str]) -> str:
        kind = match.lastgroup
        return numbered.setdefault(match[0], f"<{kind} {len(numbered) + 1}>")

    places = ((str(home), "<home>"), (re.sub(r"[^A-Za-z0-9]", "-", str(home)), "<home>"))

    def words(value: str) -> str:
        for place, name in places:
            value = value.replace(place, name)
        for pattern, replacement in WORDS:
            value = pattern.sub(replacement, value)
        return IDS.sub(number, value)

    return [_levelled(message, words) for message in messages]


def differences(one: Sequence[Any], other: Sequence[Any], *, ordered: bool) -> list[str]:
    """Return where two runs differ, for a person to read: an empty list when they are the same.

    Unordered, ids no longer show what belongs together, since they are numbered by their order.
    """
    left, right = ([_line(message, ordered) for message in side] for side in (one, other))
    if not ordered:
        left, right = sorted(_surplus(left, right)), sorted(_surplus(right, left))
    pairs = zip_longest(left, right, fillvalue="(nothing)")
    return [_where(*pair) for pair in pairs if pair[0] != pair[1]]


def _where(one: str, other: str) -> str:
    """Return the beginning of two lines, and the place where they part."""
    shorter = min(len(one), len(other))
    parted = next((place for place in range(shorter) if one[place] != other[place]), shorter)
    near = slice(max(0, parted - 100), parted + 100)
    return f"{one[:80]} ... {one[near]}\n    != {other[near]}"


def _levelled(value: Any, words: Callable[[str], str], name: str = "") -> Any:
    if name in OPAQUE:
        return f"<{name}>"
    if isinstance(value, dict):
        if FIGURES.search(name):
            return dict.fromkeys(value, 0)
        return {words(key): _levelled(item, words, key) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_levelled(item, words, name) for item in value]
    if isinstance(value, str):
        return words(value)
    is_figure = isinstance(value, int | float) and not isinstance(value, bool) and FIGURES.search(name)
    return 0 if is_figure else value


def _line(message: Any, ordered: bool) -> str:
    line = json.dumps(message, sort_keys=True, ensure_ascii=False, default=str)
    return line if ordered else re.sub(r"<(\w+) \d+>", r"<\1>", line)


def _surplus(lines: list[str], others: list[str]) -> list[str]:
    rest = list(others)
    surplus = []
    for line in lines:
        if line in rest:
            rest.remove(line)
        else:
            surplus.append(line)
    return surplus
