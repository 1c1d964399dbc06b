"""What a session cost: money and tokens per turn, per model and per agent, as Claude Code states them.

The totals are those of `proxy.events.figures`. A turn's `usage` is the main agent's alone, so the others' is what is
left of the models' usage. Of a turn that was cut short, as by an interrupt, `usage` lacks the call of the model that
was cut, so it is not stated whose the rest is.
"""

from collections import Counter

from proxy.analysis.distribution import Distribution
from proxy.analysis.report import AgentTokens, Cost, ModelCost
from proxy.events.fields import Message, inner, number, text
from proxy.events.figures import TOKENS, Figures
from proxy.events.spending import api_usage, told_tokens


class Costs:
    """Takes the ends of turns."""

    def __init__(self) -> None:
        self.per_turn = Distribution()
        self._main: Counter[str] = Counter()
        self._unstated: Counter[str] = Counter()

    def take(self, data: Message) -> None:
        """Take the data of an event that ends a turn."""
        if (cost := number(data, "cost_usd")) is not None:
            self.per_turn.add(cost)
        usage = api_usage(inner(data, "usage"))
        self._main.update(usage)
        if text(data, "outcome") != "ok":
            told = told_tokens(data)
            self._unstated.update({name: max(0, count - usage.get(name, 0)) for name, count in told.items()})

    def report(self, figures: Figures) -> Cost:
        """Return what it cost so far, with the session's figures."""
        tokens, main, unstated = figures.tokens, self._main.copy(), self._unstated.copy()
        others = {name: max(0, count - main[name] - unstated[name]) for name, count in tokens.items()}
        by_agent = [AgentTokens("main", main)] if main else []
        by_agent += [AgentTokens("others", others)] if any(others.values()) else []
        by_agent += [AgentTokens("unstated", unstated)] if any(unstated.values()) else []
        by_model = [_model(name, used) for name, used in figures.models.items()]
        return Cost(
            total_usd=figures.cost_usd,
            tokens=tokens or main,
            per_turn=self.per_turn.statistics(),
            by_model=sorted(by_model, key=lambda one: -(one.cost_usd or 0.0)),
            by_agent=by_agent,
        )


def _model(name: str, used: dict[str, float]) -> ModelCost:
    cost = used.get("cost_usd")
    tokens = {key: int(used[key]) for key in TOKENS if key in used}
    return ModelCost(name, None if cost is None else round(cost, 9), tokens)
