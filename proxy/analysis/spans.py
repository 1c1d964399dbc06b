"""What lasts: turns, tool calls, subagents, tasks and permissions, each from its beginning to its end.

Rules it lives by:

* A span ends once: ``completed``, ``failed``, ``limited``, ``blocked``, ``denied``, ``interrupted``, ``stopped``,
  ``allowed``, ``cancelled``, or ``unfinished`` when whatever it was a part of ended before it. Until then it is
  ``open``.
* A tool call ends as `call_outcome` says: one that was denied or interrupted has not failed.
* A tool call of the main agent is over with its turn at the latest. What runs in the background is over with the
  session at the latest.
* What is open is bounded: the oldest gives way and counts as unfinished.
"""

from typing import Any

import msgspec

from proxy.analysis.report import Activity, SpanKind
from proxy.events import Event
from proxy.events.fields import Message, inner, integer, text
from proxy.events.figures import call_outcome, run_outcome
from proxy.events.formatting import SUMMARY_FIELDS, one_line
from proxy.events.session import AGENT_TOOLS
from proxy.events.timestamps import parse_timestamp
from proxy.events.vocabulary import OVER

MOST_OPEN = 2000
"""Spans of one kind that may be open at once."""


class Span(msgspec.Struct):
    """Something that lasts. ``parent`` is the id of the span that it is a part of."""

    kind: SpanKind
    id: str
    start_us: int
    seq: int | None
    label: str
    parent: str | None = None
    end_us: int | None = None
    end_seq: int | None = None
    outcome: str = "open"
    name: str = ""
    """A tool's name; a subagent's kind."""
    agent: str = ""
    """Of a tool call: the call of the subagent that made it; empty for the main agent."""
    call: int = 0
    """Of a tool call: tells the same tool with the same input from any other."""
    answer: int = 0
    """Of a tool call: the same for its result."""
    asked_us: int = 0
    """Of a tool call: how long its permission took."""
    asking_us: int | None = None
    """Of a tool call: since when a permission for it has been asked for, while it has no answer."""
    is_foreground: bool = False
    """Of a tool call: the turn waits for it."""
    is_agent: bool = False
    """Of a tool call: it is the call of a subagent."""
    tool_calls: int = 0
    tool_failures: int = 0
    tokens: int | None = None
    data: Message = {}
    """Of a turn: what its end carries."""

    @property
    def began(self) -> tuple[int | None, int]:
        """Its first record, and when that was."""
        return self.seq, self.start_us

    @property
    def has_run(self) -> bool:
        """Whether it is a tool call that has run to its end."""
        return self.kind == "tool" and self.outcome in ("completed", "failed")

    def us(self, until_us: int) -> int:
        """Return how long it lasted, so far if it is open."""
        return max(0, (until_us if self.end_us is None else self.end_us) - self.start_us)

    def ran_us(self, until_us: int) -> int:
        """Return how long a tool call ran: without the time in which somebody was asked whether it may."""
        asking = 0 if self.asking_us is None or self.end_us is not None else until_us - self.asking_us
        return max(0, self.us(until_us) - self.asked_us - max(0, asking))


class Spans:
    """Follows what is open; `take` returns what an event ends."""

    def __init__(self) -> None:
        self.turn: Span | None = None
        self._waiting: Span | None = None
        """The turn that goes on when the open one has ended."""
        self.tools: dict[str, Span] = {}
        self.agents: dict[str, Span] = {}
        """Subagents by the tool use that called them, tasks that no tool use called by their own id."""
        self.permissions: dict[str, Span] = {}
        self._tasks: dict[str, str] = {}
        self._state = "starting"
        self._is_unseen = False
        """The command prints its answer alone: what it does in a turn cannot be seen."""
        self._closed: list[Span] = []

    def take(self, event: Event) -> list[Span]:
        """Return the spans that end with an event, inner ones first."""
        self._closed = []
        data, us, kind = event.data, _happened_us(event), event.event_type
        self._state = text(data, "state") or self._state
        match kind:
            case "session_started":
                self._is_unseen = "output_format" in data
            case "run_started":
                self._begin_turn(data, us)
            case "run_completed" | "run_failed" | "run_interrupted":
                self._end_turn(run_outcome(kind, data), data, us)
            case "tool_started":
                self._begin_tool(data, us)
            case "tool_completed" | "tool_failed" | "tool_denied":
                self._end_tool(call_outcome(kind, data), data, us)
            case "permission_requested":
                self._ask(data, us)
            case "permission_resolved":
                self._answer(data, us)
            case "task_started":
                self._begin_task(data, us)
            case "task_completed" | "task_failed" | "task_stopped":
                self._end_task(kind.removeprefix("task_"), data, us)
            case "session_ended":
                self._end_all(data, us)
        return self._closed

    @property
    def turn_id(self) -> str | None:
        """The turn that is open."""
        return None if self.turn is None else self.turn.id

    def open(self) -> list[Span]:
        """Return what is open, outer spans first."""
        turn = [] if self.turn is None else [self.turn]
        return [*turn, *self.agents.values(), *self.tools.values(), *self.permissions.values()]

    def activity(self) -> Activity | None:
        """Return what the session's time goes into now; None when it is over."""
        if self._state in OVER:
            return None
        if self.permissions:
            return "permission"
        if self._state == "compacting":
            return "compacting"
        if self.turn is None:
            return "background" if self.agents else "starting" if self._state == "starting" else "user"
        if self._is_unseen:
            return "turn"
        are_agents = [tool.is_agent for tool in self.tools.values() if tool.is_foreground]
        return "model" if not are_agents else "subagents" if all(are_agents) else "tools"

    # -- turns -------------------------------------------------------------------------------------------------

    def _begin_turn(self, data: Message, us: int) -> None:
        if self.turn is not None and text(data, "ahead_of") == self.turn.id:
            self._set_aside(data, us)
            return
        if self.turn is not None:
            self._end_turn("unfinished", data, us)
        without = "(begun by Claude Code)" if data.get("unprompted") else "(no prompt)"
        prompt, run_id = text(data, "prompt") or without, text(data, "run_id") or f"run@{us}"
        self.turn = Span("turn", run_id, us, seq_of(data), one_line(prompt))

    def _set_aside(self, data: Message, us: int) -> None:
        """Take another turn for what was taken for the open one: that one begins now, with nothing done yet."""
        assert self.turn is not None
        was = self.turn
        label = f"(begun by Claude Code: {text(data, 'origin')})"
        self.turn = Span("turn", text(data, "run_id") or f"run@{us}", was.start_us, was.seq, one_line(label))
        self.turn.tool_calls, self.turn.tool_failures = was.tool_calls, was.tool_failures
        self._waiting = Span("turn", was.id, us, was.seq, was.label)

    def _end_turn(self, outcome: str, data: Message, us: int) -> None:
        for permission in [one for one in self.permissions.values() if one.agent == ""]:
            del self.permissions[permission.id]
            self._close(permission, "unfinished", data, us)
        for tool in [one for one in self.tools.values() if one.is_foreground]:
            del self.tools[tool.id]
            self._close(tool, "unfinished", data, us)
        if self.turn is not None:
            turn, self.turn, self._waiting = self.turn, self._waiting, None
            turn.data = data
            self._close(turn, outcome, data, us)

    # -- tools -------------------------------------------------------------------------------------------------

    def _begin_tool(self, data: Message, us: int) -> None:
        name, key = text(data, "tool") or "unknown", text(data, "tool_use_id")
        if key is None or key in self.tools:
            return
        called_by = text(data, "parent_tool_use_id") or ""
        foreground = self.turn is not None and (not called_by or called_by in self.tools)
        given = data.get("input")
        tool = Span("tool", key, us, seq_of(data), _label(name, given), self._parent(called_by))
        tool.name, tool.agent, tool.call = name, called_by, _digest(name, given)
        tool.is_foreground, tool.is_agent = foreground, name in AGENT_TOOLS
        self._make_room(self.tools, data, us)
        self.tools[key] = tool
        for owner in self._owners(called_by):
            owner.tool_calls += 1

    def _end_tool(self, outcome: str, data: Message, us: int) -> None:
        tool = self.tools.pop(text(data, "tool_use_id") or "", None)
        if tool is None:
            return
        tool.answer = _digest(outcome, data.get("result"))
        if outcome == "failed":
            for owner in self._owners(tool.agent):
                owner.tool_failures += 1
        if tool.id in self.agents and (tool.id not in self._tasks.values() or outcome != "completed"):
            self._end_agent(tool.id, outcome, data, us)
        self._close(tool, outcome, data, us)

    def _owners(self, called_by: str) -> list[Span]:
        return [one for one in (self.turn, self.agents.get(called_by)) if one is not None]

    def _parent(self, called_by: str) -> str | None:
        """Return what a tool call is a part of; whoever calls tools from within a call is a subagent."""
        if called_by:
            if called_by not in self.agents and (caller := self.tools.get(called_by)) is not None:
                caller.is_agent = True
                self._begin_agent(called_by, caller.start_us, caller.seq, caller.label)
            if called_by in self.agents:
                return self.agents[called_by].id
        return self.turn_id

    # -- permissions -------------------------------------------------------------------------------------------

    def _ask(self, data: Message, us: int) -> None:
        key = text(data, "request_id")
        if key is None:
            return
        name = text(data, "tool") or "unknown"
        asked = Span("permission", key, us, seq_of(data), one_line(f"permission: {name}"), self.turn_id)
        asked.name = name
        if (tool := self.tools.get(text(data, "tool_use_id") or "")) is not None:
            tool.asking_us, asked.parent = us, tool.parent
            asked.agent = "" if tool.is_foreground else tool.agent
        self._make_room(self.permissions, data, us)
        self.permissions[key] = asked

    def _answer(self, data: Message, us: int) -> None:
        asked = self.permissions.pop(text(data, "request_id") or "", None)
        if asked is None:
            return
        outcome = {"allow": "allowed", "deny": "denied"}.get(text(data, "decision") or "", "cancelled")
        if (tool := self.tools.get(text(data, "tool_use_id") or "")) is not None:
            tool.asked_us += asked.us(us)
            tool.asking_us = None
        self._close(asked, outcome, data, us)

    # -- subagents and tasks -----------------------------------------------------------------------------------

    def _begin_task(self, data: Message, us: int) -> None:
        task_id = text(data, "task_id")
        if task_id is None or task_id in self._tasks:
            return
        key = text(data, "tool_use_id") or task_id
        if key not in self.agents:
            self._begin_agent(key, us, seq_of(data), text(data, "description") or "")
            if (over := self._tasks.get(text(data, "parent_task_id") or "")) is not None:
                self.agents[key].parent = f"agent:{over}"
        agent, subagent, kind = self.agents[key], text(data, "subagent_type"), text(data, "task_type") or ""
        agent.name = subagent or kind or agent.name
        if subagent is None and kind and "agent" not in kind:
            agent.kind = "task"
        self._tasks[task_id] = key

    def _begin_agent(self, key: str, us: int, seq: int | None, about: str) -> None:
        caller = self.tools.get(key)
        parent = self.turn_id if caller is None else caller.parent
        if len(self.agents) >= MOST_OPEN:
            self._end_agent(next(iter(self.agents)), "unfinished", {}, us)
        self.agents[key] = Span("subagent", f"agent:{key}", us, seq, one_line(about) or "subagent", parent)

    def _end_task(self, outcome: str, data: Message, us: int) -> None:
        key = self._tasks.pop(text(data, "task_id") or "", "")
        if (agent := self.agents.get(key)) is not None:
            agent.tokens = integer(inner(data, "usage"), "total_tokens")
            self._end_agent(key, outcome, data, us)

    def _end_agent(self, key: str, outcome: str, data: Message, us: int) -> None:
        agent = self.agents.pop(key)
        self._tasks = {task: one for task, one in self._tasks.items() if one != key}
        for tool in [one for one in self.tools.values() if one.agent == key]:
            del self.tools[tool.id]
            self._close(tool, "unfinished", data, us)
        self._close(agent, outcome, data, us)

    # -- ends --------------------------------------------------------------------------------------------------

    def _end_all(self, data: Message, us: int) -> None:
        for spans in (self.permissions, self.tools, self.agents):
            for span in spans.values():
                self._close(span, "unfinished", data, us)
            spans.clear()
        self._tasks.clear()
        while self.turn is not None:
            self._end_turn("unfinished", data, us)
        self._state = text(data, "state") or "ended"

    def _make_room(self, spans: dict[str, Span], data: Message, us: int) -> None:
        if len(spans) >= MOST_OPEN:
            self._close(spans.pop(next(iter(spans))), "unfinished", data, us)

    def _close(self, span: Span, outcome: str, data: Message, us: int) -> None:
        span.end_us, span.end_seq, span.outcome = max(us, span.start_us), seq_of(data), outcome
        self._closed.append(span)


def _happened_us(event: Event) -> int:
    """Return when something happened: in an interactive session it is heard of later."""
    try:
        return parse_timestamp(text(event.data, "at") or "")
    except ValueError:
        return event.timestamp_us


def seq_of(data: Message) -> int | None:
    """Return the record that an event comes from; None for an event that a client posted."""
    return integer(data, "seq") if "event" in data and "timestamp" in data else None


def _label(name: str, given: Any) -> str:
    if isinstance(given, dict):
        for key in SUMMARY_FIELDS:
            if said := text(given, key):
                return one_line(f"{name}: {said}")
    return one_line(name)


def _digest(name: str, value: Any) -> int:
    """Return what tells a value from another one, whatever the order of its keys, within this process."""
    try:
        encoded: object = msgspec.json.encode(value, order="sorted")
    except (msgspec.MsgspecError, ValueError, OverflowError, RecursionError, TypeError):
        encoded = repr(value)
    return hash((name, encoded))
