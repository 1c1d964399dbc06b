"""What the API tells of questions and actions."""

from typing import Any

from proxy.events import Session
from proxy.events.session import Question
from proxy.telling.acting import actions, open_questions

NOW = "2027-01-01T00:00:00Z"


def test_an_action_is_told_with_its_end() -> None:
    """Each has its own; one that has none yet is `sent`."""
    about = {"args": {}, "by": {"kind": "api"}, "seq": 1}
    requests: list[tuple[str, str, dict[str, Any]]] = [
        ("action_requested", NOW, {"action_id": "c", "action": "stop", **about}),
        ("action_refused", NOW, {"action_id": "b", "action": "allow", "error": "token_needed", **about}),
        ("action_requested", NOW, {"action_id": "a", "action": "pause", **about}),
        ("action_requested", NOW, {"action_id": "z", "action": "deny", **about}),
    ]
    outcomes: list[tuple[str, str, dict[str, Any]]] = [
        ("action_failed", NOW, {"action_id": "a", "error": "unsupported_request", "duration_ms": 1.5}),
        ("action_confirmed", NOW, {"action_id": "z", "effect": "did_not_run"}),
    ]
    told = list(actions(requests, outcomes))
    assert [(one.action_id, one.state, one.error, one.effect) for one in told] == [
        ("c", "sent", None, None),
        ("b", "refused", "token_needed", None),
        ("a", "failed", "unsupported_request", None),
        ("z", "confirmed", None, "did_not_run"),
    ]
    assert told[2].took_ms == 1.5


def test_a_question_whose_record_is_gone_is_told_all_the_same() -> None:
    """Without its input; only questions for permission are."""
    session = Session("s")
    session.questions = {
        "q": Question("can_use_tool", 3, 0, "Bash", reason="rule"),
        "h": Question("hook_callback", 4, 0),
    }
    (told,) = open_questions(session, lambda _: None)
    assert (told.request_id, told.tool, told.input, told.reason, told.held) == (
        "q",
        "Bash",
        None,
        "rule",
        False,
    )
