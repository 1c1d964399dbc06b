"""The spans of one session: a turn is ``invoke_agent`` over ``chat`` (calls of the model) and ``execute_tool``.

A subagent is an ``invoke_agent`` within the tool call that began it. Rules it lives by:

* A span is given once, when it has ended, and follows from the events alone: made again from the same events it has
  the same ids, so that a collector that is given it twice has it once.
* Where the session's caller had a trace (``TRACEPARENT``), all turns are in it, each a child of the given span; else
  each turn is a trace of its own. A caller whose trace is not sampled gets no spans, as its own are not kept either.
* A failure is an error: that of a tool, a turn that failed or reached a limit. What somebody denied, stopped or
  interrupted is no error; `claude_proxy.outcome` says what became of it.
* A call of the model begins when its agent has what it asks with (the prompt, the results of tools), and ends with the
  last block of its answer. Of its tokens, those that come out are not always known (see `_model_call` of
  ``proxy.events.stdout``); those of a turn are exact, and are those of all agents, as its cost is.
"""

import hashlib
import re
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from proxy.analysis.spans import Span, Spans
from proxy.events import Event
from proxy.events.fields import Message, inner, number, text
from proxy.events.session import AGENT_TOOLS
from proxy.events.spending import COST, TOKENS, Usage, api_usage, told_tokens
from proxy.telemetry import content

AGENT = "claude-code"
PROVIDER = "anthropic"
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
"""Of W3C Trace Context; what later versions add is passed over, as that asks for."""
_SAMPLED = 1
_ERRORS = {"failed": "It failed.", "limited": "It reached a limit."}
"""Outcomes that are errors, and what is said of them."""
_TOKENS = {
    "output": "output_tokens",
    "cache_read": "cache_read.input_tokens",
    "cache_creation": "cache_creation.input_tokens",
}
_MOST_CALLS = 2000
"""Agents of a session whose calls of the model are followed at once: as many as `Spans` follows."""


@dataclass(slots=True)
class TraceSpan:
    """A span that has ended."""

    name: str
    trace_id: int
    span_id: int
    parent_id: int | None
    start_us: int
    end_us: int
    attributes: dict[str, Any]
    error: str | None = None
    """What went wrong, in a sentence; None for no error."""
    tokens: dict[str, Usage] = field(default_factory=dict)
    """Of a turn: what each model took in it."""

    is_turn: bool = False

    @property
    def operation(self) -> str:
        """``invoke_agent``, ``chat`` or ``execute_tool``."""
        return str(self.attributes["gen_ai.operation.name"])


class _Place(NamedTuple):
    """Where a span belongs."""

    trace_id: int
    span_id: int
    parent_id: int | None


@dataclass(slots=True)
class _Call:
    """A call of the model, while its answer arrives in pieces."""

    message_id: str
    place: _Place
    start_us: int
    last_us: int
    model: str | None = None
    usage: Message = field(default_factory=dict)
    parts: list[Message] = field(default_factory=list)
    error: str | None = None


class TraceBuilder:
    """Takes the events of one session, in order."""

    def __init__(self, session_id: str, *, with_content: bool = False) -> None:
        """``with_content``: whether spans say what was said, and not only how long it took and what came of it."""
        self.session_id = session_id
        self._with_content = with_content
        self._spans = Spans()
        self._parent: tuple[int, int] | None = None
        self._is_sampled = True
        self._about: dict[str, str] = {}
        self._places: dict[tuple[str, str], _Place] = {}
        self._last_turn: _Place | None = None
        self._since: dict[str, int] = {}
        """By agent (the call that began it, empty for the main one): from when on the model has what it needs."""
        self._calls: dict[str, _Call] = {}
        self._models: dict[str, Usage] = {}
        self._prompts: dict[str, Message] = {}
        self._inputs: dict[str, Any] = {}

    def take(self, event: Event) -> list[TraceSpan]:
        """Return the spans that end with an event, inner ones first."""
        data, us = event.data, event.timestamp_us
        ended: list[TraceSpan] = []
        agent = text(data, "parent_tool_use_id") or ""
        match event.event_type:
            case "session_started":
                self._begin_session(data)
            case "session_initialized":
                self._learn(data)
            case "assistant_message" | "tool_started" if text(data, "message_id"):
                ended += self._answer(agent, data, us)
            case "error" if text(data, "source") == "assistant" and "" in self._calls:
                self._calls[""].error = text(data, "error")
        closed = self._spans.take(event)
        self._place_all(event)
        for span in closed:
            ended += self._ended(span, event)
        match event.event_type:
            case "run_started":
                self._since[""] = us
                self._keep(self._prompts, text(data, "run_id"), data)
            case "tool_started":
                self._keep(self._inputs, text(data, "tool_use_id"), data.get("input"))
                if text(data, "tool") in AGENT_TOOLS:
                    self._since[text(data, "tool_use_id") or ""] = us
            case "task_started":
                self._since.setdefault(text(data, "tool_use_id") or "", us)
            case "tool_completed" | "tool_failed" | "tool_denied":
                # The answer may go on: tools of the API's own give their results in the middle of it.
                self._since[agent] = us
        return ended if self._is_sampled else []

    def close(self, us: int) -> list[TraceSpan]:
        """Return what is open as ended: the session has died, and no event says so."""
        return self.take(Event("session_ended", us, {"state": "failed"}))

    # -- what is known of the session --------------------------------------------------------------------------

    def _begin_session(self, data: Message) -> None:
        match = _TRACEPARENT.fullmatch(text(data, "traceparent") or "")
        if match is not None and (trace := int(match[1], 16)) and (span := int(match[2], 16)):
            self._parent = trace, span
            self._is_sampled = bool(int(match[3], 16) & _SAMPLED)
        self._learn(data)

    def _learn(self, data: Message) -> None:
        for name in ("name", "model", "claude_code_version", "claude_session_id"):
            if said := text(data, name):
                self._about[name] = said

    def _keep(self, kept: dict[str, Any], key: str | None, value: Any) -> None:
        if self._with_content and key is not None:
            kept[key] = value

    # -- where spans belong ------------------------------------------------------------------------------------

    def _place_all(self, event: Event) -> None:
        """Give a place to what an event has begun."""
        if event.event_type not in ("run_started", "tool_started", "task_started"):
            return
        if self._spans.turn is not None:
            self._place(self._spans.turn)
        for agent in list(self._spans.agents.values()):
            self._place(agent)
        if (tool := self._spans.tools.get(text(event.data, "tool_use_id") or "")) is not None:
            self._place(tool)

    def _place(self, span: Span) -> _Place:
        key = span.kind, span.id
        if key not in self._places:
            self._places[key] = self._place_of(span)
            if span.kind == "turn":
                self._last_turn = self._places[key]
        return self._places[key]

    def _place_of(self, span: Span) -> _Place:
        span_id = self._hashed(8, span.kind, span.id, str(span.seq))
        if span.kind == "turn":
            if self._parent is not None:
                return _Place(self._parent[0], span_id, self._parent[1])
            return _Place(self._hashed(16, "trace", span.id), span_id, None)
        over = self._over(span)
        if over is None:  # a tool call before the first turn, in a log that somebody has cut
            return _Place(self._hashed(16, "trace", ""), span_id, None)
        return _Place(over.trace_id, span_id, over.span_id)

    def _over(self, span: Span) -> _Place | None:
        """Return what a tool call or a subagent is a part of."""
        keys = [("tool", span.id.removeprefix("agent:"))] if span.kind in ("subagent", "task") else []
        parent = span.parent or ""
        kinds = ("subagent", "task") if parent.startswith("agent:") else ("turn",)
        keys += [(kind, parent) for kind in kinds]
        return next((self._places[key] for key in keys if key in self._places), self._last_turn)

    def _hashed(self, size: int, *parts: str) -> int:
        digest = hashlib.sha256("\0".join((self.session_id, *parts)).encode(errors="replace")).digest()
        return int.from_bytes(digest[:size]) or 1  # 0 is no id

    # -- calls of the model ------------------------------------------------------------------------------------

    def _answer(self, agent: str, data: Message, us: int) -> list[TraceSpan]:
        """Take a piece of an answer; return the call before, which has ended if this is of another one."""
        message_id = text(data, "message_id") or ""
        call, ended = self._calls.get(agent), []
        if call is None or call.message_id != message_id:
            ended = self._end_call(agent)
            owner = self._owner(agent)
            if owner is None or len(self._calls) >= _MOST_CALLS:
                return ended
            start_us = min(self._since.get(agent, us), us)
            place = _Place(owner.trace_id, self._hashed(8, "chat", message_id, agent), owner.span_id)
            call = self._calls[agent] = _Call(message_id, place, start_us, us)
        call.last_us = us
        model = text(data, "model") or ""
        if model and not model.startswith("<"):  # <synthetic>: Claude Code's own
            call.model = model
        call.usage |= inner(data, "usage")
        if self._with_content:
            call.parts += content.parts_of(data)
        return ended

    def _owner(self, agent: str) -> _Place | None:
        """Return the span of the agent that calls the model."""
        if not agent:
            return None if self._spans.turn is None else self._place(self._spans.turn)
        span = self._spans.agents.get(agent)
        # What a subagent says first may show it to be one.
        return self._places.get(("tool", agent)) if span is None else self._place(span)

    def _end_call(self, agent: str) -> list[TraceSpan]:
        call = self._calls.pop(agent, None)
        if call is None:
            return []
        self._since[agent] = max(call.last_us, self._since.get(agent, 0))
        attributes = {
            **self._common("chat", call.model or (None if agent else self._about.get("model"))),
            "gen_ai.response.id": call.message_id,
            **_named("gen_ai.response.model", call.model),
            **_usage(api_usage(call.usage)),
            **_named("error.type", call.error),
        }
        if self._with_content:
            attributes["gen_ai.output.messages"] = content.answer(call.parts)
        name = f"chat {call.model}" if call.model else "chat"
        return [TraceSpan(name, *call.place, call.start_us, call.last_us, attributes, call.error)]

    # -- ends --------------------------------------------------------------------------------------------------

    def _ended(self, span: Span, event: Event) -> list[TraceSpan]:
        place = self._places.pop((span.kind, span.id), None) or self._place_of(span)
        if span.kind == "turn":
            return [*self._end_call(""), self._turn(span, place)]
        if span.kind == "tool":
            return [self._tool(span, place, event.data)]
        if span.kind != "subagent":
            return []
        agent = span.id.removeprefix("agent:")
        calls = self._end_call(agent)
        self._since.pop(agent, None)
        return [*calls, self._subagent(span, place)]

    def _turn(self, span: Span, place: _Place) -> TraceSpan:
        data = span.data
        tokens = self._tokens(inner(data, "model_usage"))
        outcome = text(data, "outcome") or span.outcome
        stop = text(data, "stop_reason")
        attributes = {
            **self._common("invoke_agent", self._about.get("model")),
            "gen_ai.agent.name": AGENT,
            **_named("gen_ai.agent.version", self._about.get("claude_code_version")),
            **_usage(told_tokens(data)),
            **({"gen_ai.response.finish_reasons": [stop]} if stop else {}),
            "claude_proxy.run.id": span.id,
            "claude_proxy.outcome": outcome,
            **_named("claude_proxy.session.name", self._about.get("name")),
            **_named("claude_proxy.cost.usd", number(data, "cost_usd")),
        }
        if self._with_content:
            attributes |= content.of_turn(self._prompts.pop(span.id, {}), data)
        name = f"invoke_agent {AGENT}"
        ended = _span(name, span, place, attributes, outcome)
        ended.tokens, ended.is_turn = tokens, True
        if ended.error is not None:
            subtype = text(data, "subtype") or ""
            attributes["error.type"] = subtype if subtype.startswith("error_") else outcome
            if self._with_content:  # the reason may quote what was said
                ended.error = text(data, "outcome_reason") or ended.error
        return ended

    def _subagent(self, span: Span, place: _Place) -> TraceSpan:
        kind = span.name or "subagent"
        attributes = {**self._common("invoke_agent", None), "gen_ai.agent.name": kind}
        attributes["claude_proxy.outcome"] = span.outcome
        return _span(f"invoke_agent {kind}", span, place, attributes, span.outcome)

    def _tool(self, span: Span, place: _Place, data: Message) -> TraceSpan:
        attributes = {
            **self._common("execute_tool", None),
            "gen_ai.tool.name": span.name,
            "gen_ai.tool.call.id": span.id,
            "gen_ai.tool.type": "extension" if span.name.startswith("mcp__") else "function",
            "claude_proxy.outcome": span.outcome,
            **({"claude_proxy.permission.waited_ms": span.asked_us / 1000} if span.asked_us else {}),
        }
        given = self._inputs.pop(span.id, None)
        if self._with_content:
            attributes |= content.of_tool(given, data)
        ended = _span(f"execute_tool {span.name}", span, place, attributes, span.outcome)
        if ended.error is not None:
            attributes["error.type"] = "tool_error"
        return ended

    def _tokens(self, models: Message) -> dict[str, Usage]:
        """Return what each model took since the last turn; Claude Code states sums over the session."""
        found: dict[str, Usage] = {}
        for name, usage in models.items():
            before = self._models.get(name, {})
            keys = [key for key in (*TOKENS, COST) if number(usage, key) is not None]
            took = {key: usage[key] - before.get(key, 0) for key in keys}
            if any(took.values()):
                found[name] = took
            self._models[name] = dict(usage)
        return found

    def _common(self, operation: str, model: str | None) -> dict[str, Any]:
        return {
            "gen_ai.operation.name": operation,
            "gen_ai.provider.name": PROVIDER,
            "gen_ai.conversation.id": self._about.get("claude_session_id", self.session_id),
            "session.id": self.session_id,
            **_named("gen_ai.request.model", model),
        }


def _span(name: str, span: Span, place: _Place, attributes: dict[str, Any], outcome: str) -> TraceSpan:
    error = None
    if outcome in _ERRORS:
        error, attributes["error.type"] = _ERRORS[outcome], outcome
    end_us = span.start_us if span.end_us is None else span.end_us
    return TraceSpan(name, *place, span.start_us, end_us, attributes, error)


def _named(name: str, value: Any) -> dict[str, Any]:
    return {} if value is None else {name: value}


def _usage(counts: dict[str, int]) -> dict[str, int]:
    """Return tokens by the names of the conventions; those that come in count cached ones too."""
    found = {f"gen_ai.usage.{theirs}": counts[ours] for ours, theirs in _TOKENS.items() if ours in counts}
    if "input" in counts:
        found["gen_ai.usage.input_tokens"] = sum(counts.values()) - counts.get("output", 0)
    return found
