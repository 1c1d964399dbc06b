"""``claude-proxy store``: as whoever looks after a centre uses it."""

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("psycopg")

from proxy.store.postgres.connections import connect


@pytest.fixture
def url(url: str) -> str:
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


def test_migrate_comes_first_and_again_changes_nothing(tmp_path: Path, url: str) -> None:
    """`serve` on a database without tables is refused, with the command that makes them; then there are tokens."""
    config = f"storage: {{url: '{url}'}}"
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
