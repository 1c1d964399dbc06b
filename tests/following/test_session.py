"""What is said of a session in its log: each change of its state once, and plainly when it is not recorded."""

from __future__ import annotations

import json
from typing import Any

import pytest

from proxy.following.registry import Registration, parse
from proxy.following.session import FollowedSession
from proxy.redaction import Redactor
from tests.following.lines import START_US, line, prompt, records
from tests.following.test_registry import entry

NOTHING_CAME_S = 10.0
"""By then it is said that nothing came (the promise to users)."""
START_MS = START_US // 1000


def registration(
    status: str | None = "idle", seconds: float = 1, pid: int = 7, **changes: Any
) -> Registration:
    """Return what the registry says of a process."""
    fields = {"statusUpdatedAt": START_MS + int(seconds * 1000), "waitingFor": None} | changes
    found = parse(pid, entry(pid=pid, status=status, **fields))
    assert found is not None
    return found


class Case:
    """A session that began at second 0, and what is said of it."""

    def __init__(self, *, content: bool = True) -> None:
        self.session = FollowedSession(
            "session", redactor=Redactor("off"), started_s=0, started_us=START_US, content=content
        )
        self.said: list[tuple[str, dict[str, Any]]] = []

    def sees(
        self, found: Registration | None, now_s: float = 1, others: tuple[Registration, ...] = ()
    ) -> None:
        """Let the registry say that."""
        self._note(self.session.registered(found, others, "/config", now_s))

    def passes(self, now_s: float) -> None:
        """Let the time come."""
        self._note(self.session.overdue(now_s))

    def grows(self) -> None:
        """Let a transcript grow."""
        self._note(self.session.lines_came())

    def told(self, event_type: str) -> list[dict[str, Any]]:
        """Return what was said of a kind."""
        return [data for said, data in self.said if said == event_type]

    def _note(self, bodies: Any) -> None:
        self.said += [(one["event"]["event_type"], one["event"]["data"]) for one in records(bodies)]


# -- states ----------------------------------------------------------------------------------------------------


def test_each_change_of_state_is_said_once() -> None:
    """Looking often says nothing twice."""
    case = Case()
    for _ in range(2):
        case.sees(registration("idle", 1))
        case.sees(registration("busy", 2))
    case.sees(registration("waiting", 3, waitingFor="permission prompt"))
    case.sees(None)
    case.sees(None)
    assert [(one.get("status"), one.get("gone")) for one in case.told("claude_status")] == [
        ("idle", None),
        ("busy", None),
        ("idle", None),
        ("busy", None),
        ("waiting", None),
        (None, True),
    ]
    assert case.told("claude_status")[-2] == {
        "claude_session_id": "c",
        "status": "waiting",
        "waiting_for": "permission prompt",
        "since": "2027-01-15T08:00:03.000000Z",
        "version": "2.1.330",
        "kind": "interactive",
        "pid": 7,
        "config_dir": "/config",
    }


# -- not recorded ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environment", "why"), [({}, "no_registry"), ({b"CLAUDE_CODE_CHILD_SESSION": b"1"}, "child_session")]
)
def test_a_session_that_is_not_registered_is_said_not_to_be_recorded(
    environment: dict[bytes, bytes], why: str
) -> None:
    """Claude Code that asks its user for trust, or keeps no transcript, is no healthy empty session."""
    case = Case()
    case.session.learn(environment)
    until_s = case.session.wait_until_s(0)
    assert until_s is not None
    assert until_s <= NOTHING_CAME_S
    case.passes(until_s - 0.1)
    assert case.said == []
    case.passes(until_s)
    assert case.told("not_recorded") == [{"why": why}]
    assert case.session.wait_until_s(until_s) is None
    case.sees(registration(), now_s=60)
    assert case.told("not_recorded")[1:] == [{"why": why, "over": True}]


def test_a_turn_of_which_no_line_comes_is_said_not_to_be_recorded() -> None:
    """Where Claude Code writes no transcript, that is said soon after the first turn, and taken back if it does."""
    case = Case()
    case.sees(registration("idle", 1), now_s=1)
    case.sees(registration("busy", 2), now_s=2)
    case.sees(registration("waiting", 3, waitingFor="permission prompt"), now_s=3)
    case.sees(registration("busy", 4), now_s=4)
    case.sees(registration("idle", 5), now_s=5)
    until_s = case.session.wait_until_s(5)
    assert until_s is not None
    assert until_s <= 5 + NOTHING_CAME_S
    case.passes(until_s)
    assert case.told("not_recorded") == [{"why": "no_transcript"}]
    case.grows()
    assert case.told("not_recorded")[1:] == [{"why": "no_transcript", "over": True}]


def test_a_transcript_that_is_written_late_is_no_fault() -> None:
    """Lines often come after the state that ends their turn."""
    case = Case()
    case.sees(registration("busy", 2), now_s=2)
    case.sees(registration("idle", 5), now_s=5)
    case.grows()
    case.passes(60)
    assert case.told("not_recorded") == []


def test_the_end_says_what_did_not_come() -> None:
    """A session that ends before anything was due says all the same that nothing came."""
    case = Case()
    case.sees(registration("busy", 2), now_s=2)
    case.sees(registration("idle", 3), now_s=3)
    case._note(case.session.ended())
    assert case.told("not_recorded") == [{"why": "no_transcript"}]
    unregistered = Case()
    unregistered._note(unregistered.session.ended())
    assert unregistered.told("not_recorded") == [{"why": "no_registry"}]


def test_nothing_happens_while_nothing_happens() -> None:
    """With a transcript and no turn there is nothing to wait for but the kernel's word."""
    case = Case()
    case.sees(registration("idle", 1))
    assert case.session.wait_until_s(1) is None


def test_states_alone_need_no_transcript() -> None:
    """With `--interactive status` no transcript is looked for, and none is missed."""
    case = Case(content=False)
    case.sees(registration("busy", 2), now_s=2)
    assert not case.session.wants_transcript
    case.sees(registration("idle", 3), now_s=3)
    case.passes(60)
    assert case.told("not_recorded") == []


# -- conversations ---------------------------------------------------------------------------------------------


def opened(
    case: Case, data: bytes, *, seconds: float, size_at_start: int | None = None, was_there: bool = False
) -> Any:
    """Open the transcript of the conversation, and return what is said of it, and the lines that are recorded."""
    transcript = case.session.open(
        "projects/p/c.jsonl",
        lambda length, place: data[place : place + length],
        size=len(data),
        changed_us=START_US + int(seconds * 1_000_000),
        size_at_start=size_at_start,
        was_there=was_there,
    )
    made = records(transcript.take(data[transcript.offset :]))
    said = [one["event"]["data"] for one in made if one["stream"] == "proxy"]
    lines = [one["message"] for one in made if one["stream"] == "transcript"]
    return said[0], [one["message"]["content"] for one in lines if "message" in one]


def test_a_continued_conversation_is_recorded_from_where_it_ended() -> None:
    """What was in the file when the session began is history, whatever its lines say of their time."""
    case = Case()
    case.sees(registration(None, 1))
    history = (
        prompt("old", -60)
        + prompt("from a clock that was ahead", 3600)
        + line("cost-state", totalCostUSD=0.5)
    )
    data = history + prompt("new", 2)
    said, lines = opened(case, data, seconds=2, size_at_start=len(history), was_there=True)
    assert (said["why"], said["offset"], said["cost_before"]) == (
        "continued",
        len(history),
        {"totalCostUSD": 0.5},
    )
    assert lines == ["new"]


def test_a_conversation_of_another_project_is_recorded_from_its_first_new_line() -> None:
    """Where the size at the start is not known, the lines tell; what has no time is left over from before."""
    case = Case()
    case.sees(registration(None, 1))
    data = prompt("old", -60) + line("cost-state", totalCostUSD=0.5) + prompt("new", 2)
    said, lines = opened(case, data, seconds=2, was_there=True)
    assert (said["why"], said["cost_before"], lines) == ("continued", {"totalCostUSD": 0.5}, ["new"])


def test_a_file_that_was_not_written_since_is_not_read() -> None:
    """A large transcript that is continued costs nothing, and is open at its end before anything new comes."""
    case = Case()
    case.sees(registration(None, 1))
    data = prompt("old", -60)
    said, lines = opened(case, data, seconds=-50, was_there=True)
    assert (said["why"], said["offset"], lines) == ("continued", len(data), [])


def test_a_conversation_that_is_resumed_from_within_begins_anew_there() -> None:
    """After `/resume`, what another session has written before is history, though it is newer than this session."""
    case = Case()
    case.sees(registration("idle", 1))
    case.sees(registration("idle", 1, sessionId="other"), now_s=60)
    data = prompt("of the other session", 0.5) + line("last-prompt") + prompt("mine", 61)
    said, lines = opened(case, data, seconds=61, size_at_start=0, was_there=True)
    assert (said["why"], said["claude_session_id"], lines) == ("continued", "other", ["mine"])


def test_a_cleared_conversation_is_a_new_one() -> None:
    """After `/clear` the new file is recorded whole, and the old one's last word is waited for."""
    case = Case()
    case.sees(registration("idle", 1))
    opened(case, prompt("first", 2), seconds=2)
    case.sees(registration("idle", 1, sessionId="next"), now_s=60)
    old = case.session.transcripts["projects/p/c.jsonl"]
    until_s = case.session.wait_until_s(60)
    assert until_s is not None
    assert not old.is_over
    case.passes(until_s)
    assert old.is_over
    said, _ = opened(case, line("mode") + prompt("second", 61), seconds=61)
    assert (said["why"], said["claude_session_id"], said["history_lines"]) == ("cleared", "next", 0)


def test_a_conversation_that_is_forked_from_within_is_recorded_once() -> None:
    """A copy of what this session has said already is history."""
    case = Case()
    case.sees(registration("idle", 10))
    case.sees(registration("idle", 10, sessionId="fork"), now_s=60)
    said, lines = opened(case, line("mode") + prompt("before", 5) + prompt("after", 61), seconds=61)
    assert (said["why"], said["history_lines"], lines) == ("forked", 2, ["after"])


# -- one conversation, two processes ---------------------------------------------------------------------------


def shared(mine: Registration, other: Registration) -> Case:
    """Return a case in which another process has the same conversation open."""
    case = Case()
    case.sees(mine, others=(other,))
    return case


def recorded(case: Case, data: bytes) -> list[str]:
    """Return the prompts that are recorded of a new file."""
    transcript = case.session.open(
        "projects/p/c.jsonl", lambda *_: b"", size=0, changed_us=START_US, size_at_start=None, was_there=False
    )
    made = records(transcript.take(data, is_mine=case.session.is_mine()))
    return [one["message"]["message"]["content"] for one in made if one["stream"] == "transcript"]


def test_that_a_conversation_is_shared_is_said() -> None:
    """Who else writes to the file is in the log, and that they stopped."""
    case = shared(registration("idle", 1), registration("idle", 1, pid=8))
    case.sees(registration("idle", 1))
    assert case.told("transcript_shared") == [
        {"claude_session_id": "c", "pids": [8]},
        {"claude_session_id": "c", "pids": [], "over": True},
    ]
    assert case.session.is_mine() is None


def test_a_prompt_is_of_the_process_that_is_at_work() -> None:
    """Who was idle all the time has not written it; each answer belongs where its prompt does."""
    data = prompt("a prompt", 5, uuid="1", parentUuid="0") + prompt(
        "its answer", 30, uuid="2", parentUuid="1"
    )
    idle, busy = registration("idle", 1), registration("busy", 5.2)
    assert recorded(shared(idle, registration("busy", 5.2, pid=8)), data) == []
    assert recorded(shared(busy, registration("idle", 1, pid=8)), data) == ["a prompt", "its answer"]


def test_what_nobody_can_tell_apart_is_in_both() -> None:
    """Rather twice than not at all."""
    data = prompt("a command", 5, uuid="1")
    assert recorded(shared(registration("idle", 1), registration("idle", 1, pid=8)), data) == ["a command"]
    assert recorded(shared(registration("busy", 1), registration("busy", 1, pid=8)), data) == ["a command"]


def test_data_of_these_tests_is_json() -> None:
    """The helpers of these tests make what Claude Code would."""
    assert json.loads(prompt("x", 0))["promptSource"] == "typed"
