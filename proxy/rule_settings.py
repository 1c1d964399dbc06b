"""What a rule about sessions that run away takes, in the section ``rules`` of the configuration."""

from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from proxy.nearest import meant


class When(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """At what a rule applies: one of these, reached or passed."""

    cost_usd: Annotated[float, Meta(gt=0)] | None = None
    """Of the session, in US dollars; asked for in the middle of a turn."""
    output_tokens: Annotated[int, Meta(gt=0)] | None = None
    """Of the session, by all models; known as its cost is."""
    turn_minutes: Annotated[float, Meta(gt=0)] | None = None
    calls_in_turn: Annotated[int, Meta(gt=0)] | None = None
    """Of tools, by subagents too."""
    same_call: Annotated[int, Meta(ge=3)] | None = None
    """How often one call is made in a row, with the same input and the same answer."""
    same_round: Annotated[int, Meta(ge=3)] | None = None
    """The same for a round of two to five calls."""
    silent_seconds: Annotated[float, Meta(gt=0)] | None = None
    """In a turn, while neither a tool runs nor a question is open."""
    question_minutes: Annotated[float, Meta(gt=0)] | None = None
    """That a question waits for its answer."""
    files_written: Annotated[int, Meta(gt=0)] | None = None
    """Different files, by the session."""

    @property
    def condition(self) -> tuple[str, float]:
        """What it is, and its limit."""
        ((name, limit),) = self._given()
        return name, limit

    def _given(self) -> list[tuple[str, float]]:
        values = ((name, getattr(self, name)) for name in self.__struct_fields__)
        return [(name, value) for name, value in values if value is not None]

    def __post_init__(self) -> None:
        if len(self._given()) != 1:
            raise ValueError(f"takes one of {', '.join(self.__struct_fields__)}")


class Match(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Which sessions a rule is for, by patterns as of a shell (`nightly-*`)."""

    name: str | None = None
    cwd: str | None = None


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What is to be done when a session runs away."""

    when: When
    do: Literal["tell", "deny", "pause", "interrupt", "stop"] = "tell"
    warn_at: Annotated[float, Meta(gt=0, lt=1)] | None = None
    """At which share of the limit it is told that it comes near."""
    match: Match = Match()

    def __post_init__(self) -> None:
        if self.do == "deny" and self.when.question_minutes is None:
            raise ValueError("`do: deny` answers a question: it goes with question_minutes alone")


def rule_of(value: object) -> Rule:
    """Return the rule that a value of the configuration is. ValueError: it is none, and why."""
    if not isinstance(value, Mapping):
        raise ValueError("a rule takes `when`, `do`, `warn_at` and `match`")
    for place, model, part in (("", Rule, value), ("when.", When, value.get("when"))):
        for key in part if isinstance(part, Mapping) else ():
            if key not in model.__struct_fields__:
                known = model.__struct_fields__
                names = [f"{place}{name}" for name in known]
                hint = meant(f"{place}{key}", names, f"it takes {', '.join(known)}")
                raise ValueError(f"unknown {place}{key}; {hint}")
    return msgspec.convert(value, Rule)
