"""Anomalies: each kind is found where it is, with its record, and not where it is not."""

import re
from pathlib import Path

import pytest

from proxy.analysis.anomalies import MOST
from proxy.analysis.report import Anomaly
from tests.analysis.made import DOCUMENTED, Made, analysed, events_of
from tests.recorded import LogMaker, scenario

SOURCES = Path(__file__).parents[2] / "proxy" / "analysis"


def only(made: Made, now_ms: float | None = None) -> Anomaly:
    """Return the one anomaly that there is."""
    (one,) = made.report(now_ms).anomalies
    assert one.seq in one.evidence.records
    return one


def busy(times: int = 30, made: Made | None = None) -> Made:
    """Return a session whose turn has called tools, a second each, a second apart."""
    made = made or Made().begin(0)
    began = made.now_ms
    for number in range(times):
        at = began + number * 2000
        made.call(at + 1000, f"t{len(made.events)}").answer(
            at + 2000, f"t{len(made.events) - 1}", f"{number}"
        )
    return made


def test_each_kind_is_documented() -> None:
    """Users learn of each kind what it is and when it is found, and of no other."""
    source = "\n".join(path.read_text() for path in SOURCES.glob("*.py"))
    found = set(re.findall(r'\.add\(\s*"(\w+)"|(?<!\.)kind = "(\w+)"|_group\(\("(\w+)"', source))
    kinds = {kind for names in found for kind in names if kind}
    assert kinds | {"failed_turn", "limited_turn", "blocked_turn"} == DOCUMENTED


def test_an_ordinary_session_has_none() -> None:
    """Work that goes its way is not worth a word."""
    assert busy().end(61_000).over(62_000).kinds() == []


def test_a_silence_far_from_the_norm() -> None:
    """Two minutes in which nothing comes, where a second is usual; the record is the last one before."""
    made = busy()
    made.call(made.now_ms + 120_000, "late").answer(made.now_ms + 1, "late").end(made.now_ms + 10)
    one = only(made)
    assert (one.kind, one.severity, one.seq) == ("silence", "warning", 61)
    assert one.evidence.facts["gap_ms"] == 120_000
    assert one.evidence.facts["median_ms"] == pytest.approx(1000)


def test_a_silence_that_is_usual_is_none() -> None:
    """A model that thinks for two minutes each time is slow, not silent."""
    made = Made().begin(0)
    for number in range(30):
        made.call(number * 121_000 + 120_000, f"t{number}").answer(
            number * 121_000 + 121_000, f"t{number}", number
        )
    assert made.end(made.now_ms + 10).kinds() == []


def test_the_users_pauses_are_no_silence() -> None:
    """A night between two prompts is nobody's fault."""
    made = busy().end(61_000)
    assert busy(30, made.begin(40_000_000)).end(made.now_ms + 10).kinds() == []


def test_what_prints_its_answer_alone_is_not_silent() -> None:
    """Hours in which nothing comes are the turn's, and nobody's fault: with text output nothing can come."""
    made = Made(started=False)
    made.at(0, "session_started", command=["claude", "-p", "hi"], kind="wrapped", output_format="text")
    report = made.begin(0).end(36_000_000).over(36_000_001).report()
    assert [one.kind for one in report.anomalies] == []
    assert [(one.activity, one.ms) for one in report.time.activities if one.ms > 1] == [("turn", 36_000_000)]


def test_a_clock_that_jumps() -> None:
    """Eight hours within a turn are told, also without a norm; what was before and after stays in order."""
    made = Made().begin(0).call(1000, "a").answer(2000, "a").call(28_800_000, "b").answer(28_801_000, "b")
    one = only(made.end(28_802_000))
    assert (one.kind, one.severity) == ("silence", "critical")
    back = Made().begin(5000).call(4000, "a").answer(3000, "a").end(2000).over(1000)
    assert back.report().duration_ms == 5000


def test_a_slow_tool() -> None:
    """A call of five minutes among calls of a second; one without likes may take long."""
    made = busy().call(61_000, "slow", given={"command": "make"}).answer(361_000, "slow")
    one = only(made.end(361_100))
    assert (one.kind, one.severity) == ("slow_tool", "warning")
    assert one.sentence.startswith("Bash: make took 5 m 00 s")
    alone = Made().begin(0).call(0, "a", "Build").answer(300_000, "a").end(300_001)
    assert alone.kinds() == []


def test_a_permissions_time_is_not_the_tools() -> None:
    """A call that waited ten minutes for its permission was asked late, and not slow."""
    made = busy().call(61_000, "x").ask(61_001, "x").decide(661_000, "x").answer(662_000, "x").end(662_100)
    assert made.kinds() == ["late_permission"]


def test_permissions_without_an_answer() -> None:
    """One that waits is told after a minute, one that was never answered always."""
    made = Made().begin(0).call(10, "a").ask(20, "a")
    assert made.kinds(now_ms=30_000) == []
    assert made.kinds(now_ms=120_000) == ["unanswered_permission"]
    assert made.over(120_000).kinds() == ["unanswered_permission", "run_without_result"]
    cut = Made().begin(0).call(10, "a").ask(20, "a").over(20.5, "failed").report()
    said = next(one.sentence for one in cut.anomalies if one.kind == "unanswered_permission")
    assert said == "A permission for Bash was never answered.", "nobody knows how long it waited"


def test_a_call_that_waits_for_its_permission_does_not_run() -> None:
    """Regression: two hours in which nobody answered were told as a tool that had been running for two hours."""
    made = Made().begin(0).call(10, "a").ask(20, "a")
    assert made.kinds(now_ms=7_200_000) == ["unanswered_permission"]
    allowed = made.decide(7_200_000, "a")
    assert allowed.kinds(now_ms=7_201_000) == ["late_permission"]
    assert "slow_tool" in allowed.kinds(now_ms=4 * 7_200_000)


def test_repeated_calls() -> None:
    """The same call with the same answer, three times in a row; what was done between begins anew."""
    made = Made().begin(0)
    for number in range(4):
        made.call(number * 10, f"a{number}", given={"command": "ls"}).answer(number * 10 + 5, f"a{number}")
    one = only(made.end(100))
    assert (one.kind, one.evidence.facts["times"], len(one.evidence.records)) == ("repeated_call", 4, 4)
    made = Made().begin(0)
    for number in range(8):
        made.call(
            number * 10, f"a{number}", given={"command": "make test" if number % 2 else f"edit {number}"}
        )
        made.answer(number * 10 + 5, f"a{number}", number)
    assert made.end(100).kinds() == []


def test_asking_again_is_no_repetition_unless_it_is_long() -> None:
    """Different answers show that something moves: nine times is polling, ten is worth knowing."""
    for times, kinds in ((9, []), (10, ["repeated_call"])):
        made = Made().begin(0)
        for number in range(times):
            made.call(number * 10, f"a{number}", given={"command": "date"}).answer(
                number * 10 + 5, f"a{number}", number
            )
        assert made.end(200).kinds() == kinds


def test_the_same_in_another_turn_is_no_repetition() -> None:
    """Who asks the same again gets the same again."""
    made = Made()
    for number in range(6):
        made.begin(number * 100).call(number * 100 + 1, f"a{number}", given={"command": "ls"})
        made.answer(number * 100 + 5, f"a{number}").end(number * 100 + 10)
    assert made.kinds() == []


def test_a_loop() -> None:
    """Three rounds of the same two calls are one loop, and no repetition besides."""
    made = Made().begin(0)
    for number in range(8):
        given = {"command": ("make", "make clean")[number % 2]}
        made.call(number * 10, f"a{number}", given=given).answer(number * 10 + 5, f"a{number}", "no rule")
    one = only(made.end(100))
    assert (one.kind, one.evidence.facts["times"], one.seq) == ("loop", 4, 2)


def test_an_error_burst() -> None:
    """Five failures in a row are one burst, to its end; denied calls are no failures."""
    made = Made().begin(0)
    for number in range(7):
        made.call(number * 10, f"a{number}").answer(number * 10 + 5, f"a{number}", f"{number}", failed=True)
    one = only(busy(20, made).end(made.now_ms + 10))
    assert (one.kind, one.evidence.facts) == ("error_burst", {"failures": 7, "tools": {"Bash": 7}})
    made = Made().begin(0)
    for number in range(7):
        key = f"a{number}"
        made.call(number * 10, key).ask(number * 10 + 1, key).decide(number * 10 + 2, key, "deny")
        made.answer(number * 10 + 5, key, f"{number}", failed=True, denied=True)
    assert made.end(200).kinds() == []
    assert made.report().tools[0].denied == 7


def test_turns_that_fail_or_have_no_result() -> None:
    """A failed turn says why; one that was cut off says so; one that the user stopped is neither."""
    failed = only(Made().begin(0).end(10, "run_failed", outcome="failed", errors=["went wrong"]).over(20))
    assert (failed.kind, failed.severity) == ("failed_turn", "critical")
    assert failed.evidence.facts["errors"] == ["went wrong"]
    for outcome in ("limited", "blocked"):
        other = only(Made().begin(0).end(10, "run_failed", outcome=outcome, errors=["why"]).over(20))
        assert (other.kind, other.severity) == (f"{outcome}_turn", "warning")
    cut = only(Made().begin(0).end(10, "run_failed", subtype=None, errors=["gone"]).over(20, exit_code=1))
    assert cut.kind == "run_without_result"
    stopped = (
        Made().begin(0).end(10, "run_interrupted", subtype="error_during_execution").over(20, exit_code=1)
    )
    assert stopped.kinds() == []


def test_how_the_command_ended() -> None:
    """A crash and a kill are told, being asked to stop is not."""
    assert Made().over(10, "failed").kinds() == ["crashed"]
    assert Made().over(10, exit_code=None, signal="SIGKILL").kinds() == ["abnormal_exit"]
    assert Made().over(10, exit_code=3).kinds() == ["abnormal_exit"]
    assert Made().over(10, exit_code=None, signal="SIGTERM").kinds() == []
    assert Made().over(10, exit_code=143).kinds() == []


def test_what_does_not_match() -> None:
    """Calls without results in a turn that is complete, and results without calls."""
    assert only(Made().begin(0).call(10, "a").end(20)).kind == "unmatched_tool_call"
    assert only(Made().begin(0).answer(10, "a").answer(11, "b").end(20)).evidence.facts == {"count": 2}
    assert Made().begin(0).call(10, "a").end(20, "run_interrupted").kinds() == []


def test_a_result_behind_the_end_of_its_subagent_is_its_calls() -> None:
    """Regression: Claude Code says that a subagent is stopped before it writes the result of the call it was in."""
    made = Made().begin(0).call(10, "x", "Agent").at(11, "task_started", task_id="k", tool_use_id="x")
    made.call(12, "y", "Read", parent_tool_use_id="x").at(13, "task_stopped", task_id="k")
    made.answer(14, "y", failed=True, interrupted=True).answer(15, "x", failed=True, interrupted=True)
    assert made.end(20, "run_interrupted").kinds() == []


def test_background_work_goes_on_after_its_turn() -> None:
    """A subagent in the background may outlive its turn, not the session."""
    made = Made().begin(0).call(10, "x", "Agent").at(11, "task_started", task_id="k", tool_use_id="x")
    made.answer(20, "x").end(30).call(40, "y", "Read", parent_tool_use_id="x").answer(50, "y")
    assert made.kinds() == []
    assert made.report().subagents[0].tool_calls == 1
    assert only(made.over(60)).kind == "cut_off_task"


def test_sudden_cost() -> None:
    """A turn that costs ten times as much as the others, if it is money at all."""
    for cost, kinds in ((1.0, ["sudden_cost"]), (0.1, [])):
        made = Made()
        for number in range(8):
            made.begin(number * 100).end(number * 100 + 50, cost_usd=cost if number == 5 else cost / 10)
        assert made.kinds() == kinds


def test_the_api_and_its_limits() -> None:
    """Retries are told as one streak, a limit when it is reached."""
    made = Made().begin(0)
    for number in range(4):
        made.at(number * 100, "api_retry", retry_delay_ms=20_000, error_status=529)
    one = only(made.at(500, "assistant_message", text="so").end(600))
    assert (one.kind, one.severity, one.evidence.facts["delay_ms"]) == ("api_retries", "warning", 80_000)
    limit = {"status": "rejected", "rateLimitType": "five_hour"}
    made = Made().at(1, "rate_limited", limit={"status": "allowed"}).at(2, "rate_limited", limit=limit)
    assert only(made.at(3, "rate_limited", limit=limit)).sentence == "The five_hour limit was reached."


def test_judged_lines_are_told_by_shape() -> None:
    """A thousand invalid messages of one shape are one anomaly that counts them."""
    made = Made()
    errors = [{"path": "/message", "message": "is missing"}]
    for number in range(30):
        made.at(number, "validation_failed", stream="stdout", verdict="invalid", type="user", errors=errors)
    made.at(40, "protocol_drift", stream="stdout", type="news")
    invalid, drift = made.report().anomalies
    assert (invalid.kind, invalid.evidence.facts["count"], len(invalid.evidence.records)) == (
        "invalid_message",
        30,
        20,
    )
    assert (drift.kind, drift.severity) == ("drift", "info")


@pytest.mark.parametrize(
    ("event", "fields", "kind"),
    [
        ("recording_gap", {"lost_records": 3, "reason": "disk full"}, "recording_gap"),
        ("error", {"source": "claude-proxy", "error": "boom"}, "wrapper_error"),
        ("error", {"source": "mirror_error", "error": "gone"}, "claude_code_error"),
        ("error", {"source": "control_response", "request": "set_model", "error": "no"}, "refused_request"),
        ("notification", {"kind": "model_fallback", "text": "another model"}, "model_fallback"),
    ],
)
def test_what_is_said_is_told(event: str, fields: dict[str, object], kind: str) -> None:
    """What messages and records themselves report."""
    assert only(Made().at(10, event, **fields)).kind == kind


def test_failed_subagents_are_told() -> None:
    """With the record of their end."""
    made = Made().begin(0).call(1, "x", "Agent").at(2, "task_started", task_id="k", tool_use_id="x")
    made.at(3, "task_failed", task_id="k").answer(4, "x", "so").end(5)
    assert only(made).kind == "failed_subagent"


def test_lists_are_bounded() -> None:
    """A session in which everything goes wrong counts all of it and shows the worst of it."""
    made = Made()
    for number in range(400):
        made.begin(number * 10).call(number * 10 + 1, f"a{number}")
        made.end(number * 10 + 5, "run_failed", errors=["x" * 1000])
        made.at(number * 10 + 6, "error", source="control_response", request=f"r{number}", error="no")
        made.at(number * 10 + 7, "protocol_drift", stream="stdout", type=f"t{number}")
    report = made.report()
    assert report.anomaly_counts["failed_turn"] == 400
    assert len(report.anomalies) <= MOST
    assert sum(one.kind == "failed_turn" for one in report.anomalies) == 50


QUIET = {
    "simple", "subagent", "subagents_in_parallel", "tool_allow", "tool_deny", "tool_fails", "background_agent",
    "compact", "interrupt", "interrupt_tool", "queued", "hooks_of_every_kind", "resume", "partial", "server_tools",
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(QUIET))
def test_recorded_sessions_that_went_well_have_none(name: str) -> None:
    """No false alarm in sessions of real Claude Code in which nothing stands out."""
    assert analysed(events_of(scenario(name))).anomalies == []


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("api_error", ["failed_turn"]),
        ("api_retry", ["api_retries"]),
        ("budget", ["limited_turn"]),
        ("budget_spent", ["limited_turn", "limited_turn"]),
        ("hook_stops", ["blocked_turn"]),
        ("hook_rejects_prompt", ["blocked_turn"]),
        ("mcp_failed", ["start_problem", "start_problem", "refused_request", "refused_request"]),
        ("early_end", ["unanswered_permission"]),
        ("fallback_model", ["model_fallback"]),
        ("resume_unknown", ["failed_turn"]),
        ("control_errors", ["drift", "refused_request", "refused_request"]),
    ],
)
def test_recorded_sessions_in_which_something_stands_out(name: str, kinds: list[str]) -> None:
    """What was provoked when they were recorded is what is found, and nothing else."""
    assert [one.kind for one in analysed(events_of(scenario(name))).anomalies] == kinds


def test_a_killed_wrapper() -> None:
    """A log without its end: the crash, and the turn that it cut off."""
    log = b"".join(scenario("subagent", LogMaker("made")).splitlines(keepends=True)[:9])
    kinds = {one.kind for one in analysed(events_of(log), crashed=True).anomalies}
    assert kinds == {"crashed", "run_without_result", "cut_off_task"}
