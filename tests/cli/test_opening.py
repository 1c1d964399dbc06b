"""``claude-proxy open``: a server that answers, and the address of the page."""

from __future__ import annotations

import contextlib
import os
import signal
import urllib.request
import webbrowser
from typing import TYPE_CHECKING

import pytest

from proxy.cli import opening
from proxy.server.background import server_address
from tests.command_line import claude_proxy
from tests.recorded import scenario
from tests.server.test_background import request

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def data_dir(tmp_path: Path) -> Iterator[Path]:
    """A data directory with a session; its server is ended afterwards."""
    folder = tmp_path / "data"
    (folder / "sessions").mkdir(parents=True, mode=0o700)
    (folder / "sessions/20260102-tool.jsonl").write_bytes(scenario("tool_allow"))
    folder.chmod(0o700)
    yield folder
    if said := server_address(str(folder)):
        with contextlib.suppress(ProcessLookupError):
            os.kill(said["pid"], signal.SIGTERM)


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What a browser was asked to open."""
    pages: list[str] = []
    monkeypatch.setattr(webbrowser, "get", lambda: None)
    monkeypatch.setattr(webbrowser, "open", pages.append)
    return pages


def test_the_page_is_opened_and_its_address_printed(
    data_dir: Path, opened: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server is started where none runs; what is printed answers, and is what the browser shows."""
    monkeypatch.setenv("DISPLAY", ":0")
    ran = claude_proxy("--data-dir", str(data_dir), "--port", "0", "open", "latest")
    assert (ran.status, ran.stderr) == (0, "")
    address, _, place = ran.stdout.strip().partition("#")
    assert place == "/session/20260102-tool/conversation"
    said = server_address(str(data_dir)) or {}
    assert address == f"{said['url']}/"
    with urllib.request.urlopen(request(said, "/"), timeout=120) as page:
        assert b"<html" in page.read()
    assert claude_proxy("--data-dir", str(data_dir), "open").stdout == f"{address}\n"
    if "token" not in said:  # else see `test_signed_in`
        assert opened == [ran.stdout.strip(), address]


def test_without_a_browser_the_address_is_printed_alone(
    data_dir: Path, opened: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over SSH there is none, or one for text."""
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("sys.platform", "linux")
    ran = claude_proxy("--data-dir", str(data_dir), "--port", "0", "open")
    assert ran.stdout.startswith("http://127.0.0.1:")
    assert opened == []


def test_a_log_that_the_server_does_not_show(data_dir: Path, tmp_path: Path) -> None:
    """The path of a log elsewhere is no address of a page: it says why."""
    elsewhere = tmp_path / "other.jsonl"
    elsewhere.write_bytes(scenario("tool_allow"))
    ran = claude_proxy("--data-dir", str(data_dir), "open", str(elsewhere))
    assert (ran.status, ran.stdout) == (2, "")
    assert "is not in" in ran.stderr
    assert claude_proxy("--data-dir", str(data_dir), "open", "nobody").status == 2
    assert server_address(str(data_dir)) is None


def test_a_server_that_does_not_come_up(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not waited for without end, and where to look is said."""
    monkeypatch.setattr(opening, "ensure_server", lambda *_: None)
    monkeypatch.setattr(opening, "_GIVE_UP_S", 0.01)
    ran = claude_proxy("--data-dir", str(data_dir), "open")
    assert ran.status == 1
    assert ran.stderr == f"claude-proxy: no server came up within 0.01 s; {data_dir}/server.log says why\n"
