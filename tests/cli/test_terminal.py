"""What reaches a person's terminal."""

import io
import json
import sys
import threading
from pathlib import Path

import pytest
from rich.console import Console
from rich.text import Text

from proxy.cli import terminal
from proxy.cli.terminal import line_behind, one_line, open_console, print_json, printable, size


def test_what_could_move_the_cursor_is_replaced() -> None:
    """Escapes, bells, new lines and changes of direction become replacement characters; letters stay."""
    assert printable("a\x1b[2J\x07\n\u202eb\u00e9") == "a\ufffd[2J\ufffd\ufffd\ufffdb\u00e9"


def test_what_is_joined_is_shown_apart() -> None:
    """Families of emoji and the like are as wide as their members, on every terminal."""
    assert printable("\U0001f469\u200d\U0001f467\ufe0f x\u00ad") == "\U0001f469\U0001f467 x"


def test_one_line_is_one_line() -> None:
    """However long, and whatever stands between its words."""
    assert one_line("a\n\n b\u2028c\t" + "d" * 5_000_000, 8) == "a b c d…"


def test_a_pipe_gets_what_rich_would_print(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without colours, rich's console is not missed: its text is the same."""
    text = Text.assemble(("a b", "bold"), " c ", ("漢字", "red"), "\n\nd" + 80 * " e")
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    piped, printed = io.StringIO(), io.StringIO()
    monkeypatch.setattr("sys.stdout", piped)
    open_console().print(text)
    Console(file=printed, highlight=False, markup=False, emoji=False, soft_wrap=True).print(text)
    assert piped.getvalue() == printed.getvalue()


class Terminal(io.StringIO):
    """A standard error that is a terminal, and says when something has been shown on it."""

    def __init__(self) -> None:
        super().__init__()
        self.shown = threading.Event()

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        written = super().write(text)
        if "reading" in self.getvalue():
            self.shown.set()
        return written


@pytest.mark.parametrize(("total", "told"), [(200, "50 %"), (None, "0:00:00")])
def test_what_takes_long_shows_it(monkeypatch: pytest.MonkeyPatch, total: int | None, told: str) -> None:
    """How far it is, or how long it takes, though no step is told any more; and nothing of it is left behind."""
    stderr = Terminal()
    monkeypatch.setattr(sys, "stderr", stderr)
    monkeypatch.setattr(terminal, "PATIENCE_S", 0.0)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    with terminal.progress("reading", total) as advance:
        advance(100)
        assert stderr.shown.wait(120)
        while told not in stderr.getvalue():
            stderr.shown.clear()
            assert stderr.shown.wait(120)
    assert stderr.getvalue().endswith(("\x1b[?25h", "\x1b[2K"))


def test_what_is_quick_shows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is told of what is over before they wonder; nor is a file."""
    for stderr in (Terminal(), io.StringIO()):
        monkeypatch.setattr(sys, "stderr", stderr)
        with terminal.progress("reading", 10) as advance:
            advance(10)
        assert stderr.getvalue() == ""


def test_json_acts_on_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """Regression: some subcommands printed what was recorded as it stands, and failed on half of a surrogate pair."""
    print_json({"text": "\u202e\x9b2J \ud800 \u00e9"})
    said = capsys.readouterr().out
    assert said.isascii()
    assert json.loads(said) == {"text": "\u202e\x9b2J \ud800 \u00e9"}


def test_a_size_is_told_in_powers_of_1000() -> None:
    """As disks are sold, and as the configuration takes sizes."""
    assert [size(count) for count in (0, 999, 1000, 1_500_000, 2_000_000_000_000)] == [
        "0 B",
        "999 B",
        "1.0 KB",
        "1.5 MB",
        "2000.0 GB",
    ]


@pytest.mark.parametrize("length", [1, 65_535, 65_536, 65_537, 200_000])
def test_the_line_behind_an_offset(tmp_path: Path, length: int) -> None:
    """However long the line is that the offset is in; without another line, it is the end."""
    log = tmp_path / "log"
    log.write_bytes(b"x" * length + b"\n" + b"y\n")
    assert [line_behind(str(log), offset) for offset in (-5, 0, length, length + 1)] == [
        length + 1,
        length + 1,
        length + 1,
        length + 3,
    ]
    log.write_bytes(b"x" * length)
    assert line_behind(str(log), 0) == length
