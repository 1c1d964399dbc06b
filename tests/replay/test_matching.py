"""What a line of the client's stands for, and what of the client's course is a divergence."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.replay.acting import DIVERGED
from proxy.replay.differences import Divergences, contrasted
from proxy.replay.matching import MODES, Matching, is_nothing
from proxy.replay.recording import Cue, Recording
from proxy.replay.renaming import Renaming
from proxy.sessions.catalogue import SessionInfo
from tests.replay.playing import RESULT, encoded, log, replay, request, response, user

if TYPE_CHECKING:
    from pathlib import Path

TURN = (("<", user()), (">", RESULT))
INIT = (("<", request("initialize", "init")), (">", response("init", account={})))
HOOKS = {"Stop": [{"matcher": None, "hookCallbackIds": ["hook_0", "hook_1"]}]}


@pytest.mark.parametrize(
    ("match", "given", "kinds"),
    [
        ("exact", [user("hi")], []),
        ("exact", [user("hi", uuid="u-1", session_id="default", timestamp="now")], []),
        ("exact", [user("ho")], ["different"]),
        ("type", [user("ho")], []),
        ("type", [user(), user()], ["unexpected"]),
        ("type", [], ["missing"]),
        ("type", [b"\n", {"type": "keep_alive"}, user(), b"  \n"], []),
        ("type", [user(), {"type": "control_cancel_request", "request_id": "x"}], ["unexpected"]),
        ("type", [{"type": "else"}], ["unexpected", "missing"]),
        ("any", [{"type": "else"}], []),
        ("any", [b"no JSON\n"], []),
        ("any", [user(), user()], ["unexpected"]),
        ("exact", [user(), response("nobody")], ["unexpected"]),
    ],
)
def test_what_is_a_divergence(match: str, given: list[Any], kinds: list[str], tmp_path: Path) -> None:
    """By content, by type, or by having come."""
    done = replay(tmp_path, log(*TURN), *given, match=match)
    assert done.kinds == kinds
    assert done.returncode == (DIVERGED if kinds else 0)
    assert done.stderr.count("claude-proxy replay: ") == len(kinds)


def test_a_difference_is_named_with_its_place(tmp_path: Path) -> None:
    """A JSON pointer, what was expected and what came."""
    done = replay(tmp_path, log(*TURN), user("ho"), match="exact")
    (found,) = done.report["divergences"]
    assert (found["path"], found["expected"], found["received"], found["seq"]) == (
        "/message/content",
        "hi",
        "ho",
        1,
    )
    assert (
        "a user message is not the recorded one at /message/content: ho instead of hi (record 1)"
        in done.stderr
    )


def test_long_texts_are_shown_where_they_part() -> None:
    """Prompts often begin alike; two equal beginnings would tell nobody what is different."""
    alike = "x" * 1000
    assert contrasted("ho", "hi") == "ho instead of hi"
    said, _, recorded = contrasted(f"{alike}, one", f"{alike}, two").partition(" instead of ")
    assert (said[:4], said[-3:], recorded[:4], recorded[-3:]) == ("...x", "one", "...x", "two")
    assert contrasted(alike, f"{alike}y") == f"...{'x' * 50} instead of ...{'x' * 50}y"
    assert contrasted(f"a{alike}", ["b"]) == f'a{"x" * 199}... instead of ["b"]'


def test_other_arguments_count_where_all_is_exact(tmp_path: Path) -> None:
    """And where the client gave any; what was redacted is anything."""
    made = log(*TURN, command=("claude", "--model", "a", "--mcp-config", '{"env":"[redacted]"}'))
    for match, words, kinds in (
        ("exact", ("--model", "b", "--mcp-config", "x"), ["arguments"]),
        ("exact", ("--model", "a", "--mcp-config", "x"), []),
        ("type", ("--model", "b"), []),
        ("exact", (), []),
    ):
        (tmp_path / "report").unlink(missing_ok=True)
        assert replay(tmp_path, made, user(), arguments=words, match=match).kinds == kinds


def test_a_request_that_the_record_lacks_is_answered(tmp_path: Path) -> None:
    """As the same one was before; else with an error, so that nobody waits; initialize with the least there is."""
    status = [("<", request("mcp_status", "s")), (">", response("s", mcpServers=[1]))]
    given = [request("initialize", "i"), request("mcp_status", "a"), request("mcp_status", "b"), user()]
    done = replay(tmp_path, log(*status, *TURN), *given, request("get_plan", "c"))
    answers = {m["response"]["request_id"]: m["response"] for m in done.said if m["type"] != "result"}
    assert answers["a"]["response"] == answers["b"]["response"] == {"mcpServers": [1]}
    assert answers["i"]["response"]["commands"] == []
    assert answers["c"]["subtype"] == "error"
    assert "no get_plan request" in answers["c"]["error"]
    assert done.kinds == ["unexpected"] * 3


def test_a_client_that_goes_on_without_a_request_is_not_waited_for(tmp_path: Path) -> None:
    """Its turn is played; the request is missing, and its answer is not said."""
    done = replay(tmp_path, log(*INIT, *TURN), user())
    assert (done.said, done.kinds, done.returncode) == ([RESULT], ["missing"], DIVERGED)


def test_a_client_may_wait_for_an_answer_that_the_recorded_one_did_not_wait_for(tmp_path: Path) -> None:
    """An answer that only a prompt separates from its request is given before the prompt."""
    turns = (INIT[0], ("<", user()), INIT[1], (">", RESULT))
    done = replay(tmp_path, log(*turns), request("initialize", "mine"))
    assert done.said[0]["response"]["request_id"] == "mine"
    assert done.kinds == ["missing"]


def test_nothing_follows_a_prompt_that_did_not_come(tmp_path: Path) -> None:
    """What the record has behind a missing prompt is its answer: nobody asked for it."""
    done = replay(tmp_path, log(*TURN, *TURN, *TURN), user())
    assert (done.said, done.kinds) == ([RESULT], ["missing"] * 2)


def test_hooks_are_told_by_event_and_place(tmp_path: Path) -> None:
    """A hook is called by the id that this client gave it; one that it does not have is not called."""
    called = [request("hook_callback", f"h{n}", callback_id=f"hook_{n}", input={}) for n in (0, 1)]
    made = log(
        ("<", request("initialize", "i", hooks=HOOKS)),
        (">", response("i")),
        ("<", user()),
        *[turn for n in (0, 1) for turn in ((">", called[n]), ("<", response(f"h{n}")))],
        (">", RESULT),
    )
    both = {"Stop": [{"hookCallbackIds": ["mine", "other"]}]}
    done = replay(
        tmp_path, made, request("initialize", "x", hooks=both), user(), response("h0"), response("h1")
    )
    assert [m["request"]["callback_id"] for m in done.said if m["type"] == "control_request"] == [
        "mine",
        "other",
    ]
    assert done.report["divergences"] == []
    (tmp_path / "report").unlink()
    one = {"Stop": [{"hookCallbackIds": ["mine"]}]}
    done = replay(tmp_path, made, request("initialize", "x", hooks=one), user(), response("h0"))
    assert [m["request"]["callback_id"] for m in done.said if m["type"] == "control_request"] == ["mine"]
    assert (done.kinds, done.said[-1]) == (["missing"], RESULT)


def test_a_prompt_is_called_as_the_client_calls_it(tmp_path: Path) -> None:
    """The uuid of a prompt turns up in what Claude Code reports about it, and in what the client says of it later."""
    recorded, here = "6a1f0c52-7d1e-4c58-9a57-0c8d2f3e4b61", "11111111-2222-4333-8444-555555555555"
    about = {"type": "command_lifecycle", "command_uuid": recorded}
    made = log(
        ("<", user(uuid=recorded)),
        (">", about),
        ("<", request("cancel_async_message", "c", message_uuid=recorded)),
        (">", response("c", message_uuid=recorded)),
        (">", RESULT),
    )
    given = [user(uuid=here), request("cancel_async_message", "z", message_uuid=here)]
    done = replay(tmp_path, made, *given, match="exact")
    assert done.report["divergences"] == []
    assert done.said[0]["command_uuid"] == done.said[1]["response"]["response"]["message_uuid"] == here


SUBTYPES = st.lists(st.sampled_from(["mcp_status", "get_plan", "set_model"]), min_size=1, max_size=6)


@given(SUBTYPES, st.randoms(use_true_random=False), st.sampled_from(MODES))
def test_requests_are_answered_once_each_in_whatever_order_they_come(
    subtypes: list[str], chance: Any, match: str
) -> None:
    """However a client orders its requests and calls them, each gets the answer of one recorded request of its kind."""
    asked = [(f"r{n}", subtype) for n, subtype in enumerate(subtypes)]
    turns: list[tuple[str, Any]] = [("stdin", request(subtype, id_, n=id_)) for id_, subtype in asked]
    turns += [("stdout", response(id_, of=id_)) for id_, _ in asked]
    recording = made_of(turns)
    divergences, renaming = Divergences(), Renaming()
    matching = Matching(recording, match, renaming, divergences)
    chance.shuffle(asked)
    for id_, subtype in asked:
        matching.receive(encoded(request(subtype, f"mine-{id_}", n=id_))[:-1])
    said, _ = matching.settle(None)
    answers = [json.loads(line)["response"] for line in said]
    assert sorted(a["request_id"] for a in answers) == sorted(f"mine-{id_}" for id_, _ in asked)
    kinds = dict(asked)
    assert all(kinds[a["request_id"][5:]] == kinds[a["response"]["of"]] for a in answers)
    assert not any(matching.is_to_be_said(cue) for cue in recording.cues if cue.stream == "stdout")
    matching.miss_the_rest()
    assert [d for d in divergences.found if d["kind"] != "different"] == []


@given(
    st.lists(st.sampled_from(["user", "else", "status", "blank"]), max_size=8),
    st.sampled_from(MODES),
)
def test_a_client_that_repeats_the_record_never_diverges(what: list[str], match: str) -> None:
    """In every mode, whatever the record: the same lines are no divergence."""
    lines = {
        "user": user(),
        "else": {"type": "else", "x": [1, {"y": None}]},
        "status": request("mcp_status"),
        "blank": b" ",
    }
    recording = made_of([("stdin", lines[each]) for each in what])
    divergences = Divergences()
    matching = Matching(recording, match, Renaming(), divergences)
    for cue in recording.cues:
        matching.receive(cue.line[:-1])
    for cue in recording.cues:
        assert is_nothing(cue.line) or not matching.is_due(cue) or matching.take(cue)
    assert matching.settle(None) == ([], False)
    matching.miss_the_rest()
    assert divergences.found == []


@given(st.lists(st.binary(max_size=40), max_size=6), st.sampled_from(MODES))
def test_nothing_that_a_client_says_is_too_odd(lines: list[bytes], match: str) -> None:
    """Any bytes are lines; each is matched or a divergence, none is a fault."""
    recording = made_of([("stdin", user()), ("stdin", b"\xff"), ("stdout", response("x"))])
    divergences = Divergences()
    matching = Matching(recording, match, Renaming(), divergences)
    for line in lines:
        matching.receive(line.replace(b"\n", b""))
    for cue in recording.cues[:2]:
        matching.take(cue)
    matching.settle(None)
    matching.miss_the_rest()
    json.dumps(divergences.found)


HOOKS_ODD = {"Stop": [1, {"hookCallbackIds": 2}]}
ODD = [
    {"type": "control_request"},
    {"type": "control_request", "request": []},
    {"type": "control_request", "request_id": {}, "request": {"subtype": []}},
    {"type": "control_request", "request_id": 7, "request": {"subtype": "initialize", "hooks": HOOKS_ODD}},
    {"type": "control_response"},
    {"type": "control_response", "response": 1},
    {"type": []},
    {"type": "user", "uuid": {}},
    [],
]


@pytest.mark.parametrize("message", ODD, ids=json.dumps)
def test_odd_messages_are_no_fault(message: Any, tmp_path: Path) -> None:
    """In the record as from the client: no traceback, whatever has another form than it should."""
    made = log(*INIT, ("<", message), *TURN)
    done = replay(tmp_path, made, INIT[0][1], message, user())
    assert (done.said[-1], done.report["divergences"]) == (RESULT, [])
    (tmp_path / "report").unlink()
    done = replay(tmp_path, log(*INIT, *TURN), INIT[0][1], message, user())
    assert RESULT in done.said
    assert done.kinds == ["unexpected"]


def made_of(turns: list[tuple[str, Any]]) -> Recording:
    """Return a recording of these lines."""
    recording = Recording(SessionInfo("made", "a.jsonl", "ended", 0), [])
    lines = [line if isinstance(line, bytes) else json.dumps(line).encode() for _, line in turns]
    recording.cues = [
        Cue(seq, seq, stream, line + b"\n")
        for seq, ((stream, _), line) in enumerate(zip(turns, lines, strict=True))
    ]
    return recording
