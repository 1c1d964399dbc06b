"""What a check found, and what it is worth: outcomes, a score for each group, one for all."""

from collections.abc import Collection, Iterable, Mapping
from types import MappingProxyType
from typing import Literal

import msgspec

from proxy.compliance.request import Percent
from proxy.compliance.scenario import GROUPS, Group
from proxy.events.timestamps import Timestamp

Verdict = Literal["passed", "failed", "skipped"]
WEIGHTS: Mapping[Group, int] = MappingProxyType({"schema": 30, "behaviour": 50, "performance": 20})
"""What each group counts for in the overall score; a group without a scenario counts for nothing."""


class Problem(msgspec.Struct, frozen=True):
    """Something that was expected, and what came instead."""

    expected: str
    came: str


class Measured(msgspec.Struct, frozen=True):
    """Two medians and their ratio."""

    bare: float
    """The median without the wrapper."""
    wrapped: float
    """The median with it."""
    unit: str
    ratio: float
    limit: float


class Outcome(msgspec.Struct, frozen=True):
    """How one scenario of a check ended: what was expected, what came, and why it matters."""

    name: str
    """With its group, as in `behaviour/exit-status`."""
    group: Group
    title: str
    why: str
    """Why it matters."""
    weight: int
    """Its points."""
    verdict: Verdict
    """`skipped` counts for nothing: it cannot be asked of the real `claude`."""
    duration_ms: int = 0
    problems: tuple[Problem, ...] = ()
    measured: Measured | None = None


class GroupScore(msgspec.Struct, frozen=True):
    """The score of a group."""

    group: Group
    weight: int
    """What it counts for in the overall score."""
    score: float | None
    """Per cent of the points; None where no scenario was run."""
    points: int
    of: int


class Report(msgspec.Struct, frozen=True):
    """A whole check of a program that stands in for `claude`, as `claude-proxy check --json` gives it."""

    wrapper: str
    """Its command line; empty for the bare stand-in."""
    as_argument: bool
    """Whether claude is its first argument."""
    claude: str | None
    """The real `claude` that was used, None for the stand-in."""
    version: str
    """Of claude-proxy."""
    started_at: Timestamp
    duration_ms: int
    threshold: Percent
    score: Percent
    passed: bool
    groups: tuple[GroupScore, ...]
    scenarios: tuple[Outcome, ...]
    unseen: tuple[str, ...] = ()
    """What this system did not let the check see: a sentence each."""


def grouped(outcomes: Collection[Outcome]) -> tuple[GroupScore, ...]:
    """Return the score of each group: the weights of what passed, of those of all that ran."""
    return tuple(_score(group, [one for one in outcomes if one.group == group]) for group in GROUPS)


def overall(groups: Iterable[GroupScore]) -> float:
    """Return the mean of the groups' scores by their weights; 0 if nothing ran."""
    counted = [(group.score, group.weight) for group in groups if group.score is not None]
    weight = sum(weight for _, weight in counted)
    return round(sum(score * weight for score, weight in counted) / weight, 2) if weight else 0.0


def _score(group: Group, outcomes: list[Outcome]) -> GroupScore:
    points = sum(one.weight for one in outcomes if one.verdict == "passed")
    of = sum(one.weight for one in outcomes if one.verdict != "skipped")
    return GroupScore(group, WEIGHTS[group], round(100 * points / of, 2) if of else None, points, of)
