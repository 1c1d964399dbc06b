"""The relay's side of acting: the socket, what is put into the streams, the escalation of a stop, a policy."""

from __future__ import annotations

import json
import os
import signal
import socket
from pathlib import Path
from typing import Any

import pytest

from proxy.acting.address import connect
from proxy.acting.mediator import Mediator
from proxy.acting.verbs import VERBS
from proxy.relay import acting
from proxy.sessions.record import lifecycle
from proxy.sessions.writer import SessionLog
from tests.relay.acted import STREAM_JSON, TOKEN, Acted, give_token, start
from tests.relay.wrapper import BOUND_S, Wrapper, ends, read_all, read_line, write_all

EVERY_ACTION: dict[str, dict[str, Any]] = {
    verb: dict.fromkeys(about.needs, "q") for verb, about in VERBS.items()
}


@pytest.mark.linux("a list of what a process has open")
def test_without_a_grant_a_session_is_as_without_the_feature(tmp_path: Path, stand_in: Path) -> None:
    """The relay has a thread for each stream and no socket; with a grant there are more."""
    has = {}
    for grant in ("off", "restrain"):
        session = start(Wrapper(tmp_path / grant), stand_in, "--act", grant)
        with session.running:
            session.line()
            session.say({"type": "keep_alive"})
            session.got()
            started = session.wrapper.started()
            relay = Path("/proc", str(started["relay_pid"]))
            sockets = [one for one in (relay / "fd").iterdir() if os.readlink(one).startswith("socket:")]
            streams = [name for name, stream in started["streams"].items() if stream["relayed"]]
            has[grant] = len(list((relay / "task").iterdir())) - len(streams), len(sockets)
            session.running.end()
    assert has == {"off": (1, 0), "restrain": (4, 1)}  # two write lines of ours, and one listens


def test_without_a_grant_nobody_acts(wrapper: Wrapper, stand_in: Path) -> None:
    """No socket, and no record."""
    session = start(wrapper, stand_in)
    with session.running:
        session.line()
        assert not (wrapper.data_dir / "acting").exists()
        with pytest.raises(FileNotFoundError):
            session.act("interrupt")
        session.running.end()
    assert "acting" not in wrapper.started()


def test_a_drain_that_takes_too_long_is_cut_short(wrapper: Wrapper, stand_in: Path) -> None:
    """By another stop, of another kind; a third finds that it is being stopped."""
    session = start(wrapper, stand_in, "--act", "restrain", mode="deaf orphan")
    with session.running:
        tools = session.line()["tools"]
        assert session.act("stop", how="drain", action_id="1")["ok"]
        assert session.act("stop", how="drain", action_id="2")["error"] == "already_answered"
        assert session.act("stop", how="term", action_id="3")["ok"]
        assert session.act("stop", how="term", action_id="4")["error"] == "already_answered"
        read_all(session.running.reader)
        assert session.running.wait(BOUND_S) == -9
    for tool in tools:
        ends(tool)
    actions = [one.data["action_id"] for one in wrapper.finished_log().records if one.event_type == "action"]
    assert actions == ["1", "3"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("-p", "hello"),
        ("-p", "--output-format", "json"),
        ("-p", "--output-format", "stream-json"),
        ("--input-format", "stream-json", "-p"),
        ("-p", "--input-format", "text", "--output-format", "stream-json"),
    ],
)
def test_text_takes_no_frames(wrapper: Wrapper, claude: Path, arguments: tuple[str, ...]) -> None:
    """What reads text would take a frame for a part of the prompt: nobody acts there, and the log says why."""
    received = wrapper.data_dir.with_suffix(".received")
    command = [str(claude), "-c", f"exec tee {received}", "claude", *arguments]
    session = Acted(wrapper, wrapper.start(*command, options=("--act", "full")))
    with session.running:
        write_all(session.running.writer, b"hello\n")
        assert read_line(session.running.reader) == b"hello\n"
        why = "stdout carries text" if arguments[0] == "--input-format" else "stdin carries text"
        assert wrapper.started()["acting"] == {"grant": "off", "why": why}
        for action, given in EVERY_ACTION.items():
            with pytest.raises(FileNotFoundError):
                session.act(action, TOKEN, **given)
        session.running.end()
    assert received.read_bytes() == b"hello\n"
    assert not [record for record in wrapper.finished_log().records if "origin" in record.fields]


def test_an_action_is_on_record_before_its_frame(wrapper: Wrapper, stand_in: Path) -> None:
    """With its author; the frame says whose it is, and Claude Code's answer stays here."""
    session = start(wrapper, stand_in, "--act", "restrain")
    with session.running:
        session.line()
        answer = session.act("interrupt")
        assert session.got()["request"] == {"subtype": "interrupt"}
        assert session.line()["request_id"] == "q"  # and not the response
        session.running.end()
    log = wrapper.finished_log()
    action, frame, *_ = (record for record in log.records if record.fields["seq"] >= answer["seq"])
    assert action.fields["event"]["event_type"] == "action"
    about = {"action_id": "a-interrupt", "action": "interrupt", "args": {}, "by": {"name": "me"}}
    assert action.fields["event"]["data"] == about
    assert (frame.fields["origin"], frame.fields["action_id"]) == ("claude-proxy", "a-interrupt")
    held = [record.fields for record in log.records if record.fields.get("forwarded") is False]
    assert [record["message"]["type"] for record in held] == ["control_response"]
    assert "undelivered" not in log.event("session_ended")


def test_a_question_has_one_answer(wrapper: Wrapper, stand_in: Path) -> None:
    """The caller is told what was answered for it, and its late answer never arrives."""
    session = start(wrapper, stand_in, "--act", "full")
    with session.running:
        session.line()
        session.act("interrupt")
        session.got()
        session.line()
        assert session.act("allow", request_id="q")["error"] == "token_needed"
        assert session.act("allow", TOKEN, request_id="q")["ok"]
        told = {session.line().get("type"), session.line().get("type")}
        assert told == {"control_cancel_request", "keep_alive"}
        late = {"subtype": "success", "request_id": "q", "response": {"behavior": "deny", "message": "late"}}
        session.say({"type": "control_response", "response": late})
        session.say({"type": "keep_alive"})
        assert session.got() == {"type": "keep_alive"}
        assert session.act("deny", request_id="q")["by"] == "api"
        session.running.end()
    refusals = [
        r.fields["event"]["data"] for r in wrapper.finished_log().records if "action_refused" in str(r.fields)
    ]
    assert refusals[0]["error"] == "token_needed"


@pytest.mark.parametrize("mode", ["", "orphan", "deaf orphan"])
def test_a_stop_leaves_no_tool_behind(wrapper: Wrapper, stand_in: Path, mode: str) -> None:
    """Whatever it takes: a request, then signals, and in the end the tools one by one, without a parent too."""
    session = start(wrapper, stand_in, "--act", "restrain", mode=mode)
    with session.running:
        tools = session.line()["tools"]
        assert session.act("stop")["ok"]
        assert session.act("stop")["error"] in ("already_answered", "ended")
        read_all(session.running.reader)
        assert session.running.wait(BOUND_S) == (-9 if "deaf" in mode else 0)
    for tool in tools:
        ends(tool)
    events = [record.fields.get("event", {}) for record in wrapper.finished_log().records]
    steps = [event["data"]["step"] for event in events if event.get("event_type") == "action_step"]
    assert steps == (["end_session", "SIGTERM", "SIGKILL"] if "deaf" in mode else ["end_session"])
    assert os.listdir(wrapper.data_dir / "acting") == []


def test_a_drain_ends_the_input(wrapper: Wrapper, stand_in: Path) -> None:
    """The command finishes what it does; the caller's next line finds nobody."""
    session = start(wrapper, stand_in, "--act", "restrain")
    with session.running:
        tool = session.line()["tool"]
        assert session.act("stop", how="drain")["ok"]
        read_all(session.running.reader)
        assert session.running.wait(BOUND_S) == 0
    ends(tool)


def test_a_closed_input_takes_no_frames(wrapper: Wrapper, stand_in: Path) -> None:
    """What the caller has closed stays closed, for every action; a stop goes on by signals."""
    session = start(wrapper, stand_in, "--act", "full", mode="deaf orphan")
    with session.running:
        session.line()
        session.say({"type": "user", "message": {"role": "user", "content": "q"}})
        session.got()
        session.line()
        assert session.running.stdin is not None
        session.running.stdin.close()
        while session.act("mode", TOKEN, value="plan").get("error") != "stdin_closed":
            session.line()  # until the relay has seen it
        for action, given in EVERY_ACTION.items():
            if action != "stop":
                assert session.act(action, TOKEN, **given)["error"] == "stdin_closed"
        assert session.act("stop", how="term")["ok"]
        assert b'"got"' not in read_all(session.running.reader)
        assert session.running.wait(BOUND_S) == -9


def test_what_has_ended_takes_no_frames(wrapper: Wrapper, claude: Path) -> None:
    """Also while a descendant still holds its streams: the command's input is nobody's to write to."""
    received = wrapper.data_dir.with_suffix(".received")
    give_token(wrapper)
    command = [str(claude), "-c", f"exec 4<&0; cat <&4 3>&1 >{received} & echo $!", "claude", *STREAM_JSON]
    session = Acted(wrapper, wrapper.start(*command, options=("--act", "full")))
    with session.running:
        holds = int(read_line(session.running.reader))
        assert session.running.wait(BOUND_S) == 0
        for action, given in EVERY_ACTION.items():
            assert session.act(action, TOKEN, **given)["error"] == "ended"
        os.kill(holds, signal.SIGKILL)
        session.running.end()
    wrapper.finished_log()
    assert received.read_bytes() == b""
    with pytest.raises(OSError, match="No such file"):
        session.act("interrupt")


@pytest.mark.parametrize("data", [b"", b"x" * 400_000, b"[]\n", b"\xff\n", b'{"action":"interrupt"'])
def test_whoever_writes_nonsense_harms_nobody(wrapper: Wrapper, stand_in: Path, data: bytes) -> None:
    """Garbage, too much, too little; the next one is answered."""
    session = start(wrapper, stand_in, "--act", "restrain")
    with session.running:
        session.line()
        (path,) = wrapper.paths()
        with connect(str(wrapper.data_dir), path.stem, BOUND_S) as connection:
            try:
                connection.sendall(data)
                connection.shutdown(socket.SHUT_WR)
                connection.recv(4096)
            except OSError:
                pass  # it was cut off
        assert session.act("interrupt")["ok"]
        session.got()
        session.line()
        session.running.end()


POLICY = "permissions: {deny: ['Bash(rm *)'], ask: [WebFetch]}"


def policy(tmp_path: Path, text: str = POLICY) -> tuple[str, str]:
    """Return the option for a policy."""
    path = tmp_path / "policy.yaml"
    path.write_text(text)
    return "--policy", str(path)


def test_a_policy_is_in_force_before_the_first_line(wrapper: Wrapper, stand_in: Path, tmp_path: Path) -> None:
    """Sent, listed, confirmed; then the caller's lines pass. Where nobody can be asked, no rule asks."""
    session = start(wrapper, stand_in, *policy(tmp_path))
    with session.running:
        session.say({"type": "keep_alive"})
        session.line()
        permissions = {"deny": ["Bash(rm *)"]}
        assert session.got()["request"]["settings"] == {"permissions": permissions}
        assert session.got()["request"] == {"subtype": "list_permission_rules"}
        assert session.got() == {"type": "keep_alive"}
        session.running.end()
    log = wrapper.finished_log()
    assert log.event("policy_applied")["dropped_ask_rules"] == 1
    assert log.event("session_started")["policy"]["permissions"]["ask"] == ["WebFetch"]


@pytest.mark.parametrize("mode", ["refuses", "loses"])
def test_a_policy_that_is_not_in_force_stops_the_session(
    wrapper: Wrapper, stand_in: Path, tmp_path: Path, mode: str
) -> None:
    """Refused, or taken and not kept: the caller's first line never arrives."""
    session = start(wrapper, stand_in, *policy(tmp_path), mode=mode)
    with session.running:
        session.say({"type": "keep_alive"})
        lines = [json.loads(line) for line in read_all(session.running.reader).splitlines()]
        assert session.running.wait(BOUND_S) == 0
    got = [line["got"]["request"]["subtype"] for line in lines if "got" in line]
    assert got == ["apply_flag_settings", "list_permission_rules", "end_session"]
    why = {"refuses": "Claude Code refused: unsupported_request", "loses": "not in force: deny Bash(rm *)"}
    assert wrapper.finished_log().event("policy_failed")["why"] == why[mode]


def test_a_shadow_policy_sends_nothing(wrapper: Wrapper, stand_in: Path, tmp_path: Path) -> None:
    """It is on record, for who reads it."""
    session = start(wrapper, stand_in, *policy(tmp_path, f"{POLICY}\nshadow: true"))
    with session.running:
        session.say({"type": "keep_alive"})
        session.line()
        assert session.got() == {"type": "keep_alive"}
        session.running.end()
    assert wrapper.started()["policy"]["shadow"] is True


def test_a_policy_that_cannot_be_used_stops_everything(wrapper: Wrapper, tmp_path: Path) -> None:
    """One line and status 2, before anything starts: a wrong file, a session of text."""
    for text, arguments, said in (
        ("permissions: {}", STREAM_JSON, "it has no rule"),
        (POLICY, ("-p", "hello"), "--input-format stream-json"),
    ):
        ran = wrapper.run("claude", *arguments, options=policy(tmp_path, text))
        assert (ran.status, ran.stdout, len(ran.stderr.splitlines())) == (2, b"", 1)
        assert said in ran.stderr.decode()
    assert not wrapper.data_dir.exists()


def test_a_grant_and_a_policy_come_from_the_configuration(
    wrapper: Wrapper, stand_in: Path, tmp_path: Path
) -> None:
    """As by the options; a policy that cannot be put in force is only told where that is wanted."""
    path = tmp_path / "config.yaml"
    path.write_text(f"acting: {{grant: restrain}}\npolicy: {{file: {policy(tmp_path)[1]}, on_failure: tell}}")
    session = start(wrapper, stand_in, "--config", str(path), mode="refuses")
    with session.running:
        session.say({"type": "keep_alive"})
        session.line()
        assert [session.got()["request"]["subtype"] for _ in range(2)] == [
            "apply_flag_settings",
            "list_permission_rules",
        ]
        assert session.got() == {"type": "keep_alive"}
        assert session.act("interrupt")["ok"]
        session.got()
        session.line()
        session.running.end()
    assert wrapper.finished_log().event("policy_failed")["why"]


def test_who_says_nothing_holds_up_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that asks nothing and one that sends half a request are waited for beside the others."""
    monkeypatch.setattr(acting, "_SOCKET_S", 10 * BOUND_S)
    log = SessionLog(str(tmp_path), "live", lifecycle("live", "session_started", {"format": 1}))
    mediator = Mediator("restrain", frozenset(), asks=False)
    acts = acting.Acting(mediator, log, str(tmp_path), 0, signal_command=lambda _: None)
    acts._take_actions()
    with (
        connect(str(tmp_path), "live", BOUND_S),
        connect(str(tmp_path), "live", BOUND_S) as half,
        connect(str(tmp_path), "live", BOUND_S) as whole,
    ):
        half.sendall(b'{"action":')
        whole.sendall(b'{"action":"mode","args":{"value":"plan"}}\n')
        assert json.loads(whole.makefile().readline())["error"] == "not_granted"
    acts.end()
    log.close()
