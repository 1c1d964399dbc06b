"""Prompts that come while a turn runs: in which turn each of them is answered, as Claude Code was seen to do it."""

from typing import Any

import pytest

from proxy.events import Event, Session
from tests.events.test_interpreter import IDS, interpreted, result, run_ends
from tests.recorded import LogMaker

COMMAND = ["claude", "-p", "--input-format", "stream-json", "--output-format", "stream-json"]
INIT = {"type": "system", "subtype": "init", "claude_code_version": "2.1.330", **IDS}
IDLE = {"type": "system", "subtype": "session_state_changed", "state": "idle", **IDS}
RUNNING = IDLE | {"state": "running"}
NOTICE = {"kind": "task-notification"}


class Talk:
    """A session in the making: what the client says, and what Claude Code writes, with time between them."""

    def __init__(self, **start: Any) -> None:
        self.maker = LogMaker()
        self.log = self.maker.started(COMMAND, **start)
        self.calls = 0

    def says(self, words: str, **more: Any) -> "Talk":
        """Send a prompt."""
        self.log += self.maker.lines(
            "stdin", {"type": "user", "message": {"role": "user", "content": words}, **more}
        )
        return self

    def writes(self, *messages: dict[str, Any]) -> "Talk":
        """Take messages of Claude Code."""
        self.log += self.maker.lines("stdout", *messages)
        return self

    def calls_tool(self) -> "Talk":
        """Take a call of the main agent."""
        self.calls += 1
        block = {"type": "tool_use", "id": f"t{self.calls}", "name": "Bash", "input": {}}
        return self.writes(assistant(f"m{self.calls}", block))

    def gets_result(self) -> "Talk":
        """Take the result of the last call."""
        block = {"type": "tool_result", "tool_use_id": f"t{self.calls}", "content": ""}
        return self.writes({"type": "user", "message": {"role": "user", "content": [block]}, **IDS})

    def answers(self, words: str, **more: Any) -> "Talk":
        """Take the last answer of a turn, and its result."""
        self.calls += 1
        answer = assistant(f"m{self.calls}", {"type": "text", "text": words})
        return self.writes(answer, result(0.1, result=words, num_turns=1, **more))

    def later(self, seconds: float = 5) -> "Talk":
        """Let time go by."""
        self.maker.now_us += int(seconds * 1_000_000)
        return self

    def told(self) -> tuple[list[tuple[str | None, str | None]], Session]:
        """Return the prompt and the answer of each turn, in order of their ends, and what is known at last."""
        events, session = interpreted(self.log)
        return turns(events), session


def assistant(message_id: str, *blocks: dict[str, Any]) -> dict[str, Any]:
    """Return a message of the main agent."""
    return {"type": "assistant", "message": {"id": message_id, "content": list(blocks)}, **IDS}


def turns(events: list[Event]) -> list[tuple[str | None, str | None]]:
    """Return the prompt and the answer of each turn, in order of their ends."""
    prompts = {
        event.data["run_id"]: event.data.get("prompt")
        for event in events
        if event.event_type == "run_started"
    }
    return [(prompts[end["run_id"]], end.get("result")) for end in run_ends(events)]


def test_a_prompt_is_taken_into_the_turn_between_two_calls_of_the_model() -> None:
    """Regression: it was taken for the prompt of the next turn, which a notice of a background task had begun."""
    talk = Talk().says("one").writes(INIT).calls_tool().says("two").later().gets_result().answers("both")
    talk.writes(INIT).answers("noticed", origin=NOTICE).later().says("three").writes(INIT).answers("third")
    told, session = talk.told()
    assert told == [("one", "both"), (None, "noticed"), ("three", "third")]
    assert session.run is None
    assert session.queued == []


@pytest.mark.parametrize(
    ("words", "more"), [("two", {"priority": "later"}), ("two", {"shouldQuery": False}), ("/cost", {})]
)
def test_what_has_a_turn_of_its_own_stays(words: str, more: dict[str, Any]) -> None:
    """Slash commands, messages that ask nothing and what may come later are not taken into a turn that runs."""
    talk = (
        Talk()
        .says("one")
        .writes(INIT)
        .calls_tool()
        .says(words, **more)
        .later()
        .gets_result()
        .answers("first")
    )
    told, _ = talk.writes(INIT).answers("second").told()
    assert told == [("one", "first"), (words, "second")]


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("2.1.330", [("one", "1"), ("two\nthree", "2")]),
        ("2.1.47", [("one", "1"), ("two", "2"), ("three", "3")]),
    ],
)
def test_prompts_that_wait_are_put_to_the_model_together(
    version: str, expected: list[tuple[str, str]]
) -> None:
    """Regression: each was taken to have a turn of its own, so that every later answer was shown for another prompt."""
    init = INIT | {"claude_code_version": version}
    talk = (
        Talk()
        .says("one")
        .writes(init)
        .says("two")
        .says("three")
        .later()
        .answers("1")
        .writes(init)
        .answers("2")
    )
    if len(expected) > 2:
        talk.writes(init).answers("3")
    told, session = talk.told()
    assert told == expected
    assert session.queued == []


def test_a_slash_command_is_put_to_nobody_together_with_others() -> None:
    """Its turn is its own, and what waits behind it has the next."""
    talk = Talk().says("one").writes(INIT).says("/cost").says("two").later().answers("1")
    told, _ = talk.writes(INIT).answers("cost").writes(INIT).answers("2").told()
    assert told == [("one", "1"), ("/cost", "cost"), ("two", "2")]


def test_what_is_urgent_goes_first() -> None:
    """The order is that of their priority, and then that of their arrival."""
    talk = (
        Talk()
        .says("one")
        .writes(INIT)
        .says("/two", priority="later")
        .says("/three")
        .says("/four", priority="now")
    )
    talk.later().answers("1")
    for words in "432":
        talk.writes(INIT).answers(words)
    assert talk.told()[0] == [("one", "1"), ("/four", "4"), ("/three", "3"), ("/two", "2")]


def test_a_prompt_that_comes_right_after_a_result_waits_behind_the_others() -> None:
    """A client that sends a prompt with each result has its answers in order."""
    talk = Talk().says("one").writes(INIT).says("two").later().answers("1").says("three")
    told, _ = talk.writes(INIT).later().answers("2").writes(INIT).answers("3").told()
    assert told == [("one", "1"), ("two", "2"), ("three", "3")]


def test_the_word_idle_ends_what_was_only_taken_to_wait() -> None:
    """A prompt that may have missed the turn, and did not, is over: what is said of a notice is not its answer."""
    talk = Talk().says("one").says("two").writes(INIT).answers("both").writes(INIT)
    talk.answers("noticed", origin=NOTICE).writes(IDLE).later(1).says("three").writes(INIT).answers("third")
    told, session = talk.told()
    assert told == [("one", "both"), (None, "noticed"), ("two", None), ("three", "third")]
    assert session.run is None
    assert (session.figures.turns, session.state) == (3, "idle")


def test_the_word_idle_in_passing_says_nothing() -> None:
    """Regression: Claude Code is idle for a moment after a notice, and then takes the prompts that came meanwhile."""
    talk = Talk().says("one").writes(RUNNING, INIT).answers("1").writes(IDLE).later().writes(RUNNING, INIT)
    talk.says("two").says("three").later().answers("noticed", origin=NOTICE).says("four").writes(
        IDLE, RUNNING, INIT
    )
    told, _ = talk.later().answers("2").writes(INIT).answers("4").told()
    assert told == [("one", "1"), (None, "noticed"), ("two\nthree", "2"), ("four", "4")]


def test_a_notice_after_the_word_idle_is_no_prompts_turn() -> None:
    """What was only taken to wait is over when Claude Code has been idle."""
    talk = (
        Talk().says("one").says("two").writes(INIT).answers("both").writes(IDLE).later().writes(RUNNING, INIT)
    )
    assert talk.answers("noticed", origin=NOTICE).told()[0] == [("one", "both"), (None, "noticed")]


def test_a_second_does_the_same_where_nothing_says_idle() -> None:
    """What waits is taken at once; so what was not when the next prompt comes, does not wait."""
    talk = Talk().says("one").says("two").writes(INIT).answers("both").later().says("three").writes(INIT)
    assert talk.answers("third").told()[0] == [("one", "both"), ("three", "third")]


def test_an_exit_without_fault_ends_it_too() -> None:
    """Regression: such a session had `exited in the middle of a turn`."""
    talk = (
        Talk().says("one").says("two").writes(INIT).answers("both").writes(INIT).answers("n", origin=NOTICE)
    )
    talk.log += talk.maker.ended()
    told, session = talk.told()
    assert told == [("one", "both"), (None, "n"), ("two", None)]
    assert (session.cut_off, session.last_turn.kind) == (False, "ok")


def test_the_word_idle_leaves_what_came_after_the_result() -> None:
    """A client is faster than the word that the turn before is over."""
    talk = Talk().says("one").writes(INIT).answers("1").says("two").writes(IDLE, INIT).answers("2")
    assert talk.told()[0] == [("one", "1"), ("two", "2")]


def test_a_turn_for_a_notice_that_takes_the_prompt_in_answers_it() -> None:
    """A prompt that comes when such a turn has just begun is answered within it."""
    talk = Talk().says("one").writes(INIT).calls_tool().later().gets_result().answers("both", origin=NOTICE)
    told, session = talk.writes(IDLE).told()
    assert told == [("one", "both")]
    assert session.run is None


@pytest.mark.parametrize("own", [True, False])
def test_what_is_shown_again_is_taken(own: bool) -> None:
    """With `--replay-user-messages` Claude Code shows what it puts to the model: together with the prompt, or alone."""
    shown = ["one\ntwo"] if own else ["one", "two"]
    replays = [
        {"type": "user", "isReplay": True, "message": {"role": "user", "content": words}} for words in shown
    ]
    talk = Talk().says("one").says("two").says("one").writes(INIT, *replays).answers("both").writes(INIT)
    told, session = talk.answers("again").told()
    assert told == [("one", "both"), ("one", "again")]
    assert session.queued == []


def test_what_may_come_later_is_put_to_the_model_alone() -> None:
    """It waits for what is not so patient, and has a turn of its own."""
    talk = Talk().says("one").writes(INIT).says("two").says("three", priority="later").says("four").later()
    told, _ = talk.answers("1").writes(INIT).answers("2").writes(INIT).answers("3").told()
    assert told == [("one", "1"), ("two\nfour", "2"), ("three", "3")]


def test_what_an_interrupt_puts_back_waits_on() -> None:
    """Claude Code shows what it was about to take in, and then has it in the next turn."""
    interrupt = {"type": "control_request", "request_id": "i", "request": {"subtype": "interrupt"}}
    shown = {"type": "user", "isReplay": True, "message": {"role": "user", "content": "two"}}
    talk = Talk().says("one").writes(INIT).calls_tool().says("two").later()
    talk.log += talk.maker.lines("stdin", interrupt)
    talk.gets_result().writes(shown, result(0, subtype="error_during_execution", is_error=True, errors=[]))
    assert talk.writes(INIT).answers("2").told()[0] == [("one", None), ("two", "2")]


def test_what_is_begun_with_a_prompt_by_its_uuid_waits_no_more() -> None:
    """Of a message with a `uuid` newer releases say it: `started` before the turn begins."""
    started = {"type": "command_lifecycle", "command_uuid": "u2", "state": "started", **IDS}
    talk = Talk().says("one").says("two", uuid="u2").says("three").writes(started, INIT).answers("both")
    told, _ = talk.writes(INIT).answers("third").told()
    assert told == [("one", "both"), ("three", "third")]
