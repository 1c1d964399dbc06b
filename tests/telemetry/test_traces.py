"""Spans of sessions: what is a part of what, how long it took, and what came of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from proxy.events.spending import TOKENS
from proxy.telemetry.traces import TraceBuilder, TraceSpan
from tests.analysis.made import Made, events_of
from tests.recorded import START_US, scenario

SCENARIOS = sorted(
    path.name for path in (Path(__file__).parents[2] / "fixtures" / "scenarios").iterdir() if path.is_dir()
)


def spans_of(events: list[Any], session_id: str = "s", **options: Any) -> list[TraceSpan]:
    """Return the spans that events make."""
    builder = TraceBuilder(session_id, **options)
    return [span for event in events for span in builder.take(event)]


def of(name: str, **options: Any) -> list[TraceSpan]:
    """Return the spans of a recorded session."""
    return spans_of(events_of(scenario(name)), **options)


def tree(spans: list[TraceSpan], parent: int | None = None) -> list[Any]:
    """Return names as they are in each other, in order of time."""
    children = sorted(
        (one for one in spans if one.parent_id == parent), key=lambda one: (one.start_us, one.end_us)
    )
    return [(one.name, tree(spans, one.span_id)) for one in children]


@pytest.mark.parametrize("name", SCENARIOS)
def test_real_sessions(name: str) -> None:
    """Each span has an id of its own, lies in a span that there is, and is in its trace; each result is one turn."""
    events = events_of(scenario(name))
    spans = spans_of(events, with_content=True)
    by_id = {one.span_id: one for one in spans}
    assert len(by_id) == len(spans)
    for one in spans:
        assert one.start_us <= one.end_us
        assert one.attributes["gen_ai.operation.name"] in ("invoke_agent", "chat", "execute_tool")
        if one.parent_id is not None:
            assert by_id[one.parent_id].trace_id == one.trace_id
    turns = [one for one in spans if one.is_turn]
    ends = [one for one in events if one.event_type in ("run_completed", "run_failed", "run_interrupted")]
    assert len(turns) == len(ends)
    assert len({one.trace_id for one in turns}) == len(turns)
    assert [one.parent_id for one in turns] == [None] * len(turns)


@pytest.mark.parametrize("name", ["subagents_in_parallel", "background_agent", "tool_deny", "api_errors"])
def test_the_same_events_make_the_same_spans(name: str) -> None:
    """Made again, however far it had come, a span is the same: so one that is sent twice is there once."""
    events = events_of(scenario(name))
    whole = spans_of(events)
    assert whole == spans_of(events)
    assert {one.span_id for one in whole}.isdisjoint(one.span_id for one in TraceBuilder("other").close(0))
    other = TraceBuilder("another session")
    assert {one.span_id for one in whole}.isdisjoint(s.span_id for event in events for s in other.take(event))


def test_what_is_part_of_what() -> None:
    """Calls of the model and tools are in their turn; a subagent is in the tool call that began it."""
    assert tree(of("subagent")) == [
        (
            "invoke_agent claude-code",
            [
                ("chat claude-opus-5-5", []),
                (
                    "execute_tool Agent",
                    [("invoke_agent counter", [("chat claude-opus-5-5", []), ("execute_tool Bash", [])])],
                ),
                ("chat claude-opus-5-5", []),
            ],
        )
    ]


def test_a_subagent_is_in_the_one_that_began_it() -> None:
    """However deep it is: of one whose call is not delivered, its task says so."""
    spans = of("subagents_nested")
    by_id = {one.span_id: one for one in spans}
    place: TraceSpan | None = next(one for one in spans if one.name == "invoke_agent general-purpose")
    names = []
    while place is not None:
        names.append(place.name)
        place = by_id.get(place.parent_id or 0)
    subagent, call = "invoke_agent general-purpose", "execute_tool Agent"
    assert names == [subagent, subagent, call, subagent, call, "invoke_agent claude-code"]


def test_a_background_agent_stays_in_the_trace_of_its_turn() -> None:
    """What goes on when its turn has ended is still a part of it; the turn that tells of it is one of its own."""
    first, second = tree(of("background_agent"))
    assert "invoke_agent general-purpose" in str(first)
    assert second == ("invoke_agent claude-code", [("chat claude-opus-5-5", [])])


def test_attributes() -> None:
    """Names, models and tokens stand where the conventions have them; those that come in count cached ones."""
    made = Made(started=False)
    made.at(0, "session_started", command=["claude"], kind="wrapped", name="nightly")
    made.at(1, "session_initialized", model="m", claude_code_version="2.1.0", claude_session_id="c")
    made.begin(10)
    usage = {"input_tokens": 5, "cache_read_input_tokens": 100, "cache_creation_input_tokens": 20}
    made.at(30, "assistant_message", text="x", message_id="a", model="m", usage=usage)
    made.call(31, "t", message_id="a", model="m").answer(50, "t")
    took = {"input": 5, "output": 7, "cache_read": 100, "cache_creation": 20, "cost_usd": 0.5}
    counts = {name: took[name] for name in TOKENS}
    made.end(60, tokens=counts, cost_usd=0.5, model_usage={"m": took}, stop_reason="end_turn", outcome="ok")
    chat, tool, turn = sorted(spans_of(made.events), key=lambda one: one.end_us)
    common = {"gen_ai.provider.name": "anthropic", "gen_ai.conversation.id": "c", "session.id": "s"}
    tokens = {
        "gen_ai.usage.input_tokens": 125,
        "gen_ai.usage.cache_read.input_tokens": 100,
        "gen_ai.usage.cache_creation.input_tokens": 20,
    }
    assert (chat.start_us - START_US, chat.end_us - START_US) == (10_000, 31_000)
    assert chat.attributes == {
        **common,
        **tokens,
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "m",
        "gen_ai.response.model": "m",
        "gen_ai.response.id": "a",
    }
    assert (tool.start_us - START_US, tool.end_us - START_US) == (31_000, 50_000)
    assert tool.attributes == {
        **common,
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "Bash",
        "gen_ai.tool.call.id": "t",
        "gen_ai.tool.type": "function",
        "claude_proxy.outcome": "completed",
    }
    assert turn.tokens == {"m": took}
    assert turn.attributes == {
        **common,
        **tokens,
        "gen_ai.usage.output_tokens": 7,
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.request.model": "m",
        "gen_ai.agent.name": "claude-code",
        "gen_ai.agent.version": "2.1.0",
        "gen_ai.response.finish_reasons": ["end_turn"],
        "claude_proxy.run.id": "run-1",
        "claude_proxy.session.name": "nightly",
        "claude_proxy.outcome": "ok",
        "claude_proxy.cost.usd": 0.5,
    }


@pytest.mark.parametrize("name", ["subagent", "background_agent", "subagents_in_parallel", "clear"])
def test_a_turn_has_the_tokens_of_all_its_agents(name: str) -> None:
    """The span of a turn, its event and the metrics have the same tokens: those of all agents, as the cost is."""
    events = events_of(scenario(name))
    ends = [one.data for one in events if one.event_type == "run_completed"]
    turns = [one for one in spans_of(events) if one.is_turn]
    assert len(turns) == len(ends) > 0
    for turn, end in zip(turns, ends, strict=True):
        tokens = {key: sum(int(took[key]) for took in turn.tokens.values()) for key in TOKENS}
        assert end["tokens"] == tokens
        assert turn.attributes["gen_ai.usage.output_tokens"] == tokens.pop("output")
        assert turn.attributes["gen_ai.usage.input_tokens"] == sum(tokens.values())


def test_a_turn_has_what_it_took_itself() -> None:
    """Claude Code states sums; a turn's tokens and cost are what they have grown by, of each model."""
    made = Made()
    made.begin(0).end(1, model_usage={"m": {"input": 5, "cost_usd": 0.5}})
    made.begin(2).end(3, model_usage={"m": {"input": 7, "cost_usd": 0.5}, "n": {"output": 1}})
    made.begin(4).end(5, model_usage={"m": {"input": 7, "cost_usd": 0.5}, "n": {"output": 1}})
    first, second, third = (one.tokens for one in spans_of(made.events) if one.is_turn)
    assert first == {"m": {"input": 5, "cost_usd": 0.5}}
    assert second == {"m": {"input": 2, "cost_usd": 0.0}, "n": {"output": 1}}
    assert third == {}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("tool_deny", {"invoke_agent": None, "execute_tool": None}),
        ("interrupt_tool", {"invoke_agent": None, "execute_tool": None}),
        ("tool_fails", {"invoke_agent": None, "execute_tool": "tool_error"}),
        ("budget_spent", {"invoke_agent": "error_max_budget_usd"}),
        ("hook_stops", {"invoke_agent": None}),
    ],
)
def test_what_is_an_error(name: str, expected: dict[str, str | None]) -> None:
    """A failure is one, and so is a limit; what somebody denied, stopped or interrupted is not."""
    found = {one.operation: one.attributes.get("error.type") for one in of(name) if one.operation in expected}
    assert found == expected
    assert all((one.error is None) == ("error.type" not in one.attributes) for one in of(name))


def test_an_error_of_the_api_is_that_of_its_call() -> None:
    """A call that the API refused is an error by the name that Claude Code gives it."""
    errors = [one.attributes.get("error.type") for one in of("api_errors") if one.operation == "chat"]
    assert errors[:3] == ["authentication_failed", "model_not_found", "invalid_request"]


TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        (f"00-{TRACE}-{SPAN}-01", True),
        (f"01-{TRACE}-{SPAN}-03-more", True),
        (f"00-{TRACE}-{SPAN}", False),
        (f"00-{'0' * 32}-{SPAN}-01", False),
        (f"00-{TRACE}-{'0' * 16}-01", False),
        ("nonsense", False),
        (None, False),
    ],
)
def test_the_callers_trace(given: str | None, taken: bool) -> None:
    """Where the caller had a span, all turns are in its trace, and its children; else each has a trace of its own."""
    made = Made(started=False)
    fields = {} if given is None else {"traceparent": given}
    made.at(0, "session_started", command=["claude"], kind="wrapped", **fields)
    made.begin(1).call(2, "t").answer(3, "t").end(4).begin(5).end(6)
    spans = spans_of(made.events)
    turns = [one for one in spans if one.is_turn]
    assert len(spans) == 3
    if taken:
        assert {one.trace_id for one in spans} == {int(TRACE, 16)}
        assert {one.parent_id for one in turns} == {int(SPAN, 16)}
    else:
        assert len({one.trace_id for one in turns}) == 2
        assert {one.parent_id for one in turns} == {None}


def test_a_trace_that_the_caller_does_not_keep() -> None:
    """Where the caller's trace is not sampled, nothing is added to it."""
    made = Made(started=False)
    made.at(0, "session_started", command=["claude"], kind="wrapped", traceparent=f"00-{TRACE}-{SPAN}-00")
    assert spans_of(made.begin(1).end(2).events) == []


def test_a_session_that_died() -> None:
    """What was open when the wrapper was killed is told as ended, its turn as an error."""
    made = Made().begin(1).call(2, "t")
    builder = TraceBuilder("s")
    assert [span for event in made.events for span in builder.take(event)] == []
    tool, turn = builder.close(START_US + 10_000)
    assert (tool.name, turn.name) == ("execute_tool Bash", "invoke_agent claude-code")
    assert turn.attributes["claude_proxy.outcome"] == "unfinished"
    assert builder.close(START_US + 20_000) == []


def test_content_is_sent_only_where_it_is_asked_for() -> None:
    """Without it nothing that was said is in any span; with it, it stands where the conventions have it."""
    for name in SCENARIOS:
        for one in of(name):
            assert not [
                key for key in one.attributes if "messages" in key or "arguments" in key or "result" in key
            ]
            assert (
                one.error in (None, "It failed.", "It reached a limit.", "The session died.")
                or one.operation == "chat"
            )
    spans = {one.operation: one.attributes for one in of("tool_allow", with_content=True)}
    (asked,) = json.loads(spans["invoke_agent"]["gen_ai.input.messages"])
    assert asked["role"] == "user"
    assert asked["parts"][0]["type"] == "text"
    (answered,) = json.loads(spans["invoke_agent"]["gen_ai.output.messages"])
    assert (answered["role"], answered["finish_reason"]) == ("assistant", "stop")
    assert "gen_ai.tool.call.result" in spans["execute_tool"]
    assert isinstance(json.loads(spans["execute_tool"]["gen_ai.tool.call.arguments"]), dict)


def test_long_content_is_shortened() -> None:
    """What is sent of a long text is bounded, and is still JSON."""
    made = Made().begin(1, prompt="é" * 100_000).end(2, result="x" * 100_000)
    (turn,) = spans_of(made.events, with_content=True)
    for name in ("gen_ai.input.messages", "gen_ai.output.messages"):
        assert len(turn.attributes[name]) < 20_000
        assert json.loads(turn.attributes[name])
