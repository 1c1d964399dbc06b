"""Turns and subagents, one by one: the newest of them, and counts of all."""

from collections import Counter, defaultdict, deque
from typing import Any

from proxy.analysis.distribution import Distribution
from proxy.analysis.report import Subagent, Turn
from proxy.analysis.spans import Span
from proxy.events.fields import number
from proxy.events.formatting import one_line
from proxy.events.spending import told_tokens
from proxy.events.timestamps import TimestampCodec

MOST_TURNS = 500  # as docs/analysis.md says
MOST_AGENTS = 500  # the same
_ERROR = 300  # characters: the first line of most errors


class Turns:
    """Takes turns and subagents that have ended."""

    def __init__(self) -> None:
        self.outcomes: Counter[str] = Counter()
        self.durations = Distribution()
        self.waited_ms: defaultdict[str, float] = defaultdict(float)
        """What the open turn has waited for, by activity."""
        self._turns: deque[Turn] = deque(maxlen=MOST_TURNS)
        self._agents: deque[Subagent] = deque(maxlen=MOST_AGENTS)
        self._codec = TimestampCodec()

    def add(self, span: Span) -> None:
        """Take a turn or a subagent."""
        if span.kind == "turn":
            turn = self._turn(span)
            self.waited_ms.clear()
            self.outcomes[span.outcome] += 1
            self.durations.add(turn.duration_ms)
            self._turns.append(turn)
        else:
            self._agents.append(self._agent(span))

    def turns(self, still_open: Span | None, until_us: int) -> list[Turn]:
        """Return the newest turns, the one that is open last."""
        last = [] if still_open is None else [self._turn(still_open, until_us)]
        return [*self._turns, *last][-MOST_TURNS:]

    def agents(self, still_open: list[Span], until_us: int) -> list[Subagent]:
        """Return the newest subagents by their start."""
        found = [*self._agents, *(self._agent(span, until_us) for span in still_open)]
        return sorted(found, key=lambda one: one.started_at)[-MOST_AGENTS:]

    def _turn(self, span: Span, until_us: int = 0) -> Turn:
        return Turn(
            run_id=span.id,
            prompt=span.label,
            **self._of_both(span, until_us),
            activities={name: round(ms, 3) for name, ms in self.waited_ms.items()},
            cost_usd=number(span.data, "cost_usd"),
            tokens=told_tokens(span.data),
            errors=errors_of(span.data),
        )

    def _agent(self, span: Span, until_us: int = 0) -> Subagent:
        return Subagent(
            id=span.id,
            kind=span.name or None,
            description=span.label,
            total_tokens=span.tokens,
            **self._of_both(span, until_us),
        )

    def _of_both(self, span: Span, until_us: int) -> dict[str, Any]:
        return {
            **{name: getattr(span, name) for name in ("seq", "outcome", "tool_calls", "tool_failures")},
            "started_at": self._codec.format(span.start_us),
            "ended_at": None if span.end_us is None else self._codec.format(span.end_us),
            "duration_ms": span.us(until_us) / 1000,
        }


def errors_of(data: dict[str, object]) -> list[str]:
    """Return what an event says went wrong, shortened, at most five of them."""
    errors = data.get("errors")
    return [one_line(str(one), _ERROR) for one in errors[:5]] if isinstance(errors, list) else []
