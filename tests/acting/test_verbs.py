"""What actions take, and why one is refused."""

from __future__ import annotations

from typing import Any

import pytest

from proxy.acting.verbs import GRANTS, RESTRAIN, STATUS, VERBS, ActionError, checked_arguments, possible


def test_a_grant_to_restrain_has_nothing_that_enables() -> None:
    """Whatever holds it can only make the agent do less."""
    assert set(GRANTS["full"]) == set(VERBS)
    assert set(GRANTS["full"]) - set(GRANTS["restrain"]) == {"allow", "resume", "mode", "model"}


@pytest.mark.parametrize(
    ("action", "arguments"),
    [
        ("interrupt", {}),
        ("deny", {"request_id": "r", "message": "no", "stop_turn": True}),
        ("allow", {"request_id": "r", "updated_input": {"a": 1}, "remember": None}),
        ("mode", {"value": "plan"}),
        ("stop", {"how": "drain"}),
    ],
)
def test_arguments_that_fit(action: str, arguments: dict[str, Any]) -> None:
    """What is null is as if it were absent."""
    assert checked_arguments(action, arguments) == {k: v for k, v in arguments.items() if v is not None}


@pytest.mark.parametrize(
    ("action", "arguments", "said"),
    [
        ("explode", {}, "there is no action 'explode'; there are interrupt"),
        ("interrupt", {"now": True}, "interrupt takes nothing, and no now"),
        ("deny", {}, "deny needs request_id"),
        ("deny", {"request_id": 5}, "request_id of deny is no text"),
        ("deny", {"request_id": ""}, "request_id of deny is no text"),
        ("allow", {"request_id": "r", "updated_input": []}, "updated_input of allow is no object"),
        ("stop", {"how": "fast"}, "how of stop is 'fast'; it takes end, drain, term"),
        ("deny", {"request_id": "r", "message": "x" * 65537}, "too_large: "),
    ],
)
def test_arguments_that_do_not_fit(action: str, arguments: dict[str, Any], said: str) -> None:
    """The sentence says what to change."""
    with pytest.raises(ActionError) as raised:
        checked_arguments(action, arguments)
    assert said in str(raised.value)
    assert raised.value.status in (413, 422)


def test_each_code_has_a_status_of_a_refusal() -> None:
    """An error is never taken for a success."""
    assert all(400 <= status < 600 for status in STATUS.values())


ASKING = ["claude", "--permission-prompt-tool", "stdio"]


@pytest.mark.parametrize(
    ("grant", "command", "paused", "can"),
    [
        ("off", ASKING, False, ()),
        ("restrain", ASKING, False, RESTRAIN),
        ("restrain", ASKING, True, ("interrupt", "deny", "stop")),
        ("full", ["claude", "--permission-prompt-tool=stdio"], False, (*RESTRAIN, "allow", "mode", "model")),
        ("full", ["claude"], False, ("interrupt", "stop", "mode", "model")),
    ],
)
def test_what_is_possible(grant: str, command: list[str], paused: bool, can: tuple[str, ...]) -> None:
    """A session that asks nobody has no questions to answer and cannot be paused."""
    assert possible(grant, command, paused=paused) == can
