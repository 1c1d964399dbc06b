"""What is counted of a session: tools, permissions, commands."""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import TypeVar

import msgspec

from proxy.analysis.distribution import Distribution, share
from proxy.analysis.report import Command, Permissions, Tool
from proxy.analysis.spans import Span
from proxy.events import Event
from proxy.events.fields import Message, inner, text
from proxy.events.figures import run_outcome

_T = TypeVar("_T")
_MOST_NAMES = 200  # names that somebody made up must not fill memory
_OTHER = "(other)"
_MOST_WAITING = 2000  # requests without an answer; a session has a handful


class Counted(msgspec.Struct):
    """How often something had each outcome, and how long it took."""

    outcomes: Counter[str] = msgspec.field(default_factory=Counter)
    duration: Distribution = msgspec.field(default_factory=Distribution)

    def add(self, outcome: str, ms: float | None) -> None:
        """Take one; ``ms``: None where it does not matter how long it took."""
        self.outcomes[outcome] += 1
        if ms is not None:
            self.duration.add(ms)


class ToolCounts:
    """Takes tool calls that have ended."""

    def __init__(self) -> None:
        self._tools: dict[str, Counted] = {}

    def add(self, span: Span) -> None:
        """Take a call."""
        ms = span.ran_us(span.start_us) / 1000 if span.has_run else None
        bounded(self._tools, span.name, Counted).add(span.outcome, ms)

    def duration_of(self, name: str) -> Distribution:
        """Return how long the calls of a tool were."""
        return self._tools.get(name, Counted()).duration

    def report(self, still_open: list[Span]) -> list[Tool]:
        """Return all tools, the one with most calls first; calls that are open have no result so far."""
        names, is_full = [span.name for span in still_open], len(self._tools) >= _MOST_NAMES
        waiting = Counter(_OTHER if is_full and name not in self._tools else name for name in names)
        known = dict.fromkeys((*self._tools, *waiting))
        found = [_tool(name, self._tools.get(name, Counted()), waiting[name]) for name in known]
        return sorted(found, key=lambda one: (-one.calls, one.tool))


def _tool(name: str, tool: Counted, waiting: int) -> Tool:
    counted, calls = tool.outcomes, tool.outcomes.total() + waiting
    return Tool(
        tool=name,
        calls=calls,
        **{outcome: counted[outcome] for outcome in ("completed", "failed", "denied", "interrupted")},
        unfinished=counted["unfinished"] + waiting,
        failure_rate=share(counted["failed"], calls),
        duration=tool.duration.statistics(),
    )


def permissions(asked: Counted, still_open: int) -> Permissions:
    """Return permissions that have been answered, or never will be, with so many that wait for an answer now."""
    counted = asked.outcomes
    return Permissions(
        requested=counted.total() + still_open,
        **{outcome: counted[outcome] for outcome in ("allowed", "denied", "cancelled")},
        unanswered=counted["unfinished"] + still_open,
        waiting=asked.duration.statistics(),
    )


class Commands:
    """Takes what the client asked for, and what became of it.

    A prompt has the outcome of its turn; it is ``running`` in an open one, and ``queued`` when it had to wait and no
    turn of its own has begun. An answer has its decision, else its outcome. A request is ``failed`` when Claude Code
    has refused it, else ``sent``.
    """

    def __init__(self) -> None:
        self._outcomes: dict[str, Counter[str]] = {}
        self._requests: dict[str, str] = {}
        self._prompts: Counter[str] = Counter()
        self._running: str | None = None
        """The run of the prompt that is being answered."""

    def take(self, event: Event) -> None:
        """Take an event; most are of no consequence."""
        data, prompts = event.data, self._prompts
        match event.event_type:
            case "command_received":
                self._received(inner(data, "command"))
            case "run_started" if data.get("unprompted") is not True:
                waiting = "sent" if prompts["sent"] else "queued"
                prompts[waiting] = max(0, prompts[waiting] - 1)  # 0: it was given on the command line
                prompts["running"] += 1
                self._running = text(data, "run_id")
            case "run_completed" | "run_failed" | "run_interrupted" if self._running is not None:
                if self._running == text(data, "run_id"):
                    prompts["running"] -= 1
                    prompts[run_outcome(event.event_type, data)] += 1
                    self._running = None
            case "error" if text(data, "source") == "control_response":
                if action := self._requests.pop(text(data, "request_id") or "", None):
                    bounded(self._outcomes, action, Counter[str]).update(sent=-1, failed=1)

    def report(self) -> list[Command]:
        """Return all kinds of commands, the most frequent first."""
        counted = {**self._outcomes, "prompt": self._prompts}.items()
        found = [Command(action, outcomes.total(), +outcomes) for action, outcomes in counted if outcomes]
        return sorted(found, key=lambda one: (-one.count, one.action))

    def _received(self, command: Message) -> None:
        action, outcome = text(command, "action") or "unknown", "sent"
        if action == "prompt":
            self._prompts["queued" if command.get("queued") is True else "sent"] += 1
            return
        if action == "respond":
            outcome = text(command, "decision") or text(command, "outcome") or "success"
        elif action == "request":
            action = f"request {text(command, 'subtype') or ''}".strip()
        bounded(self._outcomes, action, Counter[str])[outcome] += 1
        if (request_id := text(command, "request_id")) is not None and len(self._requests) < _MOST_WAITING:
            self._requests[request_id] = action


def bounded(things: dict[str, _T], name: str, make: Callable[[], _T]) -> _T:
    """Return the thing of that name, made if it is new; beyond so many names all further ones share one."""
    if name not in things and len(things) >= _MOST_NAMES:
        name = _OTHER
    if name not in things:
        things[name] = make()
    return things[name]


def most_first(counts: Mapping[str, int]) -> dict[str, int]:
    """Return counts by name, the largest first, equal ones in the order of their names."""
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
