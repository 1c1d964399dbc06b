"""A policy file and its rules."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

import pytest

from proxy.policy.rules import Policy, PolicyError, Rule, load

if TYPE_CHECKING:
    from pathlib import Path


def test_a_policy_is_yaml_or_json(tmp_path: Path) -> None:
    """Claude Code's own block, and what is ours beside it."""
    path = tmp_path / "policy"
    path.write_text(
        "permissions: {deny: ['Bash(rm *)'], defaultMode: plan}\nreport: [WebFetch]\nshadow: true"
    )
    policy = load(str(path))
    assert (policy.deny, policy.report, policy.shadow) == (
        (Rule("Bash(rm *)", "Bash", "rm *"),),
        (Rule("WebFetch", "WebFetch", None),),
        True,
    )
    assert policy.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert policy.permissions == {"deny": ["Bash(rm *)"], "defaultMode": "plan"}
    path.write_text('{"permissions": {"allow": ["Read"]}}')
    assert load(str(path)).allow == (Rule("Read", "Read", None),)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "it needs `permissions`"),
        ("[]", "it needs `permissions`"),
        ("permissions: {}", "it has no rule"),
        ("permissions: {deny: []}", "it has no rule"),
        ("permissions: {deny: Bash}", "`deny` is no list of rules"),
        ("permissions: {deny: [1]}", "`deny` is no list of rules"),
        ("permissions: {deny: ['Bash(']}", "'Bash(' is no rule"),
        ("permissions: {deny: ['']}", "'' is no rule"),
        ("permissions: {denny: [Bash]}", "unknown key denny; did you mean deny?"),
        ("permissions: {deny: [Bash]}\nshadwo: true", "unknown key shadwo; did you mean shadow?"),
        ("permissions: {deny: [Bash]}\nshadow: 1", "`shadow` is neither true nor false"),
        ("permissions: {deny: [Bash]}\ntools_known: Bash", "`tools_known` is no list"),
        ("permissions: {deny: [Bash", "is neither YAML nor JSON"),
        ("\x00", "is neither YAML nor JSON"),
    ],
)
def test_a_wrong_policy_says_what_to_change(tmp_path: Path, text: str, said: str) -> None:
    """One sentence, with the path."""
    path = tmp_path / "policy"
    path.write_text(text)
    with pytest.raises(PolicyError, match=str(path)) as raised:
        load(str(path))
    assert said in str(raised.value)


def test_a_policy_that_cannot_be_read_says_so(tmp_path: Path) -> None:
    """A folder, a file that is not there."""
    for path in (tmp_path, tmp_path / "missing"):
        with pytest.raises(PolicyError, match=f"cannot read the policy {path}"):
            load(str(path))


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        ("Write(src/**)", r"write Edit\(src/\*\*\)"),
        ("Grep(src/**)", r"write Read\(src/\*\*\)"),
        ("WebFetch(a.org)", r"write WebFetch\(domain:a.org\)"),
        ("mcp__one__do(x)", "take no specifier"),
        ("Bahs(rm *)", "no session that was looked at has such a tool"),
    ],
)
def test_rules_that_never_match_are_named(rule: str, reason: str) -> None:
    """A rule that does nothing protects nobody."""
    policy = Policy(deny=(Rule.parse(rule),))
    ((found, said),) = policy.never_matching(frozenset({"Bash", "Write", "Grep", "WebFetch"}))
    assert found.text == rule
    assert re.search(reason, said)


def test_rules_that_may_match_are_not_named() -> None:
    """Tools of servers come and go; where no tools are known, none is missing; some are known to the user."""
    rules = ("Bash(rm *)", "Edit(src/**)", "mcp__any__thing", "mcp__any", "*", "Custom")
    policy = Policy(deny=tuple(map(Rule.parse, rules)), tools_known=frozenset({"Custom", "Edit"}))
    assert list(policy.never_matching(frozenset({"Bash"}))) == []
    assert list(Policy(deny=policy.deny).never_matching()) == []
