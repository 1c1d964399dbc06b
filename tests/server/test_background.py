"""A server of its own accord: one for a data directory, nobody's child, gone when nobody needs it."""

import contextlib
import fcntl
import json
import os
import re
import select
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from proxy.config import Settings
from proxy.server import background
from proxy.server.__main__ import any_session_runs
from proxy.server.process.run import CannotServeError, Options, _listening
from proxy.sessions.record import lifecycle
from proxy.sessions.writer import SessionLog

START = """
import sys
from proxy.server.background import ensure_server
ensure_server(sys.argv[1], "127.0.0.1", int(sys.argv[2]))
"""


def until(what: Callable[[], Any], bound_s: float = 120) -> Any:
    """Return what something gives as soon as that is true; fail when it does not become so."""
    end = time.monotonic() + bound_s
    while time.monotonic() < end:
        if found := what():
            return found
        select.select([], [], [], 0.02)
    raise AssertionError("it did not come about")


def start(data_dir: Path, port: int = 0) -> None:
    """Ask for a server as a wrapped session does."""
    subprocess.run([sys.executable, "-c", START, str(data_dir), str(port)], check=True, timeout=120)


def address(data_dir: Path) -> dict[str, Any]:
    """Wait for the server and return what it says of itself."""
    said: dict[str, Any] = until(lambda: background.server_address(str(data_dir)))
    return said


def request(said: dict[str, Any], path: str, body: bytes | None = None) -> urllib.request.Request:
    """Return what its owner asks a server that says this of itself; ``body``: JSON to post."""
    headers = {"Content-Type": "application/json"}
    if "token" in said:
        headers["Authorization"] = f"Bearer {said['token']}"
    return urllib.request.Request(said["url"] + path, body, headers)


def ask(said: dict[str, Any], path: str, body: bytes | None = None) -> Any:
    """Return the answer's data."""
    with urllib.request.urlopen(request(said, path, body), timeout=120) as response:
        return json.load(response)["data"]


def is_ended(data_dir: Path) -> bool:
    """End whoever serves, also one that was late to find that it was not needed; return whether nobody does."""
    if said := background.server_address(str(data_dir)):
        with contextlib.suppress(ProcessLookupError):
            os.kill(said["pid"], signal.SIGTERM)
    return not background.is_served(str(data_dir))


@pytest.fixture
def data_dir(tmp_path: Path) -> Iterator[Path]:
    """A data directory, whose server is ended after the test."""
    yield tmp_path
    until(lambda: is_ended(tmp_path))


def test_many_at_once_start_one(data_dir: Path) -> None:
    """However many sessions find no server at the same time, one stays, and the others leave."""
    command = [sys.executable, "-c", START, str(data_dir), "0"]
    starters = [subprocess.Popen(command) for _ in range(6)]
    assert [starter.wait(120) for starter in starters] == [0] * 6
    said = address(data_dir)
    assert ask(said, "/health")["status"] in ("healthy", "degraded")
    assert (data_dir / "server.log").read_text().count("server.started") == 1
    start(data_dir)
    assert address(data_dir)["pid"] == said["pid"]


def test_nobody_waits_for_it(data_dir: Path) -> None:
    """It holds no descriptor of who started it, is not in its session, and has its own log."""
    read, write = os.pipe()
    try:
        os.set_inheritable(write, True)
        subprocess.run(
            [sys.executable, "-c", START, str(data_dir), "0"],
            check=True,
            timeout=120,
            pass_fds=[write],
            stdout=write,
            stderr=write,
        )
        os.close(write)
        assert select.select([read], [], [], 120)[0]
        assert os.read(read, 100) == b""
    finally:
        os.close(read)
    pid = address(data_dir)["pid"]
    assert os.getsid(pid) != os.getsid(0)
    assert os.readlink(f"/proc/{pid}/fd/1") == str(data_dir / "server.log")
    assert oct(os.stat(data_dir / "server.log").st_mode)[-3:] == "600"
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    assert int(status["PPid"]) != os.getpid()


def test_takes_over_no_credentials_and_no_limits(data_dir: Path) -> None:
    """Of who starts it a server keeps settings and place, not credentials, umask or limits that can be raised."""
    code = (
        f"import os, resource; os.umask(0); resource.setrlimit(resource.RLIMIT_NOFILE, (200, 4000))\n{START}"
    )
    subprocess.run(
        [sys.executable, "-c", code, str(data_dir), "0"],
        check=True,
        timeout=120,
        env={
            **os.environ,
            "ANTHROPIC_API_KEY": "hush",
            "CLAUDE_PROXY_API__LINGER": "99",
            "CLAUDE_PROXY_SESSION_ID": "outer",
        },
    )
    pid = address(data_dir)["pid"]
    environment = Path(f"/proc/{pid}/environ").read_bytes()
    assert b"CLAUDE_PROXY_API__LINGER=99" in environment
    assert b"hush" not in environment
    assert b"SESSION_ID" not in environment
    assert "Umask:\t0077" in Path(f"/proc/{pid}/status").read_text()
    limits = Path(f"/proc/{pid}/limits").read_text()
    assert re.search(r"Max open files +4000 +4000 ", limits)


def test_taken_port_is_no_obstacle(data_dir: Path) -> None:
    """When another program has the port, a free one is used, and the data directory says which."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        start(data_dir, port)
        said = address(data_dir)
        assert not said["url"].endswith(f":{port}")
        assert ask(said, "/status")["active_sessions"] == 0


def test_leaves_when_nobody_needs_it(data_dir: Path) -> None:
    """It stays while a session lives, and leaves when none has lived for the linger."""
    settings = data_dir / "settings.yaml"
    settings.write_text("api: {linger: 0.1}")
    log = SessionLog(str(data_dir), "s", lifecycle("s", "session_started", {"format": 1}))
    log.append([])
    background.ensure_server(str(data_dir), "127.0.0.1", 0, str(settings))
    said = address(data_dir)
    assert until(lambda: ask(said, "/status")["active_sessions"]) == 1
    assert background.is_served(str(data_dir))
    log.close()
    until(lambda: not background.is_served(str(data_dir)))
    assert background.server_address(str(data_dir)) is None


def test_session_that_begins_while_it_leaves(tmp_path: Path) -> None:
    """A server that leaves looks once more, when it has let go of the lock, for sessions that have seen it."""
    assert not any_session_runs(str(tmp_path))
    log = SessionLog(str(tmp_path), "s", lifecycle("s", "session_started", {"format": 1}))
    log.append([])
    assert any_session_runs(str(tmp_path))
    log.close()
    assert not any_session_runs(str(tmp_path))


def test_killed_server_is_replaced(data_dir: Path) -> None:
    """A server that was killed is not taken for a running one."""
    start(data_dir)
    first = address(data_dir)
    os.kill(first["pid"], signal.SIGKILL)
    until(lambda: not background.is_served(str(data_dir)))
    start(data_dir)
    assert until(lambda: (said := background.server_address(str(data_dir))) and said["pid"]) != first["pid"]


def test_never_raises_and_imports_little(tmp_path: Path) -> None:
    """Where no server can be started nothing happens; asking imports nothing of web, database or settings."""
    place = tmp_path / "file"
    place.touch()
    background.ensure_server(str(place / "below"), "127.0.0.1", 0)
    heavy = ["aiohttp", "asyncio", "sqlite3", "pydantic", "json", "subprocess", "typing", "msgspec"]
    code = f"import sys, proxy.server.background\nassert not set({heavy}) & set(sys.modules), sorted(sys.modules)"
    subprocess.run([sys.executable, "-S", "-c", code], check=True, timeout=120, cwd=Path(__file__).parents[2])


def test_looking_does_not_keep_a_server_from_its_lock(tmp_path: Path) -> None:
    """A look that holds the lock for an instant delays a server that starts, and no more."""
    lock = background.take_lock(str(tmp_path))
    assert lock is not None
    assert background.take_lock(str(tmp_path), wait_s=0) is None
    os.close(lock)
    with (tmp_path / "server.lock").open("rb") as looker:
        fcntl.flock(looker, fcntl.LOCK_SH)
        assert background.is_served(str(tmp_path)) is False
    lock = background.take_lock(str(tmp_path))
    assert lock is not None
    os.close(lock)


@pytest.mark.parametrize("host", ["::1", "[::1]"])
def test_an_ipv6_address_is_taken_as_it_is_and_as_urls_write_it(data_dir: Path, host: str) -> None:
    """`--host '[::1]'` is the address that it means, and what the server says of itself is a URL."""
    with contextlib.suppress(OSError), socket.create_server(("::1", 0), family=socket.AF_INET6):
        background.ensure_server(str(data_dir), host, 0)
        said = address(data_dir)
        assert said["url"].startswith("http://[::1]:")
        assert ask(said, "/health/live")["status"] == "alive"


def test_a_host_that_is_none_is_named(data_dir: Path) -> None:
    """An address that is not this machine's is not taken for a port that is taken."""
    with pytest.raises(
        CannotServeError, match=r"cannot listen on 192\.0\.2\.1 \(.*\): give an address of this .* --host"
    ):
        _listening(Options(str(data_dir), "192.0.2.1", 0, Settings(), background=True))
    with pytest.raises(CannotServeError, match=r"cannot listen on no host .* --host"):
        _listening(Options(str(data_dir), "no host", 0, Settings()))


def test_foreground_says_why_it_cannot(data_dir: Path) -> None:
    """`serve` exits with a sentence when its port is taken, or a server for the data directory runs already."""
    start_serving = [sys.executable, "-m", "proxy", "serve", "--data-dir", str(data_dir), "--port"]
    with socket.create_server(("127.0.0.1", 0)) as other:
        command = [*start_serving, str(other.getsockname()[1])]
        taken = subprocess.run(command, check=False, timeout=120, capture_output=True, text=True)
    assert taken.returncode == 1
    assert "--port" in taken.stderr
    start(data_dir)
    address(data_dir)
    second = subprocess.run([*start_serving, "0"], check=False, timeout=120, capture_output=True, text=True)
    assert second.returncode == 1
    assert "runs already" in second.stderr


def test_what_another_user_has_planted_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lock of another user is no server; where something is another's, none is started and the sentence says so."""
    lock = background.take_lock(str(tmp_path))
    assert lock is not None
    background.announce(lock, "http://127.0.0.1:1", "1")
    assert background.is_served(str(tmp_path))
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    assert not background.is_served(str(tmp_path))
    assert background.server_address(str(tmp_path)) is None
    with pytest.raises(PermissionError, match="another user"):
        background.take_lock(str(tmp_path))
    background.ensure_server(str(tmp_path), "127.0.0.1", 0)
    assert not (tmp_path / "server.log").exists()
    os.close(lock)


@pytest.mark.parametrize("name", ["server.log", "server.lock"])
def test_links_are_not_written_through(tmp_path: Path, name: str) -> None:
    """Where a link stands in the place of the log or the lock, nothing is written to where it leads."""
    other = tmp_path / "other"
    other.write_text("mine")
    (tmp_path / "data").mkdir(mode=0o700)
    (tmp_path / "data" / name).symlink_to(other)
    background.ensure_server(str(tmp_path / "data"), "127.0.0.1", 0)
    assert other.read_text() == "mine"
    assert not background.is_served(str(tmp_path / "data"))
