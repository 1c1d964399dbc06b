"""``claude-proxy policy``, as a job of CI and its author use it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import yaml

from tests.command_line import Finished, claude_proxy

if TYPE_CHECKING:
    from pathlib import Path

COMMANDS = ("git status", "git commit -m 'a b'", "rm -rf /tmp/x", "$X")


def record(tmp_path: Path) -> None:
    """Write the log of a session that ran these commands."""
    messages: list[tuple[str, object]] = []
    for number, command in enumerate(COMMANDS):
        call = {"type": "tool_use", "id": f"t{number}", "name": "Bash", "input": {"command": command}}
        messages.append(("assistant", {"role": "assistant", "content": [call]}))
        answer = {"type": "tool_result", "tool_use_id": f"t{number}", "content": ""}
        messages.append(("user", {"role": "user", "content": [answer]}))
    lines = []
    for seq, (kind, message) in enumerate(messages):
        head = {"seq": seq, "ts": f"2026-11-22T10:00:00.{seq:06}Z", "session_id": "20261122T100000-aa"}
        about = {"type": kind, "message": message, "session_id": "c"}
        lines.append(json.dumps({**head, "stream": "stdout", "verdict": "valid", "message": about}))
    (tmp_path / "sessions").mkdir()
    (tmp_path / "sessions" / "20261122T100000-aa.jsonl").write_text("\n".join(lines) + "\n")


def check(tmp_path: Path, policy: str, *words: str) -> Finished:
    """Run a check."""
    (tmp_path / "policy.yaml").write_text(policy)
    where = ("--data-dir", str(tmp_path), "--policy", str(tmp_path / "policy.yaml"))
    return claude_proxy("policy", "check", "20261122", *where, *words)


def test_what_a_policy_forbids_fails_a_job(tmp_path: Path) -> None:
    """By kind: what cannot be told is no failure unless it is wanted."""
    record(tmp_path)
    policy = "permissions: {deny: ['Bash(rm -rf *)']}"
    ran = check(tmp_path, policy)
    assert ran.status == 1
    assert ran.stdout.splitlines() == [
        "deny by Bash(rm -rf *): Bash rm -rf /tmp/x (20261122T100000-aa, record 4, allowed by unknown)",
        "unknown by Bash(rm -rf *): Bash $X (20261122T100000-aa, record 6, allowed by unknown)",
    ]
    assert ran.stderr == "2 findings in 4 calls\n"
    assert check(tmp_path, "permissions: {deny: ['Bash(mv *)']}").status == 0
    assert check(tmp_path, "permissions: {deny: ['Bash(mv *)']}", "--fail-on", "deny,unknown").status == 1
    assert check(tmp_path, policy, "--fail-on", "").status == 0


def test_findings_in_formats_for_machines(tmp_path: Path) -> None:
    """JSON has all of it; code scanning and test reports have what they can hold."""
    record(tmp_path)
    policy = "permissions: {deny: ['Bash(rm -rf *)', 'Write(x)']}"
    ran = check(tmp_path, policy, "--format", "json")
    answer = json.loads(ran.stdout)
    assert (ran.status, answer["calls"], len(answer["findings"])) == (1, 4, 2)
    assert answer["findings"][0] == {
        "kind": "deny",
        "session_id": "20261122T100000-aa",
        "seq": 4,
        "text": "rm -rf /tmp/x",
        "tool": "Bash",
        "tool_use_id": "t2",
        "rule": "Bash(rm -rf *)",
        "approval": answer["findings"][0]["approval"],
    }
    assert [rule["rule"] for rule in answer["never_matching"]] == ["Write(x)"]
    assert "never matches" in ran.stderr
    (sarif,) = json.loads(check(tmp_path, policy, "--format", "sarif").stdout)["runs"]
    place = sarif["results"][0]["locations"][0]["physicalLocation"]
    assert (sarif["results"][0]["level"], place["region"]["startLine"]) == ("error", 5)
    root = ET.fromstring(check(tmp_path, policy, "--format", "junit").stdout)
    assert (root.get("tests"), root.get("failures")) == ("3", "1")


def test_what_cannot_be_used_is_status_2(tmp_path: Path) -> None:
    """A sentence each: no policy, a wrong one, no such session, a wrong kind."""
    record(tmp_path)
    for policy, words, said in (
        ("", (), "cannot be used"),
        (
            "permissions: {deny: [Bash]}",
            ("--fail-on", "denny"),
            "--fail-on: 'denny' is unknown; did you mean deny?",
        ),
    ):
        ran = check(tmp_path, policy, *words)
        assert (ran.status, ran.stdout) == (2, "")
        assert said in ran.stderr
    for line, said in (
        (("latest",), "--policy"),
        (("nothing", "--policy", str(tmp_path / "policy.yaml")), "no session"),
    ):
        ran = claude_proxy("policy", "check", *line, "--data-dir", str(tmp_path))
        assert (ran.status, said in ran.stderr) == (2, True)


def test_what_is_suggested_allows_what_ran(tmp_path: Path) -> None:
    """And is a policy, which finds nothing but what no rule can cover."""
    record(tmp_path)
    ran = claude_proxy("policy", "suggest", "20261122", "--data-dir", str(tmp_path))
    assert yaml.safe_load(ran.stdout) == {
        "permissions": {"allow": ["Bash(git commit *)", "Bash(git status)", "Bash(rm -rf /tmp/x)"]}
    }
    assert ran.stderr == "claude-proxy: no rule covers Bash: $X\n"
    assert check(tmp_path, ran.stdout).status == 0
