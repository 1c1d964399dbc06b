"""What allowed a shell command of which Claude Code says only that each part was allowed."""

import pytest

from proxy.events.known_rules import KnownRules, by_parts

RULES = KnownRules(
    allow=["Bash(npm run:*)", "Bash(touch *)", "Bash(make)", "Edit"], deny=["WebFetch", "mcp__a"]
)


@pytest.mark.parametrize(
    ("command", "by"),
    [
        ("ls -la", "harmless"),
        ("grep x a | sort -u | head; true", "unknown"),  # `sort` may write: -o
        ("grep x a 2>/dev/null | wc -l 2>&1 || echo none;", "harmless"),
        ("git log -3 && git diff --stat", "harmless"),
        ("git diff --output=x", "unknown"),
        ("find . -delete", "unknown"),
        ("npm run test -- -x && ls", "rule"),
        ("npm running", "unknown"),
        ("make", "rule"),
        ("make all", "unknown"),
        ("touch x; rm x", "unknown"),
        *[
            (command, "unknown")
            for command in ("ls > x", "ls $(rm x)", "ls `rm x`", "ls\nrm x", "(ls)", "ls &")
        ],
        *[(command, "unknown") for command in ("", "'", "|", "ls |", "X=1 ls", "!", "\x00", "ls " * 10_000)],
    ],
)
def test_parts(command: str, by: str) -> None:
    """Each part changes nothing, or a rule that is known allows it; what is not plain is unknown."""
    assert by_parts(command, "default", RULES) == by


def test_the_mode_that_accepts_edits() -> None:
    """It allows programs that do such things to files, whatever rules there are."""
    assert by_parts("rm -f x && ls", "acceptEdits", RULES) == "mode"
    assert by_parts("rm -f x && make", "acceptEdits", RULES) == "rule"
    assert by_parts("rm -f x", "default", RULES) == "unknown"
    assert by_parts(None, "acceptEdits", RULES) == "unknown"


def test_rules_of_a_command_line() -> None:
    """In lists, in one word, in settings that are JSON; each in its own way of writing."""
    words = [
        "claude",
        "-p",
        "--allowedTools",
        "Bash(a b:*),Read",
        "Edit",
        "--disallowed-tools=Web Fetch(x, y)",
    ]
    settings = '{"permissions": {"deny": ["mcp__a", 5], "allow": "no list"}}'
    known = KnownRules.of_command([*words, "--settings", settings])
    assert known.allow == ["Bash(a b:*)", "Read", "Edit"]
    assert known.deny == ["Web", "Fetch(x, y)", "mcp__a"]
    for broken in ("file.json", "[", "[" * 100_000, "5", '{"permissions": 5}'):
        assert KnownRules.of_command(["claude", "--settings", broken]) == KnownRules()
    assert KnownRules.of_command([]) == KnownRules()


def test_tools_that_rules_take_away() -> None:
    """By their whole name, or that of their server."""
    assert [tool for tool in ("WebFetch", "mcp__a__b", "mcp__ab__c", "Edit") if RULES.denies_tool(tool)] == [
        "WebFetch",
        "mcp__a__b",
    ]


def test_rules_that_are_listed() -> None:
    """They count in place of those of the command line, from all sources; what has another form is left out."""
    known = KnownRules(allow=["Bash"])
    rules = [
        {"behavior": "deny", "rule": "Write", "source": "userSettings"},
        {"behavior": 5},
        "x",
        {"rule": 1},
    ]
    known.listed({"state": {"rules": rules}})
    assert known == KnownRules(deny=["Write"])
    known.listed({"state": {"rules": {}}})
    assert known == KnownRules()
