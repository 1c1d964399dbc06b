"""What became of sessions: by the exit, and by who stopped it."""

from typing import Any

import pytest

from proxy.events.outcome import Outcome
from proxy.events.session_outcome import of_session
from tests.events.test_interpreter import USER, interpreted, result, run_ends
from tests.events.test_outcome import MODEL, STREAM, turn
from tests.recorded import LogMaker


@pytest.mark.parametrize(
    ("end", "outcome"),
    [
        ({"exit_code": 0}, Outcome("ok")),
        ({"exit_code": 3}, Outcome("failed", "The command exited with status 3.")),
        ({"exit_code": 143}, Outcome("interrupted", "The command was ended by SIGTERM (exit status 143).")),
        ({"exit_code": None, "signal": "SIGINT"}, Outcome("interrupted", "The command was ended by SIGINT.")),
        ({"exit_code": None, "signal": "SIGKILL"}, Outcome("failed", "The command was ended by SIGKILL.")),
        (
            {"exit_code": None, "signal": "SIGKILL", "reason": "wrapper_killed"},
            Outcome("failed", "The wrapper was killed, and the command with it."),
        ),
    ],
)
def test_how_the_command_ended(end: dict[str, Any], outcome: Outcome) -> None:
    """After a turn that went well the exit decides; who was asked to end did not fail."""
    _, session = turn(result(0.1, **MODEL), **end)
    assert of_session(session) == outcome


@pytest.mark.parametrize(
    ("end", "event", "outcome"),
    [
        (
            {"exit_code": 1},
            "run_failed",
            Outcome("failed", "The command exited with status 1 in the middle of a turn."),
        ),
        ({"exit_code": 0}, "run_failed", Outcome("failed", "The command exited in the middle of a turn.")),
        (
            {"exit_code": None, "signal": "SIGTERM"},
            "run_interrupted",
            Outcome("interrupted", "The command was ended by SIGTERM in the middle of a turn."),
        ),
    ],
)
def test_the_end_in_a_turn(end: dict[str, Any], event: str, outcome: Outcome) -> None:
    """A turn that the command's end cut off is told, and so is the session."""
    made = LogMaker()
    events, session = interpreted(made.started(STREAM) + made.lines("stdin", USER) + made.ended(**end))
    assert [data["event"] for data in run_ends(events)] == [event]
    assert of_session(session) == outcome
    assert session.ended_in_turn


def test_while_it_goes_on_and_after_a_crash() -> None:
    """A session that is not over has no outcome; one whose writer died has crashed, whatever its turns were."""
    made = LogMaker()
    log = made.started(STREAM) + made.lines("stdin", USER) + made.lines("stdout", result(0.1, **MODEL))
    assert of_session(interpreted(log)[1]) is None
    became = of_session(interpreted(log, crashed=True)[1])
    assert became is not None
    assert became.kind == "crashed"


def test_a_killed_command_outweighs_its_last_turn() -> None:
    """That somebody killed the command is told before what a turn reached."""
    _, session = turn(result(0.1, subtype="error_max_turns", is_error=True), exit_code=None, signal="SIGKILL")
    assert of_session(session) == Outcome("failed", "The command was ended by SIGKILL.")
