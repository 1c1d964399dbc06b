"""``claude-proxy ship``: as a step of CI, and whoever wants to know what leaves, uses it."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

pytest.importorskip("psycopg")

from proxy.sessions import firings
from tests.recorded import START_US, LogMaker, firing, scenario
from tests.shipping.processes import Program, server, wait_ready

SECRET = "hunter2-of-the-house"
NOWHERE = "http://127.0.0.1:1"


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """A data directory with one session."""
    folder = tmp_path / "data"
    (folder / "sessions").mkdir(parents=True, mode=0o700)
    folder.chmod(0o700)
    text = scenario("simple", LogMaker("a")).replace(b'"result":"', f'"result":"{SECRET} '.encode())
    assert SECRET.encode() in text
    (folder / "sessions" / "a.jsonl").write_bytes(text)
    return folder


@pytest.fixture
def centre(tmp_path: Path, url: str) -> Iterator[tuple[Program, str]]:
    """A server of a centre, which runs, and its address."""
    program, port = server(tmp_path / "centre", url)
    program.start()
    try:
        wait_ready(program, port)
        yield program, f"http://127.0.0.1:{port}"
    finally:
        program.kill()


def run(data_dir: Path, *words: str, **ship: object) -> subprocess.CompletedProcess[str]:
    """Run the subcommand with these settings."""
    config = data_dir.parent / "config.yaml"
    config.write_text(yaml.safe_dump({"ship": ship}))
    command = [sys.executable, "-m", "proxy", "--data-dir", str(data_dir), "--config", str(config), "ship"]
    return subprocess.run([*command, *words], capture_output=True, text=True, check=False, timeout=120)


def test_what_cannot_be_done_is_said(data_dir: Path) -> None:
    """Without a centre it says at once what to set; a wait is a number, and goes with an end."""
    for words, ship, says in (
        (["--once"], {}, "CLAUDE_PROXY_SHIP__TO"),
        (["status"], {}, "ship.to names no centre"),
        (["--wait", "1"], {"to": NOWHERE}, "--wait goes with --once"),
        (["--once", "--wait", "-1"], {"to": NOWHERE}, "it takes a number of seconds"),
        (["--once"], {"to": "http://example.com"}, "https://"),
        (["--once"], {"token": "x"}, "to names no centre"),
    ):
        ran = run(data_dir, *words, **ship)
        assert ran.returncode == 2, words
        assert says in ran.stderr
        assert len(ran.stderr.splitlines()) == 1


def test_an_end_that_does_not_come_is_status_75(data_dir: Path) -> None:
    """Where nobody answers it is said why, and that not all was acknowledged; the log waits."""
    ran = run(data_dir, "--once", "--wait", "1", to=NOWHERE)
    assert ran.returncode == 75
    assert "not all was acknowledged within 1 s" in ran.stderr
    status = json.loads(run(data_dir, "status", "--json", to=NOWHERE).stdout)
    assert (status["acknowledged"]["records"], status["last_answer"]) == (0, None)
    assert status["waiting"]["bytes"] == (data_dir / "sessions" / "a.jsonl").stat().st_size
    assert status["trouble"]


@pytest.mark.parametrize(
    ("ship", "leaves"),
    [
        ({}, True),
        ({"content": "texts_removed"}, False),
        ({"content": "figures"}, False),
        ({"redact": ["hunter2[a-z-]*"]}, False),
    ],
)
def test_a_dry_run_prints_what_would_leave(data_dir: Path, ship: dict[str, object], leaves: bool) -> None:
    """`ship.content` and `ship.redact` say what that is; nothing is sent, and nothing is remembered."""
    ran = run(data_dir, "--dry-run", to=NOWHERE, **ship)
    assert ran.returncode == 0
    assert len(ran.stdout.splitlines()) == len((data_dir / "sessions" / "a.jsonl").read_bytes().splitlines())
    assert (SECRET in ran.stdout) is leaves
    assert not (data_dir / "host.json").exists()


@pytest.mark.linux("the kernel tells whose a connection is: elsewhere a host always needs a token")
def test_all_is_acknowledged_and_told(data_dir: Path, centre: tuple[Program, str]) -> None:
    """Status 0 once all is stored; then nothing waits, and nothing says the token. One that is not taken is 75."""
    _, to = centre
    refused = run(data_dir, "--once", "--wait", "60", to=to, token="not-a-token-of-this-centre")
    assert refused.returncode == 75
    assert "does not take ship.token" in refused.stderr
    assert "trouble       The token is none of this server's" in run(data_dir, "status", to=to).stdout
    ran = run(data_dir, "--once", "--wait", "60", to=to)
    assert (ran.returncode, ran.stderr) == (0, "")
    text = (data_dir / "sessions" / "a.jsonl").read_bytes()
    found = run(data_dir, "status", "--json", to=to, token="not-a-token-of-this-centre").stdout
    assert "not-a-token" not in found
    status = json.loads(found)
    assert status["acknowledged"] == {"records": text.count(b"\n"), "bytes": len(text)}
    assert status["waiting"] == {"records": 0, "bytes": 0}
    assert (status["to"], status["content"], status["set_aside"]) == (to, "full", {})
    assert status["last_answer"] is not None
    said = run(data_dir, "status", to=to).stdout
    assert ("acknowledged" in said, "trouble" in said) == (True, False)
    assert run(data_dir, "--dry-run", to=to).stdout == ""


@pytest.mark.linux("the kernel tells whose a connection is: elsewhere a host always needs a token")
def test_what_is_at_the_centre_is_written_as_it_was(
    data_dir: Path, tmp_path: Path, centre: tuple[Program, str]
) -> None:
    """`export --to` with the centre's configuration gives the hosts' logs back, byte for byte, and what rules found."""
    _, to = centre
    firings.append(str(data_dir), "a", firing(START_US))
    assert run(data_dir, "--once", "--wait", "60", to=to).returncode == 0
    config = tmp_path / "centre" / "settings.yaml"
    command = [sys.executable, "-m", "proxy", "--config", str(config), "export"]
    for number, words in enumerate((["a"], ["--since", "2001-01-01"])):
        folder = tmp_path / f"out{number}"
        subprocess.run([*command, *words, "--to", str(folder)], check=True, timeout=120)
        for name in ("a.jsonl", "a.rules"):
            assert (folder / name).read_bytes() == (data_dir / "sessions" / name).read_bytes()
    ran = subprocess.run(
        [*command, "b", "--to", str(tmp_path / "out")],
        check=False,
        timeout=120,
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 2
    assert "the centre has no session 'b'" in ran.stderr


def test_prune_keeps_what_the_centre_lacks(data_dir: Path) -> None:
    """By its days nothing goes, and that is said; for room it goes, and the status lists what was lost."""
    log = data_dir / "sessions" / "a.jsonl"
    long_ago = time.time() - 40 * 86_400
    os.utime(log, (long_ago, long_ago))
    size = log.stat().st_size

    def prune(*words: str) -> subprocess.CompletedProcess[str]:
        run(data_dir, "status", to=NOWHERE)  # writes the configuration
        command = [sys.executable, "-m", "proxy", "--data-dir", str(data_dir), "--config"]
        command += [str(data_dir.parent / "config.yaml"), "prune", *words]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)

    ran = prune("--days", "1")
    assert (ran.returncode, log.exists()) == (0, True)
    assert "kept until the centre has it all: 1 session" in ran.stderr
    assert "a: the centre lacks" in prune("--max-size", "1", "--dry-run").stderr
    assert log.exists()
    ran = prune("--max-size", "1")
    assert (ran.returncode, log.exists()) == (0, False)
    (loss,) = json.loads(run(data_dir, "status", "--json", to=NOWHERE).stdout)["unshipped_lost"]
    assert (loss["session_id"], loss["bytes"]) == ("a", size)
    assert "lost          a:" in run(data_dir, "status", to=NOWHERE).stdout
