"""What results say that a turn took is what the specification asks for."""

import json

from proxy.protocol import library
from proxy.protocol.specifications import judge_for
from proxy.usage import NO_USAGE


def test_it_has_all_that_a_result_must_tell() -> None:
    """All that is required is there, and what is there is of the right kind and no drift.

    Without a required field it is invalid; what older releases leave out may be missing.
    """
    specification = library.load("shared/turn_usage.json")
    judge = judge_for("shared/turn_usage")
    assert judge.judge(json.dumps(NO_USAGE).encode()).verdict == "valid"
    assert set(NO_USAGE) <= set(specification["properties"])
    for name in NO_USAGE:
        less = {key: value for key, value in NO_USAGE.items() if key != name}
        expected = "invalid" if name in specification["required"] else "valid"
        assert judge.judge(json.dumps(less).encode()).verdict == expected, name
