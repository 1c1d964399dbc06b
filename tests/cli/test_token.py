"""``claude-proxy token``: as somebody who lets others in uses it."""

import json
import subprocess
import sys
from pathlib import Path

from proxy.server.access.tokens import TokenFile, hashed


def run(data_dir: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the subcommand."""
    command = [sys.executable, "-m", "proxy", "--data-dir", str(data_dir), "token", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def test_create_list_revoke(tmp_path: Path) -> None:
    """A token is printed alone, once; its name and scopes are listed, it is not; revoked, it is gone."""
    made = run(tmp_path, "create", "ci", "--scope", "read", "--scope", "write")
    secret = made.stdout.strip()
    assert (made.returncode, made.stdout) == (0, f"{secret}\n")
    assert TokenFile(str(tmp_path)).tokens()[hashed(secret)].scopes == ("read", "write")
    listed = run(tmp_path, "list", "--json").stdout
    assert secret not in listed
    assert hashed(secret) not in listed
    assert [(one["name"], one["scopes"]) for one in json.loads(listed)["tokens"]] == [
        ("ci", ["read", "write"])
    ]
    assert "ci" in run(tmp_path, "list").stdout
    assert run(tmp_path, "revoke", "ci").returncode == 0
    assert "No tokens" in run(tmp_path, "list").stdout


def test_who_may_act_may_look(tmp_path: Path) -> None:
    """Whoever answers a question has to see it."""
    secret = run(tmp_path, "create", "phone", "--scope", "act").stdout.strip()
    assert TokenFile(str(tmp_path)).tokens()[hashed(secret)].scopes == ("read", "act")


def test_what_cannot_be_done_is_said(tmp_path: Path) -> None:
    """One sentence and status 1; what is no scope is refused."""
    assert run(tmp_path, "create", "a").returncode == 0
    for words in (["create", "a"], ["create", "a b"], ["revoke", "nobody"]):
        ran = run(tmp_path, *words)
        assert (ran.returncode, len(ran.stderr.splitlines())) == (1, 1)
    assert run(tmp_path, "create", "b", "--scope", "all").returncode == 2
