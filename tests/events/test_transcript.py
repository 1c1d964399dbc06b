"""An interactive session's events and states: from registry and transcript, in whatever order the two are heard."""

from __future__ import annotations

import json
from collections import Counter
from functools import cache
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.events import Event, Interpreter, Session, describe
from proxy.events.timestamps import format_timestamp
from proxy.protocol import full
from tests.recorded import INTERACTIVE, INTERACTIVE_WITHOUT_STATES, START_US, LogMaker, records
from tests.rig.conversation import PROMPTS
from tests.tiers import examples

if TYPE_CHECKING:
    from collections.abc import Iterable

    from proxy.sessions.reader import Record

RECORDED = records(INTERACTIVE.read_bytes())


def interpreted(made: Iterable[Record]) -> tuple[list[Event], Session]:
    """Return the events of records and what is known after them."""
    interpreter = Interpreter(Session("made"))
    return [event for record in made for event in interpreter.take(record)], interpreter.session


def of_kind(events: list[Event], *kinds: str) -> list[dict[str, Any]]:
    """Return the data of the events of some kinds."""
    return [event.data for event in events if event.event_type in kinds]


# -- a recorded session ----------------------------------------------------------------------------------------


def test_a_recorded_session_comes_out_as_what_it_was() -> None:
    """Prompts, answers, tools, who allowed them, interruptions, a subagent, work in the background, errors, costs."""
    events, session = interpreted(RECORDED)
    prompts = [one["prompt"] for one in of_kind(events, "run_started") if "prompt" in one]
    assert prompts == list(PROMPTS)
    assert [one["command"]["prompt"] for one in of_kind(events, "command_received")] == list(PROMPTS)
    ends = [
        event.event_type
        for event in events
        if event.event_type in ("run_completed", "run_failed", "run_interrupted")
    ]
    assert Counter(ends) == {"run_completed": 8, "run_failed": 1, "run_interrupted": 2}
    asked = [(one["tool"], one.get("decision")) for one in of_kind(events, "permission_resolved")]
    assert asked == [("Bash", "allow"), ("Bash", "deny"), ("AskUserQuestion", "allow")]
    assert len(of_kind(events, "permission_requested")) == len(asked)
    assert all(one["waiting_ms"] > 0 for one in of_kind(events, "permission_resolved"))
    assert [one["approval"]["by"] for one in of_kind(events, "tool_denied")] == ["caller"]
    assert [one["parent_tool_use_id"] is not None for one in of_kind(events, "tool_started")].count(True) == 1
    assert [one["subagent_type"] for one in of_kind(events, "task_started") if "subagent_type" in one] == [
        "general-purpose"
    ]
    assert len(of_kind(events, "task_completed")) == len(of_kind(events, "task_started")) == 2
    assert [one["api_error_status"] for one in of_kind(events, "error")] == [400]
    told = msgspec.to_builtins(describe(session, session.last_record_us))
    assert (told["state"], told["outcome"], told["mode"], told["turns"]) == ("ended", "ok", "followed", 7)
    assert (told["tool_calls"], told["tool_denials"], told["tool_failures"], told["subagents"]) == (
        6,
        1,
        0,
        1,
    )
    assert told["recording"] == {"state": "recorded", "why": None}
    assert told["cost"] == of_kind(events, "cost_updated")[-1]["total_cost_usd"] > 0
    assert told["cost_reason"] is None
    assert (session.run, session.tools, session.tasks, session.questions) == (None, {}, {}, {})


def test_events_of_a_recorded_session_are_valid() -> None:
    """Every event is valid under the published schemas, and time only rises."""
    events, _ = interpreted(RECORDED)
    for event in events:
        assert full.judgement("events.json", json.dumps(event.data).encode()).verdict == "valid", event
        if event.event_type == "command_received":
            assert (
                full.judgement("commands.json", json.dumps(event.data["command"]).encode()).verdict == "valid"
            )
    moments = [event.timestamp_us for event in events]
    assert moments == sorted(set(moments))


def test_a_recorded_session_of_a_release_without_states() -> None:
    """2.1.100 says neither what it does nor that a turn is over: prompts and answers do, and the evidence says so."""
    made = records(INTERACTIVE_WITHOUT_STATES.read_bytes())
    interpreter = Interpreter(Session("made"))
    events: list[Event] = []
    states: list[tuple[str, str]] = []
    for record in made:
        events += interpreter.take(record)
        told = msgspec.to_builtins(describe(interpreter.session, interpreter.session.last_record_us))
        if (said := (told["state"], told["evidence"]["source"])) not in states[-1:]:
            states.append(said)
    turn = [("executing", "transcript"), ("idle", "transcript")]
    assert states == [("starting", "inferred"), *turn * 4, ("ended", "stated")]
    ends = ("run_completed", "run_interrupted", "run_failed")
    assert [event.event_type for event in events if event.event_type in ends] == [
        *("run_completed", "run_completed", "run_interrupted", "run_completed")
    ]
    assert [one["approval"]["decision"] for one in of_kind(events, "tool_denied")] == ["deny"]
    assert told["outcome"] == "ok"
    assert told["turns"] == 3


def test_kept_and_taken_up_again() -> None:
    """Interpretation that is broken off after every record, its session kept as JSON, gives the same events."""
    session, events = Session("made"), []
    for record in RECORDED:
        interpreter = Interpreter(session)
        events += interpreter.take(record)
        session = msgspec.json.decode(msgspec.json.encode(interpreter.session), type=Session)
    assert events == interpreted(RECORDED)[0]


def essence(events: list[Event]) -> Counter[str]:
    """Return what happened, without what depends on when it was heard of."""
    passing = {"seq", "timestamp", "at", "state", "run_id", "prompt_seq", "waiting_ms", "duration_ms"}

    def what(event: Event) -> dict[str, Any]:
        data = {key: one for key, one in event.data.items() if key not in passing}
        if "approval" in data:
            data["approval"] = {**data["approval"], "waited_ms": None, "evidence": []}
        return data

    return Counter(json.dumps([event.event_type, what(event)], sort_keys=True) for event in events)


@cache
def in_recorded_order() -> tuple[Counter[str], Session]:
    """Return what happened in the recorded session, and what is known after it."""
    events, session = interpreted(RECORDED)
    return essence(events), session


@settings(max_examples=examples(50))
@given(st.data())
def test_any_order_of_registry_and_transcript_gives_the_same_events(data: st.DataObject) -> None:
    """States come late or early beside lines; what happened is the same, and so is what is known in the end."""
    first, *between, last = RECORDED
    states = [one for one in between if one.event is not None and one.event.event_type == "claude_status"]
    others = [one for one in between if one not in states]
    places = sorted(
        data.draw(st.lists(st.integers(0, len(others)), min_size=len(states), max_size=len(states)))
    )
    mixed: list[Record] = []
    for index, one in enumerate([*others, None]):
        mixed += [state for place, state in zip(places, states, strict=True) if place == index]
        mixed += [] if one is None else [one]
    events, session = interpreted([first, *mixed, last])
    expected, as_recorded = in_recorded_order()
    assert essence(events) == expected
    now_us = session.last_record_us
    known = {
        "state",
        "outcome",
        "turns",
        "cost",
        "tokens",
        "tool_calls",
        "tool_denials",
        "subagents",
        "model",
        "waits_for",
    }
    assert {key: msgspec.to_builtins(describe(session, now_us))[key] for key in known} == {
        key: msgspec.to_builtins(describe(as_recorded, now_us))[key] for key in known
    }


# -- made sessions ---------------------------------------------------------------------------------------------


class Made:
    """A made session: what registry and transcript say, one after the other."""

    def __init__(self, **started: Any) -> None:
        self.maker = LogMaker()
        self.interpreter = Interpreter(Session("made"))
        self.events: list[Event] = []
        about = {"format": 1, "mode": "followed", "interactive": "record", "command": ["claude"], "pid": 7}
        self._take(self.maker.life("session_started", **{**about, **started}))

    @property
    def session(self) -> Session:
        """What is known."""
        return self.interpreter.session

    def status(self, status: str | None, waiting_for: str | None = None, **more: Any) -> list[Event]:
        """Let the registry say that."""
        about = {"claude_session_id": "c", "version": "2.1.330", "since": format_timestamp(self.maker.now_us)}
        return self._take(
            self.maker.life("claude_status", status=status, waiting_for=waiting_for, **{**about, **more})
        )

    def says(self, event_type: str, **data: Any) -> list[Event]:
        """Let the recorder say that."""
        return self._take(self.maker.life(event_type, **data))

    def line(self, type_: str, file: str = "main.jsonl", **fields: Any) -> list[Event]:
        """Let a line come."""
        timed = {"timestamp": format_timestamp(self.maker.now_us)}
        return self._take(self.maker.transcript({"type": type_, **timed, **fields}, file=file))

    def prompt(self, words: str = "hello", **fields: Any) -> list[Event]:
        """Let a prompt be typed."""
        return self.line("user", message={"content": words}, **{"promptSource": "typed", **fields})

    def answers(self, *blocks: dict[str, Any], stop_reason: str = "end_turn", **fields: Any) -> list[Event]:
        """Let the model answer."""
        usage = {"input_tokens": 10, "output_tokens": 5}
        message = {
            "id": "m",
            "model": "x",
            "content": list(blocks),
            "stop_reason": stop_reason,
            "usage": usage,
        }
        return self.line("assistant", message={**message, **fields.pop("message", {})}, **fields)

    def calls(self, tool_use_id: str = "t1", name: str = "Bash", **fields: Any) -> list[Event]:
        """Let the model call a tool."""
        block = {"type": "tool_use", "id": tool_use_id, "name": name, "input": {}}
        return self.answers(block, stop_reason="tool_use", **fields)

    def results(self, tool_use_id: str = "t1", is_error: bool = False, **fields: Any) -> list[Event]:
        """Let a tool's result come."""
        block = {"type": "tool_result", "tool_use_id": tool_use_id, "content": "done", "is_error": is_error}
        return self.line("user", message={"content": [block]}, **fields)

    def ended(self, **data: Any) -> list[Event]:
        """End it."""
        return self._take(self.maker.ended(**data))

    def described(self) -> dict[str, Any]:
        """Return what the API says of it."""
        told: dict[str, Any] = msgspec.to_builtins(describe(self.session, self.maker.now_us))
        return told

    def _take(self, log: bytes) -> list[Event]:
        found = [event for record in records(log) for event in self.interpreter.take(record)]
        self.events += found
        return found


ALLOWED: dict[str, Any] = {"permissionDecision": {"decision": "accept", "source": "user_temporary"}}
REFUSED: dict[str, Any] = {"toolDenialKind": "user-rejected", "is_error": True}


@pytest.mark.parametrize(
    ("status", "waiting_for", "state", "background"),
    [
        ("idle", None, "idle", False),
        ("shell", None, "idle", True),
        ("busy", None, "executing", False),
        ("waiting", "permission prompt", "waiting", False),
        ("waiting", "input needed", "waiting", False),
        ("waiting", "dialog open", "waiting", False),
        ("waiting", "moonlight", "waiting", False),
    ],
)
def test_states_come_from_the_registry(
    status: str, waiting_for: str | None, state: str, background: bool
) -> None:
    """What the registry says is the state, from when it says, whatever lines have come."""
    made = Made()
    made.status("busy")
    made.prompt()
    made.status(status, waiting_for, since=format_timestamp(START_US + 1000))
    made.answers({"type": "text", "text": "so"})
    told = made.described()
    assert (told["state"], told["background"]) == (state, background)
    assert told["evidence"]["source"] == "registry"
    if waiting_for:
        (waits,) = [one for one in told["waits_for"] if one["what"] == "answer"]
        assert waits["kind"] == ("can_use_tool" if waiting_for == "permission prompt" else waiting_for)


def test_a_word_of_the_future_changes_nothing() -> None:
    """A state that nobody knows of is told as it is; the one before stands."""
    made = Made()
    made.status("busy")
    (event,) = made.status("dreaming")
    assert (event.data["status"], made.described()["state"]) == ("dreaming", "executing")


def test_without_a_registry_the_session_starts() -> None:
    """A trust dialog or a login is open: nothing more is known."""
    assert Made().described()["state"] == "starting"


def test_a_release_without_states_has_them_from_its_transcript() -> None:
    """Where the registry says no more than which conversation is open, prompts and answers tell the state."""
    made = Made()
    made.status(None)
    made.line("user", message={"content": "hello"})
    assert (made.described()["state"], made.described()["evidence"]["source"]) == ("executing", "transcript")
    made.calls()
    assert made.described()["state"] == "executing"
    made.results()
    made.answers({"type": "text", "text": "so"})
    assert (made.described()["state"], made.described()["evidence"]["source"]) == ("idle", "transcript")
    made.line("user", message={"content": "again"})
    made.ended()
    assert [event.event_type for event in made.events if event.event_type.startswith("run_")] == [
        *("run_started", "run_completed", "run_started", "run_failed")
    ]


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize(("how", "decision"), [(ALLOWED, "allow"), (REFUSED, "deny")])
def test_a_permission_prompt_is_told_with_its_tool(how: dict[str, Any], decision: str, late: bool) -> None:
    """The prompt is known at once, its tool when the line comes, and who decided when the result does."""
    made = Made()
    made.status("busy")
    made.prompt()
    if late:
        made.status("waiting", "permission prompt")
        assert made.described()["waits_for"][0]["tool"] is None
        made.calls(timestamp=format_timestamp(made.maker.now_us - 2000))
    else:
        made.calls()
        made.status("waiting", "permission prompt")
    (asked,) = of_kind(made.events, "permission_requested")
    assert asked["tool"] == made.described()["waits_for"][0]["tool"] == "Bash"
    made.maker.now_us += 5_000_000
    made.status("busy")
    made.maker.now_us += 2_000_000
    made.results(**how)
    (resolved,) = of_kind(made.events, "permission_resolved")
    assert (resolved["decision"], resolved["request_id"]) == (decision, asked["request_id"])
    assert resolved["waiting_ms"] == pytest.approx(5000, abs=10)
    (ran,) = of_kind(made.events, "tool_completed", "tool_denied")
    assert ran["duration_ms"] == pytest.approx(2000, abs=20)
    assert (ran["approval"]["decision"], ran["approval"]["by"]) == (decision, "caller")


def test_a_tool_that_was_called_after_the_prompt_is_not_what_it_asks_for() -> None:
    """The prompt may be a subagent's, of whose file the line has not come yet."""
    made = Made()
    made.prompt()
    made.status("waiting", "permission prompt")
    made.maker.now_us += 2_000_000
    made.calls("later")
    assert of_kind(made.events, "permission_requested") == []
    made.calls("asked", timestamp=format_timestamp(made.maker.now_us - 4_000_000))
    (asked,) = of_kind(made.events, "permission_requested")
    assert asked["tool_use_id"] == "asked"


def test_a_prompt_whose_tool_is_heard_of_when_all_is_over_is_told_as_it_was() -> None:
    """The registry told all of it in time, the lines come late: how long the user took is not lost."""
    made = Made()
    made.prompt()
    asked_us = made.maker.now_us
    made.status("waiting", "permission prompt")
    made.maker.now_us += 5_000_000
    made.status("busy")
    made.maker.now_us += 2_000_000
    made.calls(timestamp=format_timestamp(asked_us - 1000))
    made.results(**ALLOWED)
    (resolved,) = of_kind(made.events, "permission_resolved")
    assert resolved["waiting_ms"] == pytest.approx(5000, abs=10)


def test_a_prompt_that_is_heard_of_after_its_answer_is_no_other_one() -> None:
    """It is not taken for the prompt of a tool that is called later."""
    made = Made()
    made.prompt()
    made.calls("t1")
    asked = format_timestamp(made.maker.now_us)
    made.maker.now_us += 5_000_000
    made.results("t1", **ALLOWED)
    made.status("waiting", "permission prompt", since=asked)
    made.status("busy")
    made.maker.now_us += 60_000_000
    made.calls("t2")
    made.results("t2", **ALLOWED)
    resolved = of_kind(made.events, "permission_resolved")
    assert [one["tool_use_id"] for one in resolved] == ["t1", "t2"]
    assert resolved[1]["waiting_ms"] < 1000


def test_a_prompt_that_was_too_quick_to_be_seen_is_told_all_the_same() -> None:
    """Who decided stands in the result."""
    made = Made()
    made.prompt()
    made.calls()
    made.results(**ALLOWED)
    kinds = [event.event_type for event in made.events][-4:]
    assert kinds == ["tool_started", "permission_requested", "permission_resolved", "tool_completed"]


def test_what_no_user_decided_is_no_permission() -> None:
    """A tool that a rule allows has no question and no answer."""
    made = Made()
    made.prompt()
    made.calls()
    made.results(permissionDecision={"decision": "accept", "source": "config"})
    assert of_kind(made.events, "permission_requested", "permission_resolved") == []


@pytest.mark.parametrize("is_over_before", [False, True])
def test_a_prompt_is_not_for_a_tool_that_ran_while_it_was_open(is_over_before: bool) -> None:
    """Of several calls the first may need no permission, and its result comes later: the prompt is for the next."""
    made = Made()
    made.prompt()
    made.calls("free", "Read")
    made.calls("asked", "Bash")
    over = format_timestamp(made.maker.now_us)
    made.maker.now_us += 1000
    made.status("waiting", "permission prompt")
    if is_over_before:
        made.status("busy")
    made.results("free", timestamp=over)
    if not is_over_before:
        (waits,) = [one for one in made.described()["waits_for"] if one["what"] == "answer"]
        assert waits["tool"] == "Bash"
        made.maker.now_us += 5_000_000
        made.status("busy")
    made.results("asked", **ALLOWED)
    told = {one["tool_use_id"]: one for one in of_kind(made.events, "permission_resolved")}
    assert told["free"]["outcome"] == "cancelled"
    assert told["asked"]["decision"] == "allow"
    if not is_over_before:
        assert told["asked"]["waiting_ms"] == pytest.approx(5000, abs=10)


@pytest.mark.parametrize("name", ["Agent", "Task"])
def test_a_prompt_is_not_for_the_call_of_a_subagent(name: str) -> None:
    """What the subagent wants to use is asked for, and its line may come later than that of its call."""
    made = Made()
    made.prompt()
    made.calls("sub", name)
    made.status("waiting", "permission prompt")
    assert of_kind(made.events, "permission_requested") == []
    made.calls("asked", timestamp=format_timestamp(made.maker.now_us - 2000), file="subagents/agent-1.jsonl")
    (asked,) = of_kind(made.events, "permission_requested")
    assert asked["tool_use_id"] == "asked"


def test_a_guess_at_the_tool_that_was_wrong_is_taken_back() -> None:
    """Every question has its answer: one that was asked for another tool is cancelled."""
    made = Made()
    made.prompt()
    made.calls("t1")
    made.calls("t2")
    made.status("waiting", "permission prompt")
    made.status("busy")
    made.results("t2", **ALLOWED)
    made.results("t1")
    told = [
        (one["tool_use_id"], one.get("decision"), one.get("outcome"))
        for one in of_kind(made.events, "permission_resolved")
    ]
    assert told == [("t2", "allow", None), ("t1", None, "cancelled")]
    assert len(of_kind(made.events, "permission_requested")) == 2


def test_a_turn_that_is_interrupted_is_over() -> None:
    """Esc: no line says how long the turn took."""
    made = Made()
    made.prompt()
    made.line("user", message={"content": [{"type": "text", "text": "[Request interrupted by user]"}]})
    (end,) = of_kind(made.events, "run_interrupted")
    assert (end["outcome"], made.session.run, made.session.figures.turns) == ("interrupted", None, 0)


@pytest.mark.parametrize(
    "words",
    [
        "<command-name>/model</command-name>\n<command-message>model</command-message>",
        "<local-command-stdout>Kept model</local-command-stdout>",
        "<bash-input>ls</bash-input>",
        "<bash-stdout>a.txt</bash-stdout><bash-stderr></bash-stderr>",
    ],
)
def test_commands_are_no_prompts(words: str) -> None:
    """Slash commands and `!` begin no turn by themselves; they are told as remarks."""
    made = Made()
    made.line("user", message={"content": words})
    assert [event.event_type for event in made.events[1:]] == ["notification"]


def test_what_claude_code_adds_itself_is_nothing_that_was_said() -> None:
    """Caveats, summaries of a compaction and the like."""
    made = Made()
    made.line("user", message={"content": "a caveat"}, isMeta=True)
    made.line("user", message={"content": "This session is being continued"}, isCompactSummary=True)
    assert made.events[1:] == []


def test_a_turn_that_nobody_typed_is_unprompted_and_no_turn_of_the_session() -> None:
    """A command of the user's own, `!`, or a task that is over makes the model answer."""
    made = Made()
    made.line("user", message={"content": "<command-name>/review</command-name>"})
    made.answers({"type": "text", "text": "so"})
    made.line("system", subtype="turn_duration", durationMs=5)
    (started,) = of_kind(made.events, "run_started")
    assert started["unprompted"] is True
    assert (made.session.figures.turns, made.session.prompt) == (0, None)


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ('\n\n<pasted_content id="e9e9">\none\n\n\ttwo\n</pasted_content id="e9e9">\n\n', "one\n\n\ttwo"),
        ('see <pasted_content id="1">\nit\n</pasted_content id="1">\n\n, please', "see \nit\n, please"),
        ("<pasted_content>typed</pasted_content>\n", "<pasted_content>typed</pasted_content>"),
        (
            '<pasted_content id="1">\n\n</pasted_content id="1">',
            '<pasted_content id="1">\n\n</pasted_content id="1">',
        ),
    ],
)
def test_a_pasted_text_is_told_as_the_terminal_shows_it(written: str, shown: str) -> None:
    """Claude Code marks a long one for the model."""
    made = Made()
    made.prompt(written)
    assert of_kind(made.events, "command_received")[0]["command"]["prompt"] == shown
    assert made.session.prompt == shown


def test_a_prompt_while_the_model_works_is_queued() -> None:
    """It is taken into the turn that is open, and is told once."""
    made = Made()
    made.prompt()
    made.line("queue-operation", operation="enqueue", content="and this")
    attachment = {"type": "queued_command", "prompt": "and this", "commandMode": "prompt"}
    made.line("attachment", attachment=attachment)
    assert [one["command"]["prompt"] for one in of_kind(made.events, "command_received")] == [
        "hello",
        "and this",
    ]
    assert len(of_kind(made.events, "run_started")) == 1


def test_prompts_that_waited_are_one_turn() -> None:
    """Claude Code puts all of them to the model at once when the turn before is over: none of them is interrupted."""
    made = Made()
    made.prompt()
    made.answers({"type": "text", "text": "so"})
    made.line("system", subtype="turn_duration", durationMs=5)
    waited = ["one", "two", "three"]
    for words in waited:
        made.prompt(words, promptSource="queued")
    made.answers({"type": "text", "text": "all three"}, message={"id": "m2"})
    made.prompt("four", promptSource="queued")
    told = [event.event_type for event in made.events if event.event_type.startswith("run_")]
    assert told == ["run_started", "run_completed", "run_started", "run_completed", "run_started"]
    assert [one["prompt"] for one in of_kind(made.events, "run_started")] == ["hello", "one", "four"]
    commands = [one["command"] for one in of_kind(made.events, "command_received")]
    assert [one["prompt"] for one in commands] == ["hello", *waited, "four"]
    assert [one["prompt"] for one in commands if one.get("queued")] == ["two", "three"]


def test_tokens_are_counted_once_for_each_answer() -> None:
    """Each line of an answer says what all of it took."""
    made = Made()
    made.prompt()
    made.answers({"type": "thinking", "thinking": "hm"})
    made.answers({"type": "text", "text": "so"})
    made.answers({"type": "text", "text": "more"}, message={"id": "m2"})
    made.line("system", subtype="turn_duration", durationMs=5)
    assert made.described()["tokens"] == {"input": 20, "output": 10, "cache_read": 0, "cache_creation": 0}
    assert made.described()["cost"] is None
    assert made.described()["cost_reason"] == "Claude Code writes what a conversation cost when that ends."


def cost(total: float, tokens: int) -> dict[str, Any]:
    """Return what Claude Code states in the end."""
    return {
        "totalCostUSD": total,
        "modelUsage": {"x": {"inputTokens": tokens, "outputTokens": 0, "costUSD": total}},
    }


def test_the_cost_is_what_the_session_added() -> None:
    """What a continued conversation had cost before is taken off; conversations come on top of each other."""
    made = Made()
    made.says("transcript_opened", file="main.jsonl", why="continued", cost_before=cost(0.5, 100))
    made.prompt()
    made.answers({"type": "text", "text": "so"})
    made.line("cost-state", **cost(0.75, 160))
    assert (made.described()["cost"], made.described()["tokens"]["input"]) == (0.25, 60)
    made.line("cost-state", **cost(0.75, 160))
    made.says("transcript_opened", file="next.jsonl", why="cleared")
    made.line("cost-state", **cost(0.125, 10))
    assert (made.described()["cost"], made.described()["tokens"]["input"]) == (0.375, 70)
    assert len(of_kind(made.events, "cost_updated")) == 2
    assert made.described()["cost_reason"] is None


@pytest.mark.parametrize("how", ["forked", "forked_without_total", "shared"])
def test_a_cost_that_is_not_told_apart_is_not_told(how: str) -> None:
    """Where the total holds what others took, and nobody knows how much, there is no figure, but a reason."""
    made = Made()
    if how == "forked":
        made.says("transcript_opened", file="main.jsonl", why="forked", cost_before=None)
    elif how == "forked_without_total":  # which is not among the lines that are copied
        made.says("transcript_opened", file="main.jsonl", why="forked")
    else:
        made.says("transcript_shared", claude_session_id="c", pids=[8])
    made.line("cost-state", **cost(0.75, 160))
    assert made.described()["cost"] is None
    assert "others" in str(made.described()["cost_reason"])


def test_an_error_of_the_api_ends_the_turn() -> None:
    """The turn failed, in the API's own words."""
    made = Made()
    made.prompt()
    made.answers(
        {"type": "text", "text": "API Error: 400"},
        isApiErrorMessage=True,
        apiErrorStatus=400,
        error="unknown",
    )
    (end,) = of_kind(made.events, "run_failed")
    assert (end["outcome_reason"], made.session.figures.turns) == ("API Error: 400", 1)


def test_a_compaction_is_told() -> None:
    """With what it made of the conversation."""
    made = Made()
    made.line(
        "system",
        subtype="compact_boundary",
        compactMetadata={"trigger": "auto", "preTokens": 9, "postTokens": 3},
    )
    (told,) = of_kind(made.events, "compaction")
    assert (told["trigger"], told["pre_tokens"], told["post_tokens"]) == ("auto", 9, 3)


def test_a_subagent_that_its_caller_waits_for_is_over_with_its_call() -> None:
    """Its tools are its own, and nothing that it says begins or ends a turn."""
    made = Made()
    made.prompt()
    made.calls("a1", "Agent")
    made.says(
        "transcript_opened",
        file="s/agent-x.jsonl",
        why="subagent",
        parent_tool_use_id="a1",
        description="look",
    )
    made.line("user", file="s/agent-x.jsonl", message={"content": "look inside"})
    made.calls("t1", file="s/agent-x.jsonl")
    made.results("t1", file="s/agent-x.jsonl")
    made.line("system", file="s/agent-x.jsonl", subtype="turn_duration")
    made.results("a1", toolUseResult={"agentId": "x", "status": "completed"})
    (inner,) = [one for one in of_kind(made.events, "tool_started") if one["tool"] == "Bash"]
    assert (inner["parent_tool_use_id"], inner["depth"]) == ("a1", 1)
    (task,) = of_kind(made.events, "task_completed")
    assert (task["task_id"], task["tool_use_id"]) == ("x", "a1")
    assert made.session.run is not None
    assert made.session.figures.subagents == 1


# -- the end ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("end", "state", "outcome"),
    [
        ({"exit_code": 0, "clean": True}, "ended", "ok"),
        ({"exit_code": 1, "clean": True}, "ended", "failed"),
        ({"exit_code": 143, "clean": True}, "ended", "interrupted"),
        ({"exit_code": None, "clean": True}, "ended", "ok"),
        ({"exit_code": None, "clean": False}, "failed", "failed"),
        ({"exit_code": None, "signal": "SIGKILL", "clean": False}, "failed", "failed"),
    ],
)
def test_how_it_ended(end: dict[str, Any], state: str, outcome: str) -> None:
    """Killed at a prompt, it does not wait any more; without a clean end it has failed."""
    made = Made()
    made.status("waiting", "permission prompt")
    made.ended(**{key: value for key, value in end.items() if value is not None or key == "exit_code"})
    told = made.described()
    assert (told["state"], told["outcome"], told["waits_for"]) == (state, outcome, [])


@pytest.mark.parametrize(
    ("end", "outcome"),
    [
        ({"exit_code": 0, "clean": True}, "interrupted"),
        ({"clean": True}, "interrupted"),  # nobody knows the status
        ({"exit_code": 1, "clean": True}, "failed"),
        ({"exit_code": 0, "clean": False}, "failed"),
    ],
)
def test_who_leaves_in_the_middle_of_a_turn_has_interrupted_it(end: dict[str, Any], outcome: str) -> None:
    """`/exit` and Ctrl-D do not wait for the model: nothing has failed."""
    made = Made()
    made.status("busy")
    made.prompt()
    made.ended(**end)
    assert made.described()["outcome"] == outcome
    (event,) = of_kind(made.events, "run_interrupted", "run_failed")
    assert event["outcome"] == outcome


@pytest.mark.parametrize(
    "why", ["child_session", "no_registry", "no_transcript", "background", "of the future"]
)
def test_a_session_that_is_not_recorded_is_not_all_right(why: str) -> None:
    """It says so while it runs and when it is over, and nobody takes it for an empty session that went well."""
    made = Made()
    made.says("not_recorded", why=why)
    told = made.described()
    assert (told["recording"]["state"], bool(told["recording"]["why"])) == ("not recorded", True)
    made.ended()
    told = made.described()
    assert (told["state"], told["outcome"], told["recording"]["state"]) == ("ended", None, "not recorded")
    assert told["outcome_reason"].startswith("Nothing of it was recorded.")
    (event,) = of_kind(made.events, "session_ended")
    assert event["outcome"] is None


def test_what_comes_after_all_makes_it_recorded() -> None:
    """Some releases write their transcript late."""
    made = Made()
    made.says("not_recorded", why="no_transcript")
    made.says("not_recorded", why="no_transcript", over=True)
    assert made.described()["recording"] == {"state": "recorded", "why": None}
    made.ended()
    assert made.described()["outcome"] == "ok"


def test_states_alone_are_said_to_be_all() -> None:
    """With `--interactive status` there is no content, and none is missed."""
    made = Made(interactive="status")
    made.ended()
    assert (made.described()["recording"]["state"], made.described()["outcome"]) == ("states alone", "ok")


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=8,
    ),
    st.sampled_from(
        [
            "type",
            "message",
            "timestamp",
            "attachment",
            "toolUseResult",
            "permissionDecision",
            "compactMetadata",
            "origin",
            "content",
        ]
    ),
    st.sampled_from(
        ["user", "assistant", "system", "attachment", "cost-state", "queue-operation", "permission-mode"]
    ),
)
def test_no_line_makes_it_fail(value: Any, field: str, kind: str) -> None:
    """What has not the shape that is expected is passed over."""
    made = Made()
    made.prompt()
    made.line(kind, **{field: value})
    made.says("claude_status", **{field: value})
    made.says("transcript_opened", **{field: value})
    made.described()
