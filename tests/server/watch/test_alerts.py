"""What somebody is told of a session: each kind at its limit, each can be switched off, nothing of what was said."""

from pathlib import Path
from typing import Any

import pytest

from proxy.config import SECTIONS, Alerts
from proxy.events.figures import Figures
from proxy.events.session import Followed, Question, Run, Session, Standing, Tool
from proxy.server.watch.alerts import alerts_of

S = 1_000_000
NOW_US = 2_000_000_000 * S


def session(**fields: Any) -> Session:
    """Return a session in the middle of a turn."""
    standing = Standing("executing", NOW_US - 10 * S)
    run = Run("r", 1, NOW_US - 10 * S, heard=True)
    return Session("s1", **{"standing": standing, "run": run, "last_output_us": NOW_US - S, **fields})


def idle(since_us: int, last_output_us: int) -> Session:
    """Return a session whose only turn is over."""
    standing, figures = Standing("idle", since_us), Figures(turns=1)
    about: dict[str, Any] = {"standing": standing, "figures": figures, "last_output_us": last_output_us}
    return session(run=None, one_prompt=True, **about)


def ago(seconds: float) -> int:
    """Return a moment so long ago."""
    return int(NOW_US - seconds * S)


CASES: dict[str, tuple[Session, Session, dict[str, Any]]] = {
    # kind: one that is told, one just below the limit, what switches it off
    "session_failed": (
        session(crash=Standing("failed")),
        session(standing=Standing("ended"), run=None),
        {"session_failed": False},
    ),
    "permission_wait": (
        session(questions={"q": Question("can_use_tool", 3, ago(300), "Bash")}),
        session(questions={"q": Question("can_use_tool", 3, ago(299.9), "Bash")}),
        {"permission_wait": None},
    ),
    "model_wait": (
        session(run=Run("r", 1, ago(900)), last_output_us=ago(300)),
        session(run=Run("r", 1, ago(900)), last_output_us=ago(299.9)),
        {"model_wait": None},
    ),
    "tool_wait": (
        session(tools={"t": Tool("Bash", 3, ago(900))}),
        session(tools={"t": Tool("Bash", 3, ago(899.9))}),
        {"tool_wait": None},
    ),
    "exit_wait": (
        idle(ago(61), ago(60)),
        idle(ago(61), ago(59.9)),
        {"exit_wait": None},
    ),
    "invalid_messages": (
        session(counts={"stdout": {"invalid": 1, "valid": 9}}),
        session(counts={"stdout": {"unknown": 5, "valid": 9}}),
        {"invalid_messages": None},
    ),
    "recording_gap": (session(lost_records=1), session(), {"recording_gap": False}),
    "session_budget": (
        session(figures=Figures(cost_usd=2.51)),
        session(figures=Figures(cost_usd=2.5)),
        {"session_budget": None},
    ),
}


def kinds(one: Session, **settings: Any) -> list[str]:
    """Return the kinds that are told of a session."""
    return [alert.kind for alert in alerts_of(one, NOW_US, Alerts(**{"session_budget": 2.5, **settings}))]


@pytest.mark.parametrize("kind", CASES)
def test_each_kind_is_told_at_its_limit_and_can_be_switched_off(kind: str) -> None:
    """Told from the limit on, not before, and not when switched off."""
    told, quiet, off = CASES[kind]
    assert kinds(told) == [kind]
    assert kinds(quiet) == []
    assert kinds(told, **off) == []


def test_each_kind_is_a_setting() -> None:
    """Every kind has its key in the configuration, and every key but the address is a kind."""
    kinds = set(SECTIONS["alerts"].__struct_fields__) - {"webhook_url"}
    operation = (Path(__file__).parents[3] / "docs" / "operation.md").read_text()
    assert all(f"| `{kind}` |" in operation for kind in kinds)
    # The rest is not of a session's state: `test_monitor.py` has it.
    assert kinds - set(CASES) == {"server_error", "disk_low", "rule"}


@pytest.mark.parametrize(
    ("exit_", "told"),
    [
        ({"exit_code": 1}, True),
        ({"signal": "SIGKILL"}, True),
        ({"signal": "SIGTERM"}, False),
        ({"exit_code": 143}, False),
    ],
)
def test_a_command_that_its_caller_ended_has_not_failed(exit_: dict[str, Any], told: bool) -> None:
    """To end a turn with SIGINT, SIGTERM or SIGHUP is the caller's will; another end in a turn is a failure."""
    one = session(standing=Standing("ended"), run=None, cut_off=True, exit=exit_)
    assert kinds(one) == (["session_failed"] if told else [])


@pytest.mark.parametrize(("followed", "told"), [(None, True), (Followed(), False)])
def test_who_leaves_a_terminal_in_mid_turn_has_not_failed(followed: Followed | None, told: bool) -> None:
    """`/exit` is the user's will; a relayed command that ends as if all was well still owes a result."""
    one = session(standing=Standing("ended"), followed=followed, exit={"exit_code": 0, "clean": True})
    assert kinds(one) == (["session_failed"] if told else [])


def test_a_session_that_waits_for_its_caller_waits_for_nothing_else() -> None:
    """A tool that needs a permission does not run, and the model has said what it had to say."""
    one = session(
        questions={"q": Question("can_use_tool", 3, ago(1), "Bash")},
        tools={"t": Tool("Bash", 3, ago(9000))},
        run=Run("r", 1, ago(9000)),
        last_output_us=ago(9000),
    )
    assert kinds(one) == []


def test_a_clock_that_was_set_back_makes_no_wait() -> None:
    """What began in the future has not lasted."""
    one = session(tools={"t": Tool("Bash", 3, NOW_US + 10**15)}, run=Run("r", 1, NOW_US + 10**15))
    assert kinds(one) == []


@pytest.mark.parametrize("prints", ["text", "json"])
def test_what_prints_its_answer_alone_is_not_waited_for(prints: str) -> None:
    """With text and JSON output nothing comes before the end, however long that takes."""
    one = session(run=Run("r", 1, ago(9000)), last_output_us=0, prints=prints)
    assert alerts_of(one, NOW_US, Alerts()) == []


def test_another_occasion_is_another_alert() -> None:
    """Each question, tool, silence and gap is told apart from the one before."""
    occasions = {
        alert.occasion
        for key in ("q1", "q2")
        for alert in alerts_of(
            session(questions={key: Question("hook_callback", 3, ago(999))}), NOW_US, Alerts()
        )
    }
    assert occasions == {"q1", "q2"}
    for name in ("lost_records", "last_output_us"):
        one, two = (
            alerts_of(session(**{"run": Run("r", 1, 1), name: figure}), NOW_US, Alerts()) for figure in (7, 8)
        )
        assert {alert.occasion for alert in one} != {alert.occasion for alert in two}


def test_nothing_of_what_was_said_is_told() -> None:
    """A webhook is another party: it learns names and figures, no prompt, no input, no output."""
    one = session(
        name="nightly",
        tools={"t": Tool("Bash", 3, ago(9000))},
        command=["claude", "-p", "secret"],
        cwd="/secret",
    )
    (alert,) = alerts_of(one, NOW_US, Alerts())
    assert alert.text == "Session s1 (nightly): the tool Bash has been running for 9000 s."
