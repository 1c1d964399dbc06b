"""Whether a rule covers a call."""

from __future__ import annotations

import pytest

from proxy.policy.matching import Call, Decision, decide
from proxy.policy.rules import Policy, Rule
from tests.policy.cases import BASH, BASH_BEYOND, FILES, PATHS, UNKNOWN

CWD, HOME = "/home/me/project", "/home/me"


def policy(**lists: list[str]) -> Policy:
    """Return a policy of these rules."""
    return Policy(**{name: tuple(map(Rule.parse, rules)) for name, rules in lists.items()})  # type: ignore[arg-type]


def bash(command: str) -> Call:
    """Return a call of Bash."""
    return Call("Bash", {"command": command}, CWD, HOME)


@pytest.mark.parametrize(
    ("rule", "command"), [(rule, command) for rule, forbidden, _ in BASH for command in forbidden]
)
def test_a_rule_forbids_a_command(rule: str, command: str) -> None:
    """Wherever it stands in a compound command, and however it is written."""
    assert decide(policy(deny=[rule]), bash(command)) == Decision("deny", rule)


@pytest.mark.parametrize(
    ("rule", "command"), [(rule, command) for rule, _, others in BASH for command in others]
)
def test_a_rule_is_about_no_other_command(rule: str, command: str) -> None:
    """What only looks alike runs."""
    assert decide(policy(deny=[rule]), bash(command)).verdict == "none"


@pytest.mark.parametrize("command", BASH_BEYOND)
def test_what_is_hidden_in_a_string_is_found(command: str) -> None:
    """There is time to look into what a shell is given to run."""
    assert decide(policy(deny=["Bash(c7 *)"]), bash(command)).verdict == "deny"


@pytest.mark.parametrize("command", UNKNOWN)
def test_what_cannot_be_taken_apart_is_unknown(command: str) -> None:
    """Not fine; and of no concern where no rule is about commands."""
    assert decide(policy(deny=["Bash(other *)"]), bash(command)) == Decision("unknown", "Bash(other *)")
    assert decide(policy(deny=["WebFetch"]), bash(command)).verdict == "none"
    assert decide(policy(deny=["Bash"]), bash(command)).verdict == "deny"
    assert decide(policy(allow=["Bash(*)"]), bash(command)).verdict == "allow"
    assert decide(policy(allow=["Bash(c7 *)"]), bash(command)).verdict == "none"


@pytest.mark.parametrize(("rule", "forbidden"), PATHS)
def test_a_rule_forbids_files(rule: str, forbidden: tuple[str, ...]) -> None:
    """By the patterns of gitignore, from the working directory, the home or the root; for shell commands as well."""
    for file in FILES:
        path = file if file.startswith("/") else f"{CWD}/{file}"
        for call in (
            Call("Read", {"file_path": path}, CWD, HOME),
            bash(f"cat {file}"),
            bash(f"wc -l < {file}"),
        ):
            assert decide(policy(deny=[rule]), call).verdict == ("deny" if file in forbidden else "none"), (
                call
            )


def test_rules_for_edits_are_for_all_tools_that_write() -> None:
    """What must not be read must not be written either."""
    for tool, key in (("Edit", "file_path"), ("Write", "file_path"), ("NotebookEdit", "notebook_path")):
        call = Call(tool, {key: f"{CWD}/src/a"}, CWD, HOME)
        assert decide(policy(deny=["Edit(src/**)"]), call).verdict == "deny"
        assert decide(policy(deny=["Read(src/**)"]), call).verdict == "deny"
        assert decide(policy(deny=["Edit"]), call).verdict == "deny"
        assert decide(policy(allow=["Edit(src/**)"]), call).verdict == "allow"
        assert decide(policy(allow=["Read(src/**)"]), call).verdict == "none"
    for command in ("rm src/a", "echo x > src/a", "true && tee src/a"):
        assert decide(policy(deny=["Edit(src/**)"]), bash(command)).verdict == "deny"


def test_a_place_that_nobody_recorded_leaves_it_open() -> None:
    """Without a working directory nobody can tell what a relative path means."""
    call = Call("Read", {"file_path": "/a/b"})
    assert decide(policy(deny=["Read(b)"]), call).verdict == "unknown"
    assert decide(policy(deny=["Read(//a/**)"]), call).verdict == "deny"


@pytest.mark.parametrize(
    ("rule", "call", "expected"),
    [
        ("WebFetch(domain:a.org)", Call("WebFetch", {"url": "https://a.org/x"}), "deny"),
        ("WebFetch(domain:*.a.org)", Call("WebFetch", {"url": "https://b.a.org:8443/x"}), "deny"),
        ("WebFetch(domain:a.org)", Call("WebFetch", {"url": "https://b.org/a.org"}), "none"),
        ("WebFetch(domain:a.org)", Call("WebFetch", {}), "unknown"),
        ("mcp__one", Call("mcp__one__do", {}), "deny"),
        ("mcp__one__*", Call("mcp__one__do", {}), "deny"),
        ("mcp__one", Call("mcp__one_more__do", {}), "none"),
        ("mcp__one__do", Call("mcp__one__do", {}), "deny"),
        ("Agent(Explore)", Call("Agent", {"subagent_type": "Explore"}), "deny"),
        ("Task", Call("Agent", {"subagent_type": "Explore"}), "deny"),
        ("Skill(deploy *)", Call("Skill", {"skill": "deploy prod"}), "deny"),
        ("Skill(deploy)", Call("Skill", {"skill": "deploy prod"}), "none"),
        ("*", Call("Anything", {}), "deny"),
        ("TodoWrite(x)", Call("TodoWrite", {}), "unknown"),
    ],
)
def test_other_tools(rule: str, call: Call, expected: str) -> None:
    """Domains, servers, agents and skills by name; what a specifier means for others is not known."""
    assert decide(policy(deny=[rule]), call).verdict == expected


def test_the_first_list_decides() -> None:
    """Deny, ask, report, allow: how narrow a rule is does not count."""
    call = bash("git push")
    assert decide(policy(deny=["Bash(git *)"], allow=["Bash(git push)"]), call).verdict == "deny"
    assert decide(policy(ask=["Bash(git *)"], allow=["Bash(git push)"]), call).verdict == "ask"
    assert decide(policy(report=["Bash"], allow=["Bash"]), call).verdict == "report"


def test_each_part_of_a_command_must_be_allowed() -> None:
    """A rule for one part says nothing of the others; programs that change nothing are looked through."""
    rules = policy(allow=["Bash(git *)", "Bash(ls *)"])
    assert decide(rules, bash("git status && ls -l | ls")).verdict == "allow"
    assert decide(rules, bash("timeout 5 git status > out")).verdict == "allow"
    assert decide(rules, bash("git status && rm x")).verdict == "none"
    assert decide(rules, bash("sudo git status")).verdict == "none"
    assert decide(rules, bash("git status $(rm x)")).verdict == "none"


@pytest.mark.parametrize(
    ("command", "verdict"),
    [
        *[
            (command, "unknown")
            for command in ("cat $FILE", "cat .e*", "cat src/.en{v,}", "cat < `f`", "rm -f .?nv")
        ],
        *[(command, "none") for command in ("cat *", "cat *.py", "cat '$FILE'", "grep 'a.*v' x", "ls .e*")],
        ("cat .e* src/.env", "deny"),
    ],
)
def test_a_word_that_stands_for_files(command: str, verdict: str) -> None:
    """Which files is only known at run time: unknown where it may be one that a rule is about."""
    assert decide(policy(deny=["Read(.env)"]), bash(command)).verdict == verdict


def test_patterns_take_no_time_by_a_power_of_the_length() -> None:
    """However often a part of a rule stands in a command."""
    rule = "Bash(*" + "a*b*" * 20 + "c)"
    assert decide(policy(deny=[rule]), bash("x " + "ab" * 20_000)).verdict == "none"
    assert decide(policy(deny=[rule]), bash("x " + "ab" * 20_000 + "c")).verdict == "deny"


@pytest.mark.parametrize("stands", ["> o", "; x", "| x", "&& x"])
def test_a_long_command(stands: str) -> None:
    """Thousands of parts are looked at, each once."""
    assert decide(policy(deny=["Read(.env)"]), bash("a " + f"{stands} " * 3000)).verdict == "none"
