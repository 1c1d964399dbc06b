"""Claude Code typed at a prompt: what belongs to a terminal stays there, what is a session is recorded."""

from __future__ import annotations

import os
import pty
import subprocess
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from tests.rig.answers import says
from tests.rig.environment import Surroundings
from tests.rig.wrapping import claude_proxy, read_logs
from tests.tiers import first_in_short

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.rig.messages_api import MessagesApi


class Terminal:
    """A program whose standard streams are a terminal."""

    def __init__(self, command: Sequence[str], cwd: Path, env: dict[str, str]) -> None:
        self._fd, theirs = pty.openpty()
        self.process = subprocess.Popen(
            command, cwd=cwd, env=env, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
        )
        os.close(theirs)

    def read(self) -> bytes:
        """Return what is shown next; nothing when the program has gone."""
        with suppress(OSError):  # Linux reports the end of a terminal as an error
            return os.read(self._fd, 65536)
        return b""

    def close(self) -> tuple[bytes, int]:
        """Return everything that is shown until the program has gone, and its exit status."""
        shown = b""
        while data := self.read():
            shown += data
        os.close(self._fd)
        return shown, self.process.wait()


@pytest.fixture
def place(api: MessagesApi, tmp_path: Path) -> tuple[Path, dict[str, str]]:
    """A working directory, and an environment in which a model has one answer."""
    surroundings = Surroundings(tmp_path / "home")
    surroundings.build()
    play = api.play({"question": [says("An answer of one line.")]})
    return surroundings.project, {**os.environ, **surroundings.variables(play.base_url), "TERM": "xterm"}


def test_print_mode_at_a_prompt_is_recorded(
    place: tuple[Path, dict[str, str]], claude: Path, tmp_path: Path
) -> None:
    """`claude-proxy -- claude -p ...` shows what `claude -p ...` shows, and its answer is on record."""
    wrapper = [*claude_proxy(), "--server", "off", "--data-dir", str(tmp_path / "data"), "--"]
    shown = {}
    for name, command in (("bare", [str(claude)]), ("wrapped", [*wrapper, str(claude)])):
        output, status = Terminal([*command, "-p", "A question?"], *place).close()
        # To a terminal of its own, which it has only without the wrapper, Claude Code gives back the cursor.
        shown[name] = (output.replace(b"\x1b[?25h", b""), status)

    assert shown["wrapped"] == shown["bare"] == (b"An answer of one line.\r\n", 0)
    (log,) = read_logs(tmp_path / "data")
    assert next(record.raw for record in log.lines("stdout")) == "An answer of one line."
    assert log.lines("stdin") == []


@pytest.mark.parametrize("to", first_in_short(["pipe", "file"]))
def test_a_prompt_typed_with_the_answer_going_elsewhere_is_recorded(
    place: tuple[Path, dict[str, str]], claude: Path, tmp_path: Path, to: str
) -> None:
    """`claude "..." | cat` and `claude "..." > file` are print mode: recorded, and the terminal stays the command's."""
    wrapper = [*claude_proxy(), "--server", "off", "--data-dir", str(tmp_path / "data"), "--"]
    cwd, env = place
    terminal, theirs = pty.openpty()
    answer = tmp_path / "answer"
    with answer.open("wb") as file:
        done = subprocess.run(
            [*wrapper, str(claude), "A question?"],
            cwd=cwd,
            env=env,
            stdin=theirs,
            stdout=file if to == "file" else subprocess.PIPE,
            stderr=theirs,
            start_new_session=True,
            check=True,
        )
    for fd in (terminal, theirs):
        os.close(fd)
    assert (answer.read_bytes() if to == "file" else done.stdout) == b"An answer of one line.\n"
    (log,) = read_logs(tmp_path / "data")
    assert [record.raw for record in log.lines("stdout")] == ["An answer of one line."]
    assert log.records[0].event is not None
    stdin = log.records[0].event["data"]["streams"]["stdin"]
    assert (stdin["kind"], stdin["relayed"]) == ("terminal", False)


def test_interactive_use_is_left_alone_where_that_is_wanted(
    place: tuple[Path, dict[str, str]], claude: Path, tmp_path: Path
) -> None:
    """With `--interactive off` the wrapper becomes Claude Code: the same process, and nothing recorded."""
    wrapper = [*claude_proxy(), "--interactive", "off", "--data-dir", str(tmp_path / "data"), "--"]
    terminal = Terminal([*wrapper, str(claude)], *place)
    try:
        assert terminal.read() != b""
        assert os.path.realpath(f"/proc/{terminal.process.pid}/exe") == str(claude.resolve())
    finally:
        terminal.process.kill()
        terminal.close()
    assert not (tmp_path / "data").exists()
