"""Between caller and command: who may act, and one answer for each question."""

from __future__ import annotations

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.acting.mediator import Answer, Frames, Mediator, Request
from proxy.acting.verbs import ActionError

TOKEN = "cp_token"
TOKENS = frozenset({hashlib.sha256(TOKEN.encode()).hexdigest()})


def mediator(grant: str = "full", *, asks: bool = True, policy: dict[str, Any] | None = None) -> Mediator:
    """Return one whose token is `TOKEN`."""
    return Mediator(grant, TOKENS, asks=asks, policy=policy)


def asked(request_id: str = "q", **fields: Any) -> bytes:
    """Return a question of Claude Code."""
    request = {"subtype": "can_use_tool", "tool_name": "Write", "input": {"file_path": "/a"}, **fields}
    return json.dumps({"type": "control_request", "request_id": request_id, "request": request}).encode()


def answered(request_id: str = "q", behavior: str = "allow") -> bytes:
    """Return the caller's answer."""
    response = {"subtype": "success", "request_id": request_id, "response": {"behavior": behavior}}
    return json.dumps({"type": "control_response", "response": response}).encode()


def responded(request_id: str, **response: Any) -> bytes:
    """Return Claude Code's answer to a request."""
    about = {"subtype": "success", "request_id": request_id, "response": response}
    return json.dumps({"type": "control_response", "response": about}).encode()


def act(one: Mediator, action: str, token: str | None = TOKEN, **arguments: Any) -> Frames:
    """Do an action."""
    request = Request("a", action, arguments, token)
    return one.frames(request, one.check(request))


def code(one: Mediator, action: str, token: str | None = TOKEN, **arguments: Any) -> str:
    """Return why an action is refused."""
    with pytest.raises(ActionError) as raised:
        act(one, action, token, **arguments)
    return raised.value.code


def sent(frames: Frames) -> Any:
    """Return what goes to the command."""
    return json.loads(frames.to_command)


def released(one: Mediator) -> list[Any]:
    """Gather the questions that are passed on, as their turn comes."""
    lines: list[Any] = []

    def pass_on(request_id: str) -> None:
        line = one.released(request_id)
        lines.append(None if line is None else json.loads(line)["request_id"])

    one.on_release = pass_on
    return lines


def test_a_grant_is_what_it_was_at_the_start() -> None:
    """Off takes nothing; restraining takes no token; enabling takes one that existed then."""
    assert code(mediator("off"), "interrupt") == "acting_off"
    assert code(mediator("restrain"), "mode", value="plan") == "not_granted"
    assert sent(act(mediator("restrain"), "interrupt", None))["request"] == {"subtype": "interrupt"}
    assert code(mediator(), "mode", None, value="plan") == "token_needed"
    assert code(mediator(), "mode", "cp_newer", value="plan") == "token_too_new"
    assert sent(act(mediator(), "mode", value="plan"))["request"] == {
        "subtype": "set_permission_mode",
        "mode": "plan",
    }


def test_what_is_answered_here_is_withdrawn_there() -> None:
    """The command gets one answer; the caller is told, and its own, which comes late, is held back."""
    one = mediator()
    assert one.from_command(asked()) is False
    frames = act(one, "deny", None, request_id="q", message="no", stop_turn=True)
    assert sent(frames)["response"]["response"] == {"behavior": "deny", "message": "no", "interrupt": True}
    assert json.loads(frames.to_caller or b"") == {"type": "control_cancel_request", "request_id": "q"}
    assert one.from_caller(answered()) == (True, ())
    assert code(one, "allow", request_id="q") == "already_answered"


def test_what_the_caller_answered_is_answered() -> None:
    """Its answer passes, and a second one of somebody else is refused with who was first."""
    one = mediator()
    one.from_command(asked())
    assert one.from_caller(answered()) == (False, ())
    request = Request("a", "deny", {"request_id": "q"})
    with pytest.raises(ActionError) as raised:
        one.frames(request, one.check(request))
    assert (raised.value.code, raised.value.facts) == ("already_answered", {"by": "caller"})
    assert one.from_caller(answered()) == (False, ())  # Claude Code drops a second one itself


def test_an_answer_that_was_not_sent_is_taken_back() -> None:
    """The caller can still answer."""
    one = mediator()
    one.from_command(asked())
    act(one, "deny", request_id="q").undo()
    assert one.from_caller(answered()) == (False, ())


def test_what_nobody_asked_cannot_be_answered() -> None:
    """Nor what Claude Code has withdrawn."""
    one = mediator()
    assert code(one, "allow", request_id="q") == "unknown_question"
    one.from_command(asked())
    assert one.from_command(b'{"type":"control_cancel_request","request_id":"q"}') is False
    assert code(one, "allow", request_id="q") == "unknown_question"


def test_an_allowed_tool_gets_its_input_and_lasts_for_the_session() -> None:
    """As it was asked, or as it is changed; a rule that is remembered is no longer than the session."""
    one = mediator()
    suggestion = {"type": "addRules", "rules": [{"toolName": "Write"}], "destination": "localSettings"}
    cases: list[tuple[dict[str, Any], dict[str, Any]]] = [
        ({}, {"updatedInput": {"file_path": "/a"}}),
        ({"updated_input": {"file_path": "/b"}}, {"updatedInput": {"file_path": "/b"}}),
        (
            {"remember": True},
            {
                "updatedInput": {"file_path": "/a"},
                "updatedPermissions": [{**suggestion, "destination": "session"}],
            },
        ),
    ]
    for number, (given_, answer) in enumerate(cases):
        one.from_command(asked(f"q{number}", permission_suggestions=[suggestion]))
        frames = act(one, "allow", request_id=f"q{number}", **given_)
        assert sent(frames)["response"]["response"] == {"behavior": "allow", **answer}


def test_answers_to_our_own_requests_are_ours() -> None:
    """Held back from the caller, and given to whoever waits for them; those of the caller pass."""
    one, waiting = mediator(), Answer()
    request_id = json.loads(one.request_frame("get_usage", waiting.take))["request_id"]
    assert one.from_command(responded("1", a=1)) is False
    assert one.from_command(responded(request_id, a=1)) is True
    assert (waiting.wait(0), waiting.content, waiting.error) == (True, {"a": 1}, None)
    assert one.from_command(responded(request_id, a=1)) is False


def test_a_pause_holds_questions_back_until_it_is_over() -> None:
    """Each tool asks, the caller hears of it at the end; what was withdrawn meanwhile it never hears of."""
    one = mediator()
    passed_on = released(one)
    frames = act(one, "pause")
    assert sent(frames)["request"]["settings"] == {"permissions": {"ask": ["*"]}}
    assert [one.from_command(asked(name)) for name in ("q1", "q2")] == [True, True]
    assert one.from_command(b'{"type":"control_cancel_request","request_id":"q2"}') is True
    frames = act(one, "resume")
    assert sent(frames)["request"]["settings"] == {"permissions": None}
    assert passed_on == ["q1"]
    assert one.from_caller(answered("q1")) == (False, ())
    assert code(one, "resume") == "not_paused"
    assert code(mediator(asks=False), "pause") == "cannot_pause"


def test_a_question_that_is_held_back_can_be_answered() -> None:
    """The caller never saw it, so there is nothing to withdraw."""
    one = mediator()
    act(one, "pause")
    one.from_command(asked())
    assert act(one, "deny", request_id="q").to_caller is None
    passed_on = released(one)
    act(one, "resume")
    assert passed_on == []


def test_a_question_that_waits_for_its_turn_can_be_withdrawn() -> None:
    """Between the end of a pause and the question's turn in the stream: the caller hears of neither."""
    one = mediator()
    act(one, "pause")
    one.from_command(asked())
    act(one, "resume")
    assert one.from_command(b'{"type":"control_cancel_request","request_id":"q"}') is True
    assert one.released("q") is None


def test_a_line_that_was_held_back_passes_as_it_came() -> None:
    """Byte for byte, and its end once."""
    one = mediator()
    act(one, "pause")
    one.from_command(b" " + asked() + b"\r\n")
    act(one, "resume")
    assert one.released("q") == b" " + asked() + b"\r"


def test_a_pause_that_cannot_be_holds_nothing_back() -> None:
    """Neither one that was not recorded, nor one that Claude Code refuses; an end that was not recorded is none."""
    for refused in (True, False):
        one = mediator()
        passed_on = released(one)
        frames = act(one, "pause")
        one.from_command(asked())
        if refused:
            error = {
                "subtype": "error",
                "request_id": sent(frames)["request_id"],
                "error": "unsupported_request",
            }
            one.from_command(json.dumps({"type": "control_response", "response": error}).encode())
        else:
            frames.undo()
        assert (one.paused, passed_on) == (False, ["q"])
    one = mediator()
    act(one, "pause")
    one.from_command(asked())
    act(one, "resume").undo()
    assert (one.paused, one.released("q")) == (True, None)
    act(one, "pause").undo()
    assert one.paused


def test_rules_of_the_caller_are_added_to_and_never_lost() -> None:
    """Claude Code keeps one set of them: whatever changes it is followed by all that are in force."""
    one = mediator(policy={"deny": ["Bash(rm *)"], "defaultMode": "plan"})
    own = {
        "subtype": "apply_flag_settings",
        "settings": {"permissions": {"deny": ["Read"], "allow": ["Edit"]}},
    }
    line = json.dumps({"type": "control_request", "request_id": "1", "request": own}).encode()
    is_held, (frame,) = one.from_caller(line)
    assert not is_held
    union = {"deny": ["Bash(rm *)", "Read"], "allow": ["Edit"], "defaultMode": "plan"}
    assert json.loads(frame)["request"]["settings"]["permissions"] == union
    paused = sent(act(one, "pause"))["request"]["settings"]["permissions"]
    assert paused == {**union, "ask": ["*"]}
    assert sent(act(one, "resume"))["request"]["settings"]["permissions"] == union
    other = {"subtype": "apply_flag_settings", "settings": {"model": "m"}}
    line = json.dumps({"type": "control_request", "request_id": "2", "request": other}).encode()
    assert one.from_caller(line) == (False, ())
    assert mediator().from_caller(line) == (False, ())


def test_of_two_answers_at_once_one_is_the_answer() -> None:
    """Caller and others race for each question: the command gets exactly one decision."""
    one = mediator()
    with ThreadPoolExecutor(2) as pool:
        for number in range(200):
            name = f"q{number}"
            one.from_command(asked(name))

            def ours(name: str = name) -> bool:
                try:
                    return bool(act(one, "deny", request_id=name).to_command)
                except ActionError:
                    return False

            theirs = pool.submit(one.from_caller, answered(name))
            mine = pool.submit(ours)
            passed = not theirs.result()[0]
            assert mine.result() != passed


@given(st.binary() | st.sampled_from([asked(), answered()]).map(lambda line: line[:-3]))
def test_no_line_breaks_it(line: bytes) -> None:
    """What is no control message passes."""
    one = mediator()
    assert one.from_command(line) is False
    assert one.from_caller(line) == (False, ())
    assert one.from_command(b'{"type":"control_request"' + line) is False
