"""Names are exchanged in the bytes of a line, and nothing else."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from proxy.replay.renaming import Renaming

A, B, C = (f"{n}b5c2d1e-3f4a-4b6c-8d7e-9f0a1b2c3d4e" for n in "123")
JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text() | st.sampled_from([A, B]),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=12,
)


@given(JSON, st.booleans())
def test_ids_are_exchanged_both_ways_at_once(value: Any, raw: bool) -> None:
    """Two ids that change places do not meet; what is exchanged back is what it was."""
    line = json.dumps({"value": value}, ensure_ascii=raw).encode("utf-8", "surrogatepass")
    there, back = Renaming(), Renaming()
    for renaming in (there, back):
        renaming.call(A, B)
        renaming.call(B, A)
    renamed = there.outgoing(line)
    assert back.outgoing(renamed) == line
    assert renamed.count(A.encode()) == line.count(B.encode())


@given(JSON)
def test_without_names_a_line_is_as_it_was(value: Any) -> None:
    """Byte for byte."""
    line = json.dumps({"request_id": value, "callback_id": value}).encode()
    renaming = Renaming()
    renaming.call_request("no such", "other")
    assert renaming.outgoing(line) == line


def test_a_short_id_is_exchanged_as_a_whole_text_only() -> None:
    """An id of a few letters may be a part of anything."""
    renaming = Renaming()
    renaming.call("one", "two")
    assert (
        renaming.outgoing(b'{"a":"one","b":"none","c":"\\"one\\""}')
        == b'{"a":"two","b":"none","c":"\\"one\\""}'
    )
    assert (renaming.recorded("two"), renaming.recorded("two more")) == ("one", "two more")


def test_ids_of_requests_and_hooks_stand_in_their_fields_only() -> None:
    """The same text elsewhere is something else; quotes inside a text are no field."""
    renaming = Renaming()
    renaming.call_request("r1", 7)
    renaming.call_hooks({"Stop": [{"hookCallbackIds": ["h"]}]}, {"Stop": [{"hookCallbackIds": ['"']}]})
    line = b'{"response":{"request_id": "r1"},"x":"r1","y":"\\"request_id\\":\\"r1\\"","callback_id":"h"}'
    new = b'{"response":{"request_id": 7},"x":"r1","y":"\\"request_id\\":\\"r1\\"","callback_id":"\\""}'
    assert renaming.outgoing(line) == new


def test_a_session_is_known_by_the_command_line() -> None:
    """What the client names is called so; what it leaves to Claude Code is as recorded."""
    renaming = Renaming()
    renaming.of_arguments(["--resume", A], ["--resume", B, "--session-id", C], A)
    assert renaming.outgoing(A.encode()) == C.encode()
    renaming = Renaming()
    renaming.of_arguments(["--resume", A], ["--continue"], A)
    assert renaming.outgoing(A.encode()) == A.encode()
