"""What results say that a turn took is what the specification asks for."""

import json

from proxy.protocol.specifications import judge_for
from proxy.usage import NO_USAGE


def test_it_has_all_that_a_result_must_tell() -> None:
    """Nothing that is required is missing, and nothing is of another kind."""
    judge = judge_for("shared/turn_usage")
    assert judge.judge(json.dumps(NO_USAGE).encode()).verdict == "valid"
    for name in NO_USAGE:
        less = {key: value for key, value in NO_USAGE.items() if key != name}
        assert judge.judge(json.dumps(less).encode()).verdict == "invalid", name
