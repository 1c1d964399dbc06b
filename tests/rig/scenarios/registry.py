"""What a scenario is, and the list of all of them."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tests.rig.stage import Stage

__all__ = ["Scenario", "all_scenarios", "is_since", "scenario"]

Playing = Callable[[Stage], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Scenario:
    """A named piece of client behaviour with a known course.

    `fixture` is False for what would only make the repository large. `ordered` is False where Claude Code
    itself does not always write its messages in one order, because it does two things at the same time.
    `since` is the first release from which on it takes the course that its summary tells, of those that were
    tried; None for any. `across`: recordings of it are kept for several releases.
    """

    name: str
    summary: str
    play: Playing
    fixture: bool
    ordered: bool
    since: str | None = None
    across: bool = False

    def is_for(self, release: str) -> bool:
        """Tell whether that release of Claude Code can play it."""
        return self.since is None or is_since(release, self.since)


def is_since(release: str, first: str) -> bool:
    """Tell whether a release is that one or a later one."""
    parts, first_parts = ([int(part) for part in re.findall(r"\d+", one)] for one in (release, first))
    return parts >= first_parts


_scenarios: dict[str, Scenario] = {}


def scenario(
    *, fixture: bool = True, ordered: bool = True, since: str | None = None, across: bool = False
) -> Callable[[Playing], Playing]:
    """Register a function as the scenario of its name; its docstring says what happens."""

    def register(play: Playing) -> Playing:
        name = play.__name__
        assert name not in _scenarios, f"two scenarios are called {name}"
        summary = (play.__doc__ or "").strip().partition("\n")[0]
        _scenarios[name] = Scenario(name, summary, play, fixture, ordered, since, across)
        return play

    return register


def all_scenarios() -> list[Scenario]:
    """Return every registered scenario, by name."""
    return [_scenarios[name] for name in sorted(_scenarios)]
