"""What the server says of itself: its form, and that every event it has is documented."""

import ast
import io
import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from proxy.server.base.journal import configure, journal

ROOT = Path(__file__).parents[3]
OPERATION = (ROOT / "docs" / "operation.md").read_text()
EVENT = re.compile(r"[a-z]+(_[a-z]+)*\.[a-z]+(_[a-z]+)*")


@pytest.fixture(autouse=True)
def others_handlers() -> Iterator[None]:
    """The handlers of the test run are put back."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.getLogger("claude_proxy.server").setLevel(logging.NOTSET)


def said_events() -> dict[str, set[str]]:
    """Return every event that the sources write, with its levels."""
    found: dict[str, set[str]] = {}
    for path in (ROOT / "proxy").rglob("*.py"):
        if "from proxy.server.base.journal import" not in path.read_text():
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and isinstance(node.func.value, ast.Name)
                and node.func.value.id == "journal"
            ):
                name = node.args[0]
                assert isinstance(name, ast.Constant), f"{path}:{node.lineno}: an event has a fixed name"
                found.setdefault(str(name.value), set()).add(node.func.attr)
    return found


def documented_events() -> dict[str, set[str]]:
    """Return the events of the table, with their levels."""
    rows = re.findall(r"^\| `([a-z_]+\.[a-z_]+)` \| ([a-z, ]+) \|", OPERATION, re.MULTILINE)
    return {name: set(levels.split(", ")) for name, levels in rows}


def test_each_event_is_documented_with_its_level() -> None:
    """The table of events is what the server writes: nothing more, nothing less."""
    levels = {
        name: {"error" if level == "exception" else level for level in levels}
        for name, levels in said_events().items()
    }
    assert documented_events() == {**levels, "library.said": {"warning", "error"}}
    assert all(EVENT.fullmatch(name) for name in levels)


def test_json_is_one_object_a_line() -> None:
    """A line is an object that begins with when, how grave and what, whatever is in its values."""
    stream = io.StringIO()
    configure("INFO", "json", stream)
    journal.info("server.started", url="a\nb\ud800", pid=3)
    journal.debug("server.stopped")
    try:
        raise ValueError("boom")
    except ValueError:
        journal.exception("request.failed", path="/")
    first, second = map(json.loads, stream.getvalue().splitlines())
    assert list(first)[:3] == ["timestamp", "level", "event"]
    assert (first["event"], first["url"], first["pid"]) == ("server.started", "a\nb\ud800", 3)
    assert (second["level"], second["path"]) == ("error", "/")
    assert "ValueError: boom" in second["exception"]


def test_the_level_is_the_least_that_is_written() -> None:
    """What is below the configured level is not written; what is at it is."""
    for level, written in [("DEBUG", 3), ("INFO", 2), ("WARNING", 1), ("ERROR", 0)]:
        stream = io.StringIO()
        configure(level, "json", stream)
        journal.debug("server.stopped")
        journal.info("server.stopped")
        journal.warning("server.stopped")
        assert len(stream.getvalue().splitlines()) == written


def test_libraries_speak_in_the_same_form() -> None:
    """What a library logs is an event too, and a quiet one stays quiet."""
    stream = io.StringIO()
    configure("DEBUG", "json", stream)
    logging.getLogger("aiohttp.server").info("chatter")
    logging.getLogger("aiohttp.server").error("Error %d", 7)
    (said,) = map(json.loads, stream.getvalue().splitlines())
    assert (said["event"], said["logger"], said["text"]) == ("library.said", "aiohttp.server", "Error 7")


def test_auto_is_text_on_a_terminal_and_json_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """People get text, programs get JSON, without a setting."""
    for is_terminal in (False, True):
        stream = io.StringIO()
        monkeypatch.setattr(stream, "isatty", lambda is_terminal=is_terminal: is_terminal)
        configure("INFO", "auto", stream)
        journal.info("server.started", url="u")
        assert stream.getvalue().startswith("{") is not is_terminal
        assert "server.started" in stream.getvalue()


def test_text_on_a_terminal_holds_no_commands_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a client asked for, and what an error quotes, is shown as text."""
    stream = io.StringIO()
    configure("INFO", "console", stream)
    journal.warning("request.index_unreadable", path="/\x1b[2J\x9b1m", error="\x07")
    try:
        raise ValueError("\x1b]0;title\x07")
    except ValueError:
        journal.exception("request.failed", path="/")
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f]", stream.getvalue())
    assert "title" in stream.getvalue()
