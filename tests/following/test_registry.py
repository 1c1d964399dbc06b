"""What the registry says, and whose it is."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.following.registry import is_of, parse, pid_of
from proxy.sessions.process import Identity

ENTRY: dict[str, Any] = {
    "pid": 7,
    "sessionId": "c",
    "startedAt": 1_800_000_000_500,
    "procStart": "123",
    "version": "2.1.330",
    "kind": "interactive",
    "status": "waiting",
    "waitingFor": "permission prompt",
    "statusUpdatedAt": 1_800_000_001_000,
}
PROCESS = Identity(7, "123", "boot")
STARTED_MS = 1_800_000_000_000


def entry(**changes: Any) -> bytes:
    """Return a registration that differs so much from the usual one; None takes a field out."""
    changed = {**ENTRY, **changes}
    return json.dumps({key: value for key, value in changed.items() if value is not None}).encode()


def test_a_registration_is_understood() -> None:
    """What a process does, since when, and what it waits for."""
    found = parse(7, entry())
    assert found is not None
    assert (found.session_id, found.status, found.waiting_for) == ("c", "waiting", "permission prompt")
    assert (found.since_ms, found.version, found.kind) == (1_800_000_001_000, "2.1.330", "interactive")


def test_words_of_the_future_are_kept() -> None:
    """A state that nobody knew of is told as it is."""
    found = parse(7, entry(status="dreaming", waitingFor="moonlight"))
    assert found is not None
    assert (found.status, found.waiting_for) == ("dreaming", None)
    found = parse(7, entry(waitingFor="moonlight"))
    assert found is not None
    assert found.waiting_for == "moonlight"


def test_what_was_waited_for_is_over_with_the_waiting() -> None:
    """The word may be left over in the file."""
    found = parse(7, entry(status="busy"))
    assert found is not None
    assert found.waiting_for is None


def test_a_release_without_states_has_none() -> None:
    """Old releases say no more than which conversation is open."""
    found = parse(7, entry(status=None, waitingFor=None, statusUpdatedAt=None, procStart=None, version=None))
    assert found is not None
    assert (found.status, found.since_ms, found.version) == (None, None, None)


@given(st.integers(0, 200))
def test_a_torn_file_says_nothing(length: int) -> None:
    """The file is written in place: what is read in between is no registration, and no error."""
    assert parse(7, entry()[: min(length, len(entry()) - 1)]) is None


@pytest.mark.parametrize("data", [b"", b"[]", b"7", b"{}", b'{"sessionId":7}', b'{"sessionId":""}', b"\xff"])
def test_what_names_no_conversation_says_nothing(data: bytes) -> None:
    """Whatever is in the folder, nothing fails."""
    assert parse(7, data) is None


@given(
    st.dictionaries(
        st.sampled_from(list(ENTRY)),
        st.one_of(st.none(), st.booleans(), st.integers(), st.text(), st.lists(st.integers())),
    )
)
def test_no_value_makes_it_fail(changes: dict[str, Any]) -> None:
    """A field of another kind is as if it were not there."""
    found = parse(7, json.dumps({**ENTRY, **changes}).encode())
    assert found is None or isinstance(found.session_id, str)


@pytest.mark.parametrize(
    ("name", "pid"),
    [("7.json", 7), ("7.abc.key", None), ("07.json", None), ("pid-7.json", None), ("7.json.tmp", None)],
)
def test_only_registrations_are_read(name: str, pid: int | None) -> None:
    """The keys that lie beside them are never opened."""
    assert pid_of(name) == pid


@pytest.mark.parametrize(
    ("changes", "belongs"),
    [
        ({}, True),
        ({"procStart": "122"}, False),
        ({"procStart": None}, True),
        ({"procStart": None, "startedAt": STARTED_MS - 60_000}, False),
        ({"procStart": None, "startedAt": None}, True),
    ],
)
def test_a_registration_is_of_one_process(changes: dict[str, Any], belongs: bool) -> None:
    """A file that a killed process of the same number has left behind is not taken for this one's."""
    found = parse(7, entry(**changes))
    assert found is not None
    assert is_of(found, PROCESS, STARTED_MS) is belongs
    assert not is_of(found, Identity(8, "123", "boot"), STARTED_MS)
