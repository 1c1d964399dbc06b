"""What Claude Code lists as denied is held against what was said of each call."""

from typing import Any

import pytest

from proxy.analysis.report import Anomaly
from tests.analysis.made import Made, analysed, events_of
from tests.recorded import NAMES, scenario


def approval(decision: str, by: str) -> dict[str, Any]:
    """Return an approval."""
    about = dict.fromkeys(("lasting", "mode", "waited_ms", "reason", "source"))
    return {"decision": decision, "by": by, **about, "evidence": [1]}


def found(made: Made, *listed: str) -> list[Anomaly]:
    """End a turn whose result lists such calls as denied; return what is told of it."""
    made.end(9000, permission_denials=[{"tool_name": "Bash", "tool_use_id": key} for key in listed])
    return [one for one in made.report().anomalies if one.kind == "denials_differ"]


def called(key: str, decision: str, by: str, **fields: Any) -> Made:
    """Begin a turn with a call that was decided on so."""
    made = Made().begin(1000).call(2000, key, **fields)
    is_denied = decision == "deny"
    return made.answer(
        3000, key, approval=approval(decision, by), denied=is_denied, failed=not is_denied, **fields
    )


def test_those_that_agree_are_no_anomaly() -> None:
    """What was denied is listed; who was interrupted at a question is listed, too."""
    assert found(called("t", "deny", "caller"), "t") == []
    assert found(called("t", "none", "interrupt"), "t") == []
    assert found(called("t", "allow", "rule")) == []


def test_what_was_denied_is_not_listed() -> None:
    """It is told with its record; of a subagent, which may go on in another turn, it is not."""
    (one,) = found(called("t", "deny", "caller"))
    assert (one.severity, one.evidence.facts["by"]) == ("warning", "caller")
    assert len(one.evidence.records) == 2
    assert found(called("t", "deny", "caller", parent_tool_use_id="a", depth=1)) == []


def test_what_is_listed_was_not_denied() -> None:
    """It is told; where the record does not say who decided, it is less sure."""
    (one,) = found(called("t", "allow", "rule"), "t")
    assert (one.severity, "allow by rule" in one.sentence) == ("warning", True)
    (one,) = found(called("t", "none", "unknown"), "t")
    assert one.severity == "info"


def test_what_is_listed_has_no_result() -> None:
    """A call of which nothing is known is told; one of an earlier turn is not told again."""
    (one,) = found(called("t", "deny", "caller"), "t", "other")
    assert one.evidence.facts == {"tool_use_id": "other"}
    made = called("t", "deny", "caller").end(
        4000, permission_denials=[{"tool_name": "Bash", "tool_use_id": "t"}]
    )
    assert found(made.begin(5000), "t") == []


def test_an_approval_that_a_client_made_up() -> None:
    """What has another form than ours is no approval."""
    made = Made().begin(1000).call(2000, "t").answer(3000, "t", approval={"by": ["me"]}, denied=True)
    assert found(made) == []


@pytest.mark.parametrize("name", NAMES)
def test_recorded_sessions_agree(name: str) -> None:
    """The real Claude Code lists what its results say."""
    report = analysed(events_of(scenario(name)))
    assert "denials_differ" not in [one.kind for one in report.anomalies]
