"""What a session has cost, by one rule for every figure of cost and tokens anywhere.

Claude Code states totals that run over its whole process, and begins them anew after ``/clear``. So a total that falls
starts a new base: what was spent before is kept, and what is stated from then on comes on top.

The totals of a process that resumes or forks a conversation go on from what that took before (seen with 2.1.330;
2.1.173 began at nothing). Such releases also state with each result what the process took since the one before, so the
first result tells what is not this session's.
"""

from collections.abc import Mapping

import msgspec

from proxy.events.fields import Message, inner, integer, number

TOKENS = ("input", "output", "cache_read", "cache_creation")
API_TOKENS = ("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
"""What the API calls them in `usage`."""
COST = "cost_usd"
_STATED = ("inputTokens", "outputTokens", "cacheReadInputTokens", "cacheCreationInputTokens", "costUSD")
"""What Claude Code calls them in `modelUsage`."""
_MOST_MODELS = 50
"""Models that are told apart, as a log may name any number; Claude Code itself knows about 20."""
DIGITS = 12
"""Digits of a dollar that are kept of a sum: less than any token costs, more than binary fractions add to it."""

Usage = dict[str, int | float]
"""What one model took: a number for each of `TOKENS` and `COST` that is known."""


class Spending(msgspec.Struct, omit_defaults=True):
    """The running account of one session."""

    base_usd: float = 0.0
    """What was spent before the totals began anew."""
    stated_usd: float | None = None
    """The total that was stated last."""
    base_models: dict[str, Usage] = {}
    stated_models: dict[str, Usage] = {}
    has_result: bool = False
    """A result has stated totals."""

    @property
    def cost_usd(self) -> float | None:
        """What all turns cost, in US dollars; None where nobody said."""
        if self.stated_usd is None or not self.base_usd:
            return self.stated_usd
        return round(self.base_usd + self.stated_usd, DIGITS)

    @property
    def models(self) -> dict[str, Usage]:
        """What each model took in all its turns."""
        if not self.base_models:
            return self.stated_models
        found = sum_of(self.base_models, self.stated_models)
        return {name: usage for name, usage in found.items() if any(usage.values())}

    def go_on_from(self, before_usd: float, before_models: Mapping[str, Usage]) -> None:
        """Take totals as those with which the process began: they are no part of what the session took."""
        self.base_usd, self.stated_usd = round(-before_usd, DIGITS), before_usd
        self.base_models, self.stated_models = _negative(before_models), dict(before_models)

    def begin_conversation(self, before_usd: float, before_models: Mapping[str, Usage]) -> None:
        """Turn to a conversation whose totals begin with what it took in sessions before this one."""
        self.base_usd = round(self.base_usd + (self.stated_usd or 0.0) - before_usd, DIGITS)
        self.base_models = sum_of(self.models, _negative(before_models))
        self.stated_usd, self.stated_models = None, {}

    def take_result(
        self, total_usd: float | None, models: Mapping[str, Usage] | None, since: Mapping[str, Usage] | None
    ) -> float | None:
        """Take the totals of a turn's result, None for what it does not state. Return what the turn cost, or None.

        ``since``: what the process took since its last result.
        """
        if total_usd is not None and not self.has_result:
            self.has_result = True
            self.go_on_from(*_carried(total_usd, models or {}, since))
        return self.take(total_usd, models)

    def take(self, total_usd: float | None, models: Mapping[str, Usage] | None) -> float | None:
        """Take totals, None for what is not stated. Return by how much the cost has grown, or None."""
        before = self.stated_usd or 0.0
        falls = total_usd is not None and total_usd < before
        if falls:
            self.base_usd, before = round(self.base_usd + before, DIGITS), 0.0
        # An empty one beside a total that goes on states nothing.
        if models is not None and (models or falls):
            if falls or _has_restarted(self.stated_models, models):
                self.base_models, self.stated_models = sum_of(self.base_models, self.stated_models), {}
            # A gateway may state one number of a model and not the next time: what was stated holds.
            stated, names = self.stated_models, list(models)[:_MOST_MODELS]
            self.stated_models = {name: stated.get(name, {}) | models[name] for name in names}
        if total_usd is None:
            return None
        # No integer: kept as JSON and read again, it is to be the same.
        self.stated_usd = float(total_usd)
        return round(total_usd - before, DIGITS)


def stated_usage(message: Message, key: str = "modelUsage") -> dict[str, Usage] | None:
    """Return what each model took since the totals began, as a message states it; None: it does not.

    ``key``: what states it; ``model_usage_since_last_result`` does so since the last result.
    """
    stated = message.get(key)
    if not isinstance(stated, dict):
        return None
    names = dict(zip((*TOKENS, COST), _STATED, strict=True))
    return {
        name: {ours: value for ours, theirs in names.items() if (value := number(model, theirs)) is not None}
        for name, model in stated.items()
        if isinstance(model, dict)
    }


def tokens_of(models: Mapping[str, Usage]) -> dict[str, int]:
    """Return the tokens of `TOKENS` that all models took; empty where none is named."""
    return {name: int(sum(usage.get(name, 0) for usage in models.values())) for name in TOKENS if models}


def told_tokens(data: Message) -> dict[str, int]:
    """Return the tokens of `TOKENS` that an event states."""
    told = inner(data, "tokens")
    return {name: count for name in TOKENS if (count := integer(told, name)) is not None}


def api_usage(usage: Message) -> dict[str, int]:
    """Return the tokens of `TOKENS` that the API states."""
    named = zip(TOKENS, API_TOKENS, strict=True)
    return {ours: count for ours, theirs in named if (count := integer(usage, theirs)) is not None}


def _has_restarted(before: Mapping[str, Usage], now: Mapping[str, Usage]) -> bool:
    """Whether a model is gone, or a total of one is lower than it was."""
    return any(
        name not in now or any(now[name].get(key, value) < value for key, value in usage.items())
        for name, usage in before.items()
    )


def _carried(
    total_usd: float, models: Mapping[str, Usage], since: Mapping[str, Usage] | None
) -> tuple[float, dict[str, Usage]]:
    """Return the totals with which a process began, by its first result."""
    if since is not None and all(COST in usage for usage in since.values()):
        before_usd = round(total_usd - sum(usage[COST] for usage in since.values()), DIGITS)
        if before_usd > 0:
            return before_usd, sum_of(models, _negative(since))
    return 0.0, {}


def _negative(models: Mapping[str, Usage]) -> dict[str, Usage]:
    return {name: {key: -value for key, value in usage.items()} for name, usage in models.items()}


def sum_of(one: Mapping[str, Usage], other: Mapping[str, Usage]) -> dict[str, Usage]:
    """Return what each model took in both."""
    found = {name: dict(usage) for name, usage in one.items()}
    for name, usage in other.items():
        if name not in found and len(found) >= _MOST_MODELS:
            continue
        sums = found.setdefault(name, {})
        for key, value in usage.items():
            sums[key] = round(sums.get(key, 0) + value, DIGITS)
    return found
