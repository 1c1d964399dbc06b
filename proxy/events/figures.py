"""The figures of a session: each has one meaning, is computed here alone, and is the same wherever it is shown.

==================  =================================================================================================
``events``          what happened: events of the interpreter, and those that clients post
``turns``           results of Claude Code; a turn without one, as it goes on or was cut off, is not counted. With text
                    output, which has no result: 1 when the command has exited by itself. Of an interactive session:
                    turns of its prompts that were neither interrupted nor cut off
``results``         turns of which the end is on record, whatever they count for
``tool_calls``      calls of tools, by the main agent and by subagents, whatever became of them
``tool_failures``   calls that ended in an error, without those that were denied or interrupted
``tool_denials``    calls that never ran because somebody, a hook or a rule refused them
``approvals``       calls by who or what decided on them, and how: ``{"caller": {"deny": 1}}``
``subagents``       subagents that Claude Code announces, and those that are seen to call tools
``cost_usd``        what all turns cost. Claude Code states a total of its process, which begins anew after ``/clear``:
                    a total that falls starts a new base. Of an interactive session: of the conversations that
                    have ended, without what they took before it
``models``          the same rule for the tokens and the cost of each model
``duration_ms``     how long the command ran, as the record of its exit says; until there is one, from the first
                    record to now, or to the last record where the wrapper died (`Session.duration_ms`)
==================  =================================================================================================
"""

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from proxy.events.approved_calls import decided
from proxy.events.fields import number
from proxy.events.spending import COST, TOKENS, Usage, tokens_of

__all__ = ["TOKENS", "CallOutcome", "Figures", "RunOutcome", "call_outcome", "is_turn", "run_outcome"]

CallOutcome = Literal["completed", "failed", "denied", "interrupted"]
RunOutcome = Literal["completed", "failed", "limited", "blocked", "interrupted", "unfinished"]


class Totals(msgspec.Struct):
    """Counts of the whole session, as the status shows them."""

    turns: int = 0
    """Results of Claude Code."""
    tool_calls: int = 0
    """Calls of tools, whatever became of them."""
    tool_failures: int = 0
    """Calls that ended in an error, without those that were denied or interrupted."""
    tool_denials: int = 0
    """Calls that never ran, because somebody, a hook or a rule refused them."""
    subagents: int = 0


class Figures(Totals, omit_defaults=True):
    """Counts and amounts that grow with each event of one session."""

    events: int = 0
    results: int = 0
    approvals: dict[str, dict[str, int]] = {}
    cost_usd: float | None = None
    """None until a result states a cost."""
    models: dict[str, Usage] = {}
    """What each model took, all agents together: the `TOKENS`, and ``cost_usd``."""

    @property
    def tokens(self) -> dict[str, int]:
        """Tokens of all models; empty until a result states them."""
        return tokens_of(self.models)

    @property
    def cost_by_model(self) -> dict[str, float]:
        """What was spent on each model, in US dollars, as far as results state it."""
        return {name: usage[COST] for name, usage in self.models.items() if COST in usage}

    def take(self, event_type: str, data: Mapping[str, Any]) -> None:
        """Count an event."""
        self.events += 1
        if (approval := decided(event_type, data)) is not None:
            counts = self.approvals.setdefault(approval.by, {})
            counts[approval.decision] = counts.get(approval.decision, 0) + 1
        match event_type:
            case "tool_started":
                self.tool_calls += 1
                self.subagents += data.get("new_subagent") is True
            case "task_started":
                self.subagents += data.get("new_subagent") is True
            case "tool_failed" | "tool_denied" if "tool" in data:  # else it is the result of no call
                outcome = call_outcome(event_type, data)
                self.tool_failures += outcome == "failed"
                self.tool_denials += outcome == "denied"
            case "run_completed" | "run_failed" | "run_interrupted" if "subtype" in data:
                self.results += 1
                self.turns += is_turn(data)
                self._pay(dict(data))
            case "cost_updated":
                self._pay(dict(data))

    def _pay(self, data: dict[str, Any]) -> None:
        """Take what has been spent so far, as `proxy.events.spending` makes it of what Claude Code states."""
        if (total := number(data, "total_cost_usd")) is not None:
            self.cost_usd = total
        if isinstance(models := data.get("model_usage"), dict) and models:
            self.models = {name: _figures(usage) for name, usage in models.items() if isinstance(usage, dict)}


def _figures(usage: dict[str, Any]) -> Usage:
    return {name: value for name in (*TOKENS, COST) if (value := number(usage, name)) is not None}


def is_turn(data: Mapping[str, Any]) -> bool:
    """Tell whether the end of a turn counts as a turn, from its event.

    Of an interactive session only turns of its prompts count that were not interrupted.
    """
    subtype = data.get("subtype")
    return subtype is not None and subtype != "interrupted" and data.get("unprompted") is not True


def call_outcome(event_type: str, data: Mapping[str, Any]) -> CallOutcome:
    """Return what became of a tool call, from the event of its result."""
    if event_type != "tool_failed":
        return "denied" if event_type == "tool_denied" else "completed"
    return "interrupted" if data.get("interrupted") is True else "failed"


def run_outcome(event_type: str, data: Mapping[str, Any]) -> RunOutcome:
    """Return what became of a turn, from the event of its end; ``unfinished`` is one that was cut off."""
    if event_type != "run_failed":
        return "completed" if event_type == "run_completed" else "interrupted"
    if data.get("subtype") is None:
        return "unfinished"
    outcome = data.get("outcome")
    return outcome if outcome in ("limited", "blocked") else "failed"
