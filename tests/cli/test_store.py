"""``claude-proxy store`` and ``forget``: as whoever looks after a centre uses it."""

import contextlib
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("psycopg")

from proxy.fleet import Hello
from proxy.store.fleet import Arriving, Saying
from proxy.store.postgres.connections import connect, writing
from proxy.store.postgres.hosts import hear
from proxy.store.postgres.intake import Intake
from tests.recorded import LogMaker, scenario


@pytest.fixture
def bare_url(url: str) -> str:
    """The address of a database that nobody has migrated."""
    with connect(url) as connection:
        connection.execute("DROP SCHEMA claude_proxy CASCADE")
    return url


def run(folder: Path, *words: str, config: str) -> subprocess.CompletedProcess[str]:
    """Run a subcommand with a configuration."""
    path = folder / "centre.yaml"
    path.write_text(config)
    command = [sys.executable, "-m", "proxy", "--data-dir", str(folder), "--config", str(path), *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def test_migrate_comes_first_and_again_changes_nothing(tmp_path: Path, bare_url: str) -> None:
    """`serve` on a database without tables is refused, with the command that makes them; then there are tokens."""
    config = f"storage: {{url: '{bare_url}'}}"
    refused = run(tmp_path, "--port", "0", "serve", config=config)
    assert refused.returncode != 0
    assert "claude-proxy store migrate" in refused.stderr.splitlines()[-1]
    assert "Traceback" not in refused.stderr
    first = run(tmp_path, "store", "migrate", config=config)
    assert (first.returncode, first.stderr) == (0, "")
    again = run(tmp_path, "store", "migrate", config=config)
    assert again.returncode == 0
    assert "0 steps" in again.stdout
    assert "0 sessions" in run(tmp_path, "store", "rebuild", config=config).stdout
    made = run(tmp_path, "token", "create", "ci", "--scope", "push", "--team", "red", config=config)
    listed = run(tmp_path, "token", "list", config=config).stdout
    assert ("ci" in listed, "red" in listed, made.stdout.strip() in listed) == (True, True, False)
    assert not (tmp_path / "tokens.json").exists()


@pytest.mark.parametrize(
    ("config", "status", "says"),
    [
        ("{}", 2, "storage.url names no database"),
        ("storage: {url: 'postgresql://127.0.0.1:1/none'}", 1, "storage.url"),
    ],
)
def test_without_a_database(tmp_path: Path, config: str, status: int, says: str) -> None:
    """It says what to set, or that the database does not answer, in a few lines and no traceback."""
    ran = run(tmp_path, "store", "migrate", config=config)
    assert ran.returncode == status
    assert says in ran.stderr
    assert "Traceback" not in ran.stderr


def test_forget(tmp_path: Path, url: str) -> None:
    """Sessions go by their ids or their host's; a name that several hosts have is refused."""
    config = f"storage: {{url: '{url}'}}"
    with contextlib.closing(Intake(url)) as intake:
        for number, name in enumerate(("laptop", "laptop", "runner")):
            host_id = f"{number:032x}"
            with connect(url) as connection, writing(connection):
                hear(
                    connection,
                    Saying(host_id, "everybody", 0, Hello(protocol=1, version="1", name=name, sent_at="")),
                )
            sessions = [f"s{number}", f"t{number}"]
            logs = [scenario("simple", LogMaker(one)) for one in sessions]
            intake.take(
                [
                    Arriving(host_id, None, *one, running=False)
                    for one in zip(sessions, (0, 0), logs, strict=True)
                ]
            )

    def forget(*words: str) -> tuple[int, list[str], str]:
        ran = run(tmp_path, "forget", *words, config=config)
        return ran.returncode, ran.stdout.splitlines(), ran.stderr

    assert forget("s0", "--dry-run") == (0, ["s0", "1 session would go"], "")
    assert forget("s0") == (0, ["s0", "1 session erased"], "")
    assert forget("s0", "t0") == (
        1,
        ["t0", "1 session erased"],
        "claude-proxy: the centre has no session 's0'\n",
    )
    status, _, said = forget("--host", "laptop")
    assert (status, f"{1:032x}" in said, "several hosts" in said) == (2, True, True)
    assert forget("--host", f"{1:032x}", "--host", "runner", "--dry-run")[1][-1] == "4 sessions would go"
    assert forget("--host", f"{1:032x}")[1] == ["s1", "t1", "2 sessions erased"]
    assert forget("--host", "runner")[0] == 0
    assert "knows no host 'nobody'" in forget("--host", "nobody")[2]
    assert "forget takes a SESSION" in forget()[2]
