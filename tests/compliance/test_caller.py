"""The caller does what clients do, and each of its waits ends."""

import secrets
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from proxy.compliance.caller import Caller, StuckError, excerpt, fits, user_message
from proxy.compliance.place import Place
from proxy.compliance.processes import MARK, end_all, find, gone
from proxy.compliance.scenario import Step

PATIENCE_S = 20.0
ECHO = ["sh", "-c", "exec cat"]


@contextmanager
def calling(
    *command: str, patience_s: float = PATIENCE_S, mark: str = "", **options: Any
) -> Iterator[Caller]:
    """Start a command and end it."""
    place = Place("/nowhere")
    place.directory, place.mark = "/", mark or place.mark
    environment = {"PATH": "/usr/bin:/bin", MARK: place.mark}
    with closing(Caller(command, environment, place, patience_s=patience_s, **options)) as caller:
        yield caller


@pytest.mark.parametrize(
    ("wanted", "value", "does"),
    [
        ({"a": 1}, {"a": 1, "b": 2}, True),
        ({"a": {"b": "c"}}, {"a": {"b": "c", "d": 1}}, True),
        ({"a": 1}, {"a": True}, False),
        ({"a": None}, {}, False),
        ({}, {}, True),
        ({}, [], False),
        ([1, 2], [1, 2], True),
    ],
)
def test_a_message_fits_when_it_has_all_that_is_wanted(wanted: object, value: object, does: bool) -> None:
    """Further fields disturb nobody; other values and other kinds do."""
    assert fits(wanted, value) == does


@pytest.mark.parametrize("size", [200, 65536, 65537])
def test_a_user_message_has_the_size_that_is_asked_for(size: int) -> None:
    """Its newline included, as with the stand-in's floods."""
    assert len(user_message(size, 7)) == size


def test_it_reads_while_it_writes() -> None:
    """More than both pipes hold goes there and back."""
    with calling(*ECHO) as caller:
        caller.write(user_message(3_000_000, 0))
        caller.finish(PATIENCE_S)
        assert caller.stdout == caller.sent == user_message(3_000_000, 0)
        assert caller.process.poll() == 0


def test_a_wait_that_is_in_vain_tells_what_was_there() -> None:
    """Silence and the end of the output are told apart, with what came before."""
    with calling("sh", "-c", "echo one; echo two; exec cat", patience_s=0.5) as caller:
        caller.wait_for("one")
        with pytest.raises(StuckError, match=r"nothing came for 0.5 s after 2 lines, the last of them `two`"):
            caller.wait_for("three")
    with (
        calling("sh", "-c", "echo one; echo oh >&2") as caller,
        pytest.raises(StuckError, match="the output ended"),
    ):
        caller.wait_for({"type": "result"})


def test_a_last_line_without_a_newline_is_found() -> None:
    """What a program wrote last counts."""
    with calling("printf", "the end") as caller:
        assert caller.wait_for("end") == b"the end"


def test_a_step_that_cannot_be_done_is_named() -> None:
    """A finding says which step of the scenario it was."""
    with calling("sleep", "60", patience_s=0.3) as caller:
        with pytest.raises(StuckError, match=r"^step 2, await_exit: the wrapper did not end within 0.3 s"):
            caller.play([Step(pause=0.01), Step(await_exit=True)])
        with pytest.raises(StuckError, match=r"took .* bytes and then no more"):
            caller.write(b"x" * 1_000_000)


def test_pieces_come_in_reads_of_their_own() -> None:
    """The second is written when the first was read, however late that is."""
    program = "import os; print([os.read(0, 99) for _ in range(3)])"
    with calling(sys.executable, "-ISc", program) as caller:
        caller.play([Step(write="one"), Step(await_read=True), Step(write="two"), Step(await_read=True)])
        caller.finish(PATIENCE_S)
        assert caller.stdout == b"[b'one', b'two', b'']\n"
    with (
        calling("sleep", "60", patience_s=0.3) as caller,
        pytest.raises(StuckError, match=r"did not read its input within 0\.3 s"),
    ):
        caller.play([Step(write="one"), Step(await_read=True)])


def test_a_wrapper_that_closes_its_input_holds_nobody_up() -> None:
    """What it did not take is not sent, and the caller goes on."""
    with calling(sys.executable, "-ISc", "import os; os.close(0); print('closed', flush=True)") as caller:
        caller.wait_for("closed")
        caller.write(b"x" * 1_000_000)  # more than a pipe holds
        caller.finish(PATIENCE_S)
        assert caller.process.poll() == 0


def test_a_cancelled_caller_stops() -> None:
    """Whatever it waits for, it hears of the end."""
    with (
        calling("sleep", "60", cancelled=lambda: True) as caller,
        pytest.raises(StuckError, match="the check was stopped"),
    ):
        caller.finish(60)


def test_processes_are_found_by_mark_and_by_session_and_ended() -> None:
    """A descendant that has left the session, or scrubbed its environment, is found all the same."""
    script = "setsid sleep 60 & env -i sleep 60 & echo ready; exec cat"
    mark = secrets.token_hex(8)
    with calling("sh", "-c", script, mark=mark) as caller:
        caller.wait_for("ready")
        session = caller.process.pid
        assert len(find(mark, session)) == 3
        assert gone(lambda: find(mark, session), 0.05)
        end_all(mark, session)
        assert not gone(lambda: find(mark, session), PATIENCE_S)


def test_an_excerpt_shows_what_cannot_be_printed(tmp_path: Path) -> None:
    """Control characters and broken bytes are spelled out, and what is long is cut."""
    assert excerpt(b"a\x1b[m\n\xff \xe2\x80\xa8") == "`a\\x1b[m\\n\\xff \\u2028`"
    assert excerpt(b"x" * 130, 100) == f"`{'x' * 100}` and 30 bytes more"
