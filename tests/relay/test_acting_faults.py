"""Acting while much goes on at once: answers race, the relay is killed, the socket is used by whoever means harm."""

from __future__ import annotations

import contextlib
import random
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from proxy.acting.address import connect
from tests.relay.acted import TOKEN, Acted, start
from tests.relay.test_kills import Victim
from tests.relay.test_memory import peak
from tests.relay.wrapper import BOUND_S, Wrapper

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.sessions.logs import Log

RACES = 200
KILLS = 20
"""About half a minute; 200 are tried by hand, with other numbers."""


def test_of_two_answers_that_race_one_arrives(wrapper: Wrapper, stand_in: Path) -> None:
    """Caller and API answer each question at once: one decision reaches the command, and both sides know whose."""
    session = start(wrapper, stand_in, "--act", "full")
    with session.running, ThreadPoolExecutor(2) as pool:
        session.line()
        told = {f"q{number}": race(session, pool, f"q{number}") for number in range(RACES)}
        session.running.end()
    log = wrapper.finished_log()
    assert answers(log, forwarded=True) == told
    late = {request_id: "allow" for request_id, decision in told.items() if decision == "deny"}
    assert answers(log, forwarded=False) == late


def race(session: Acted, pool: ThreadPoolExecutor, request_id: str) -> str:
    """Have one question answered from both sides at once; return the decision that the command got."""
    session.say({"type": "user", "message": {"role": "user", "content": request_id}})
    session.got()
    assert session.line()["request_id"] == request_id
    response = {"subtype": "success", "request_id": request_id, "response": {"behavior": "allow"}}
    both = threading.Barrier(2, timeout=BOUND_S)

    def caller() -> None:
        both.wait()
        session.say({"type": "control_response", "response": response})

    def api() -> Any:
        return session.act("deny", TOKEN, request_id=request_id, when=both.wait)

    answered, mine = pool.submit(caller), pool.submit(api)
    answered.result()
    answer = mine.result()
    session.say({"type": "keep_alive"})
    lines = [session.line()]
    while {"type": "keep_alive"} not in [line.get("got") for line in lines] or (
        answer["ok"] and not withdrawn(lines)
    ):
        lines.append(session.line())
    got = [line["got"]["response"] for line in lines if line.get("got", {}).get("type") == "control_response"]
    assert [one["request_id"] for one in got] == [request_id]
    decision = got[0]["response"]["behavior"]
    if answer["ok"]:
        assert (decision, withdrawn(lines)) == ("deny", [request_id])
    else:
        assert (decision, withdrawn(lines)) == ("allow", [])
        assert (answer["error"], answer["by"]) == ("already_answered", "caller")
    return str(decision)


def withdrawn(lines: list[Any]) -> list[str]:
    """Return the questions that the caller need not answer any more."""
    return [line["request_id"] for line in lines if line["type"] == "control_cancel_request"]


def answers(log: Log, *, forwarded: bool) -> dict[str, str]:
    """Return what was answered to each question, as it was passed on or held back."""
    found = [
        record.fields["message"]["response"]
        for record in log.of("stdin")
        if record.fields["message"]["type"] == "control_response"
        and record.fields.get("forwarded", True) is forwarded
    ]
    decisions = {one["request_id"]: one["response"]["behavior"] for one in found}
    assert len(decisions) == len(found)
    return decisions


class ActedVictim(Victim):
    """One that others act on all the time."""

    options = ("--act", "restrain")

    def _check_lines(self, log: Log, stream: str, received: bytes) -> None:
        """Each frame of ours that arrived stands behind the record of its action."""
        recorded = log.lines(stream)
        *whole, _begun = received.split(b"\n")
        assert recorded[: len(whole)] == whole
        if stream == "stdin":
            self.frames = sum(b'"claude-proxy-' in line for line in whole)
            actions = [
                (record.fields["seq"], record.data["action_id"])
                for record in log.records
                if record.event_type == "action"
            ]
            frames = [
                (record.fields["seq"] - 1, record.fields["action_id"])
                for record in log.of("stdin")
                if record.fields.get("origin") == "claude-proxy"
            ]
            assert set(frames) <= set(actions)
            assert len(actions) - len(frames) in (0, 1)  # one may have been torn
            assert self.frames <= len(frames)


@contextlib.contextmanager
def acting(victim: Victim) -> Iterator[None]:
    """Interrupt a session again and again from two sides, until it is gone."""

    def act(name: str) -> None:
        session = Acted(victim.wrapper, victim.running)
        number = 0
        with contextlib.suppress(OSError, ValueError):  # the relay is killed
            while True:
                number += 1
                session.act("interrupt", action_id=f"{name}-{number}")

    threads = [threading.Thread(target=act, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    yield
    for thread in threads:
        thread.join()


@pytest.mark.parametrize("seeds", [range(3), pytest.param(range(3, KILLS), marks=pytest.mark.slow)])
def test_no_frame_without_its_record_whenever_the_relay_is_killed(
    tmp_path: Path, claude: Path, seeds: range
) -> None:
    """Amid actions and lines of the caller: what the command got of ours is on record, behind its action."""
    frames = 0
    for seed in seeds:
        chance = random.Random(seed)
        victim = ActedVictim(Wrapper(tmp_path / str(seed)), claude, chance)
        with victim.running:
            victim.read(1)
            with acting(victim):
                victim.read(chance.randrange(1, 2_000_000))
                victim.kill("relay")
            victim.check("relay")
        frames += victim.frames
    assert frames


FLOOD = 8 * 1024 * 1024
"""A few times more than the relay takes before it makes whoever sends it wait."""
MOST_MORE = 16 * 1024 * 1024
"""Of memory: eight requests of the greatest length, several times over."""


@pytest.mark.linux("the most memory that a process ever had")
def test_whoever_sends_without_end_or_never_reads_harms_nobody(wrapper: Wrapper, stand_in: Path) -> None:
    """The session goes on all the while, the relay keeps none of it, and the next action is done."""
    session = start(wrapper, stand_in, "--act", "restrain")
    with session.running, contextlib.ExitStack() as unread, ThreadPoolExecutor(1) as pool:
        session.line()
        relay, live = wrapper.started()["relay_pid"], wrapper.paths()[0].stem
        assert session.act("interrupt")["ok"]
        session.got()
        session.line()
        before = peak(relay)
        flooding = pool.submit(flood, wrapper, live)
        passed = 0
        while not flooding.done() or passed < 100:
            passed += 1
            if passed <= 100:
                mute = unread.enter_context(connect(str(wrapper.data_dir), live, BOUND_S))
                with contextlib.suppress(OSError):  # it is not read to the end
                    mute.sendall(b'{"action":"jump"}\n' * 1000)
            session.say({"type": "keep_alive", "n": passed})
            assert session.got() == {"type": "keep_alive", "n": passed}
        assert flooding.result() >= FLOOD
        assert peak(relay) - before < MOST_MORE
        assert session.act("interrupt")["ok"]
        session.got()
        session.line()
        session.running.end()


def flood(wrapper: Wrapper, session_id: str) -> int:
    """Send bytes without a newline, again and again as the relay cuts it off; return how many it has taken."""
    sent, chunk = 0, b"x" * 65536
    while sent < FLOOD:
        with (
            connect(str(wrapper.data_dir), session_id, BOUND_S) as connection,
            contextlib.suppress(OSError),
        ):
            while True:
                sent += connection.send(chunk)
    return sent
