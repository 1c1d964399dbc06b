"""What a session cost: money and tokens per turn, per model, per agent, as Claude Code states them.

`total_cost_usd` and the usage of models run over the whole process and begin anew after a reset; what a turn took is
the difference. A turn's `usage` is the main agent's alone, so the others' is what is left of the models' usage.
"""

from typing import Any

from proxy.analysis.figures import Distribution
from proxy.analysis.report import AgentTokens, Cost, ModelCost
from proxy.events.reading import Message, inner, number, whole

__all__ = ["Ledger", "turn_tokens"]

_USAGE = {
    "input": "input_tokens",
    "output": "output_tokens",
    "cache_read": "cache_read_input_tokens",
    "cache_creation": "cache_creation_input_tokens",
}
_MOST_MODELS = 50


class Ledger:
    """Takes the ends of turns."""

    def __init__(self) -> None:
        self.total_usd: float | None = None
        self.main: dict[str, int] = {}
        self.models: dict[str, dict[str, float]] = {}
        self._seen: dict[str, dict[str, float]] = {}
        self.per_turn = Distribution()

    def take(self, data: Message) -> None:
        """Take the data of an event that ends a turn."""
        cost = number(data, "cost_usd")
        if cost is not None:
            self.total_usd = (self.total_usd or 0.0) + cost
            self.per_turn.add(cost)
        _add(self.main, turn_tokens(data))
        for model, stated in inner(data, "model_usage").items():
            if isinstance(stated, dict) and (model in self.models or len(self.models) < _MOST_MODELS):
                self._take_model(model, stated)

    def report(self) -> Cost:
        """Return what it cost so far."""
        by_model = [_model(name, used) for name, used in self.models.items()]
        everything: dict[str, int] = {}
        for one in by_model:
            _add(everything, one.tokens)
        by_agent = [AgentTokens("main", dict(self.main))] if self.main else []
        if everything:
            others = {name: max(0, count - self.main.get(name, 0)) for name, count in everything.items()}
            by_agent += [AgentTokens("others", others)] if any(others.values()) else []
        return Cost(
            total_usd=None if self.total_usd is None else round(self.total_usd, 9),
            tokens=everything or dict(self.main),
            per_turn=self.per_turn.figures(),
            by_model=sorted(by_model, key=lambda one: -(one.cost_usd or 0.0)),
            by_agent=by_agent,
        )

    def _take_model(self, model: str, stated: dict[str, Any]) -> None:
        names = (*_USAGE, "cost_usd")
        now = {name: value for name in names if (value := number(stated, name)) is not None}
        before, used = self._seen.get(model, {}), self.models.setdefault(model, {})
        begun_anew = any(value < before.get(name, 0) for name, value in now.items())
        for name, value in now.items():
            used[name] = used.get(name, 0) + value - (0 if begun_anew else before.get(name, 0))
        self._seen[model] = now


def turn_tokens(data: Message) -> dict[str, int]:
    """Return the tokens that a turn's main agent took."""
    usage = inner(data, "usage")
    return {name: count for name, key in _USAGE.items() if (count := whole(usage, key)) is not None}


def _model(name: str, used: dict[str, float]) -> ModelCost:
    cost = used.get("cost_usd")
    tokens = {key: int(value) for key, value in used.items() if key != "cost_usd"}
    return ModelCost(name, None if cost is None else round(cost, 9), tokens)


def _add(sums: dict[str, int], more: dict[str, int]) -> None:
    for name, count in more.items():
        sums[name] = sums.get(name, 0) + count
