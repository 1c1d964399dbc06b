"""The smallest list of allow rules that covers what ran."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from proxy.policy.matching import Call, decide
from proxy.policy.rules import Policy, Rule
from proxy.policy.suggest import suggest
from tests.policy.cases import BASH, UNKNOWN
from tests.policy.test_matching import CWD, HOME, bash

CALLS = (
    *(bash(command) for _, forbidden, others in BASH for command in (*forbidden, *others)),
    *map(
        bash,
        (
            "git status",
            "git commit -m 'a b'",
            "git commit --amend",
            "npm run test -- x",
            "ls",
            "ls -l",
            "rm *",
        ),
    ),
    *map(bash, UNKNOWN),
    Call("Edit", {"file_path": f"{CWD}/src/deep/a"}, CWD, HOME),
    Call("Write", {"file_path": f"{CWD}/top"}, CWD, HOME),
    Call("Write", {"file_path": "/elsewhere/a"}, CWD, HOME),
    Call("Read", {"file_path": f"{CWD}/src/a"}, CWD, HOME),
    Call("Grep", {"pattern": "x"}, CWD, HOME),
    Call("WebFetch", {"url": "https://a.org/x"}),
    Call("Agent", {"subagent_type": "Explore"}),
    Call("Skill", {"skill": "deploy"}),
    Call("mcp__one__do", {}),
    Call("TodoWrite", {"todos": []}),
)


@given(st.lists(st.sampled_from(CALLS), max_size=8))
def test_what_ran_is_covered_and_no_rule_is_too_many(calls: list[Call]) -> None:
    """All but what cannot be taken apart; each rule covers something that no other does."""
    found = suggest(calls)

    def covered(rules: list[str]) -> list[Call]:
        policy = Policy(allow=tuple(map(Rule.parse, rules)))
        return [call for call in calls if decide(policy, call).verdict == "allow"]

    assert all(call.shell is not None and not call.shell.is_complete for call in found.uncovered)
    assert len(covered(found.rules)) + sum(calls.count(call) for call in found.uncovered) == len(calls)
    for rule in found.rules:
        assert covered([other for other in found.rules if other != rule]) != covered(found.rules)


def test_rules_are_as_narrow_as_one_would_write_them() -> None:
    """A command in one short form stays as it is; several get a rule for the program, or for its verb."""
    calls = map(
        bash,
        ("git status", "git commit -m 'a b'", "git commit --amend", "ls", "ls -l", "timeout 5 pytest -q"),
    )
    assert suggest(calls).rules == ["Bash(git commit *)", "Bash(git status)", "Bash(ls *)", "Bash(pytest -q)"]
    assert suggest(CALLS[-10:-7]).rules == ["Edit(./top)", "Edit(//elsewhere/**)", "Edit(src/**)"]


def test_hundreds_of_commands() -> None:
    """Each has its rule, and none is weighed against all others for each call."""
    many = [bash(f"program{number} --option {number} x") for number in range(300)]
    assert len(suggest(many).rules) == 300


def test_what_has_no_rule() -> None:
    """Names that no tool can have, and URLs that are none, are said to be covered by nothing, or by the whole tool."""
    odd = [Call(name, {}, CWD, HOME) for name in ("", "a b", "(")]
    assert suggest(odd) == ([], odd)
    assert suggest([Call("WebFetch", {"url": "http://["}, CWD, HOME)]).rules == ["WebFetch"]
