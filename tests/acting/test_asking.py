"""Asking a relay that answers, refuses, says nonsense, or is not there."""

from pathlib import Path
from typing import Any

import pytest

from proxy.acting.address import listen
from proxy.acting.asking import ask
from proxy.acting.verbs import ActionError
from tests.acting.relays import answering


def asked(tmp_path: Path, answer: bytes) -> int:
    """Ask a relay that gives this answer."""
    with answering(tmp_path, "s", lambda _: answer):
        return ask(str(tmp_path), "s", {"action": "interrupt"})


def test_the_number_of_the_record(tmp_path: Path) -> None:
    """Is what an action gives."""
    assert asked(tmp_path, b'{"ok":true,"seq":7}\n') == 7


@pytest.mark.parametrize(
    ("answer", "code", "facts"),
    [
        (
            b'{"ok":false,"error":"already_answered","message":"x","by":"caller"}\n',
            "already_answered",
            {"by": "caller"},
        ),
        (b'{"ok":false,"error":"of a later version"}\n', "relay_unreachable", {}),
        (b"nonsense\n", "relay_unreachable", {}),
        (b"", "relay_unreachable", {}),
    ],
)
def test_a_refusal(tmp_path: Path, answer: bytes, code: str, facts: dict[str, Any]) -> None:
    """Has its code, and what is told with it."""
    with pytest.raises(ActionError) as raised:
        asked(tmp_path, answer)
    assert (raised.value.code, raised.value.facts) == (code, facts)


def test_no_answer_in_time(tmp_path: Path) -> None:
    """It may have been done: nobody knows."""
    with listen(str(tmp_path), "s"), pytest.raises(ActionError, match="unconfirmed"):
        ask(str(tmp_path), "s", {}, timeout_s=0.05)


def test_nobody_is_there(tmp_path: Path) -> None:
    """The session has no grant, or is over."""
    with pytest.raises(ActionError, match="relay_unreachable"):
        ask(str(tmp_path), "s", {})
