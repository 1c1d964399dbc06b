"""``show --html``: one file that needs nothing else and can do nothing."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest

from tests.cli.test_reading import read
from tests.recorded import NAMES, LogMaker, scenario

if TYPE_CHECKING:
    from pathlib import Path

HOSTILE = "</title></style><script>hacked()</script><img src=x onerror=hacked()> \x1b[2J \u202e \ud83d"


class Parts(HTMLParser):
    """Which elements a page has, with which attributes, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.text += data


def shared(tmp_path: Path, log: bytes) -> Parts:
    """Write the page of a log, and return what it consists of."""
    path, target = tmp_path / "made.jsonl", tmp_path / "page.html"
    path.write_bytes(log)
    done = read(tmp_path, "show", str(path), "--html", str(target))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    return Parts(target.read_text())


def test_a_page_reads_like_the_conversation(tmp_path: Path) -> None:
    """Who said what, which tools ran, who allowed it, what it took and cost."""
    page = shared(tmp_path, scenario("tool_allow"))
    for words in (
        "Please write it.",
        "Write",
        "may it use Write?",
        "Write allowed",
        "Written.",
        "turn ended completed after",
        "$0.0022",
    ):
        assert words in page.text
    assert "exit status 0" in page.text


@pytest.mark.parametrize("name", NAMES[::15])
def test_every_session_has_a_page(tmp_path: Path, name: str) -> None:
    """A page is made of whatever was recorded, of the same few elements, without address or script."""
    page = shared(tmp_path, scenario(name))
    assert "script" not in page.tags
    assert not page.attributes & {"src", "href", "onerror", "onload", "style"}


def test_hostile_content_is_text(tmp_path: Path) -> None:
    """Markup in what was recorded stays text, escapes of terminals are made visible, directions do not leak."""
    maker = LogMaker()
    message = {"type": "user", "message": {"role": "user", "content": HOSTILE}}
    block = {
        "type": "tool_use",
        "id": HOSTILE,
        "name": HOSTILE,
        "input": {HOSTILE: HOSTILE, "command": HOSTILE},
    }
    log = maker.started(["claude", HOSTILE.encode(errors="replace").decode()]) + maker.lines("stdin", message)
    log += maker.lines(
        "stdout", {"type": "assistant", "message": {"content": [block]}}, {"type": HOSTILE}, b"<b>"
    )
    page = shared(tmp_path, log)
    assert not page.tags & {"script", "img", "b onclick"}
    assert "<script>hacked()</script>" in page.text
    assert not re.search("[\x00-\x08\x1b\u202e]", page.text)
    assert "⟨U+202E⟩" in page.text
    assert "\N{SYMBOL FOR ESCAPE}[2J" in page.text


def test_a_page_answers_what_a_reader_asks(tmp_path: Path) -> None:
    """Before the conversation: what was done, where time and money went, what is broken."""
    page = shared(tmp_path, scenario("api_errors"))
    head = page.text.partition("started claude")[0]
    assert "5 turns in " in head
    assert "Time went into the model" in head
    assert "A turn failed: Credit balance is too low" in head


def test_lines_that_are_no_messages_are_shown(tmp_path: Path) -> None:
    """Regression: a session that wrote to stderr alone had an empty page."""
    maker = LogMaker()
    page = shared(
        tmp_path, maker.started(["make"]) + maker.lines("stderr", b"<b>no rule</b>") + maker.ended()
    )
    assert "<b>no rule</b>" in page.text


def test_a_turn_that_nobody_asked_for_has_no_user(tmp_path: Path) -> None:
    """Regression: what Claude Code began by itself was shown as a prompt that had not been recorded."""
    page = shared(tmp_path, scenario("background_shell"))
    assert "begun by Claude Code" in page.text
    assert "not recorded" not in page.text


def test_long_texts_are_shortened(tmp_path: Path) -> None:
    """A text of megabytes does not make a page of megabytes, and says how much is missing."""
    maker = LogMaker()
    message = {"type": "user", "message": {"role": "user", "content": "x" * 5_000_000}}
    page = shared(
        tmp_path, maker.started(["claude", "--input-format", "stream-json"]) + maker.lines("stdin", message)
    )
    assert "4,980,000 characters" in page.text
    assert (tmp_path / "page.html").stat().st_size < 100_000


@pytest.mark.parametrize("log", [b"", LogMaker().started(), LogMaker().started() + b'{"seq":'])
def test_logs_without_ends(tmp_path: Path, log: bytes) -> None:
    """An empty, a torn and an unfinished log have a page as well."""
    assert "claude-proxy" in shared(tmp_path, log).text


def test_what_cannot_be_done_is_said(tmp_path: Path) -> None:
    """A file that cannot be written and a session that is not there get a sentence, two forms at once a usage."""
    (tmp_path / "sessions").mkdir()
    (tmp_path / "sessions" / "made.jsonl").write_bytes(scenario("simple"))
    nowhere = str(tmp_path / "nowhere" / "page.html")
    done = read(tmp_path, "show", "made", "--html", nowhere)
    assert done.returncode == 1
    assert "give another FILE" in done.stderr
    assert read(tmp_path, "show", "nobody", "--html", "-").returncode == 2
    assert read(tmp_path, "show", "made", "--html", "-", "--json").returncode == 2
    assert read(tmp_path, "show", "made", "--html", "-").stdout.startswith("<!doctype html>")


def test_a_page_has_no_credentials(tmp_path: Path) -> None:
    """Those that the log has are replaced, as the option says; the log stays as it is."""
    key, named = "ghp_" + "a1" * 18, "hunter2hunter2"
    made = LogMaker()
    log = made.started()
    head = '"seq":9,"ts":"2026-01-02T03:04:06Z","session_id":"made","stream":"stderr"'
    line = f'{{{head},"raw":"{key} password: {named}"}}'
    path, target = tmp_path / "made.jsonl", tmp_path / "page.html"
    path.write_bytes(log + line.encode() + b"\n")
    for mode, kept in (((), {named}), (("--redact", "strict"), set()), (("--redact", "off"), {key, named})):
        assert read(tmp_path, "show", str(path), "--html", str(target), *mode).returncode == 0
        assert {secret for secret in (key, named) if secret in target.read_text()} == kept
    assert key.encode() in path.read_bytes()
