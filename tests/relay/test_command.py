"""What is relayed, and where the wrapper gets out of the way."""

from __future__ import annotations

import pytest

from proxy.relay.command import plan

STREAM_JSON = ["--output-format", "stream-json"]
SDK = ["--output-format", "stream-json", "--input-format", "stream-json", "--verbose"]
SCRIPT = "/home/dev/.npm/lib/node_modules/@anthropic-ai/claude-code/cli.js"
NATIVE = "/home/dev/.local/share/claude/versions/2.1.330"


def decide(command: list[str], terminals: str = "") -> tuple[str, str]:
    """Return what is done, and which streams are declared to carry messages; ``terminals``: of ``in``, ``out``."""
    decided = plan(command, stdin_is_terminal="in" in terminals, stdout_is_terminal="out" in terminals)
    declared = "in" * decided.stdin_messages + "out" * decided.stdout_messages
    return ("relay" if decided.relayed else "become"), declared


@pytest.mark.parametrize(
    ("command", "declared"),
    [
        (["claude", "-p", *STREAM_JSON], "out"),
        (["claude", *SDK], "inout"),
        (["claude", "--output-format=stream-json", "--input-format=stream-json"], "inout"),
        (["claude", "--input-format", "stream-json"], "in"),
        (["claude", "-p", "--output-format", "json"], ""),
        (["claude", "-p", "--output-format"], ""),
        (["claude", "-p", "--", *STREAM_JSON], ""),
        (["/usr/local/bin/claude", *SDK], "inout"),
        (["C:/claude.exe", *SDK], "inout"),
        ([NATIVE, *SDK], "inout"),
        (["node", SCRIPT, *SDK], "inout"),
        ([SCRIPT, *SDK], "inout"),
        (["/usr/bin/node", "--max-old-space-size=8192", SCRIPT, *SDK], "inout"),
        (["bun", "/opt/claude", *SDK], "inout"),
        (["sh", "-c", "exec claude", *SDK], "inout"),
    ],
)
def test_streams_that_are_declared(command: list[str], declared: str) -> None:
    """The command line says which streams carry messages, in one word or two, directly or behind a runtime."""
    assert decide(command) == ("relay", declared)


@pytest.mark.parametrize(
    ("command", "streams"),
    [
        (["claude", "-p", "hi"], {"stdin", "stdout"}),
        (["claude", "-p", "--output-format", "text"], {"stdin", "stdout"}),
        (["claude", "-p", "--output-format=json", "hi"], {"stdin"}),
        (["claude", "-p", *STREAM_JSON, "hi"], {"stdin"}),
        (["claude", *SDK], set()),
        (["claude", "--sdk-url", "ws://127.0.0.1:1/"], set()),
        (["sh", "-c", "exec claude", "-p"], set()),
    ],
)
def test_streams_that_carry_text(command: list[str], streams: set[str]) -> None:
    """Where Claude Code takes or prints text, no line is a message, whatever it looks like."""
    decided = plan(command, stdin_is_terminal=False, stdout_is_terminal=False)
    assert decided.text_streams == streams


@pytest.mark.parametrize("terminals", ["", "in", "out", "in out"])
@pytest.mark.parametrize(
    "arguments",
    [
        ["-p", "hello"],
        ["--print", "hello"],
        ["-p"],
        ["-c", "-p", "hello"],
        ["hello", "-p"],
        ["--model", "opus", "-p", "hello"],
        ["--model", "mcp", "-p", "hello"],
        ["--tools", "Read", "Edit", "-p", "hello"],
        ["-p", *STREAM_JSON],
        ["--debug", "-p", "hello"],
        ["--resume", "-p", "doctor"],
        ["-w", "-p", "update"],
        ["--from-pr", "-p", "mcp"],
        ["--teleport", "-p", "mcp"],
        ["--remote-control", "-p", "update"],
        ["-p", "--", "mcp"],
        ["mcp", "-p", "list"],
        ["--init-only"],
        ["--sdk-url=ws://127.0.0.1:1/"],
        ["--sdk-url", "ws://127.0.0.1:1/"],
    ],
)
def test_printing_sessions_are_relayed_also_at_a_terminal(arguments: list[str], terminals: str) -> None:
    """``claude -p`` typed at a prompt is recorded, wherever the option stands and whatever stands before it."""
    assert decide(["claude", *arguments], terminals)[0] == "relay"
    assert decide(["node", SCRIPT, *arguments], terminals)[0] == "relay"


@pytest.mark.parametrize("terminals", ["", "in", "out", "in out"])
@pytest.mark.parametrize(
    "arguments",
    [
        ["--version"],
        ["-v"],
        ["--help"],
        ["-h"],
        ["-p", "--version"],
        ["--model", "opus", "--help"],
        ["mcp", "list"],
        ["plugin", "list", "--json"],
        ["auth", "status"],
        ["doctor"],
        ["config", "get", "x"],
        ["update"],
        ["install"],
        ["setup-token"],
        ["--debug", "api", "mcp", "list"],
        ["--debug=api", "mcp", "list"],
        ["-dapi", "mcp", "list"],
        ["-w", "name", "mcp", "list"],
        ["-n", "name", "mcp", "list"],
        ["-cp", "doctor"],
        ["-pv", "hello"],
        ["-c", "mcp", "list"],
        ["--", "mcp", "list"],
        ["--debug", "--", "update"],
        ["--betas", "a", "b", "--", "mcp", "list"],
        ["--output-format=stream-json", "mcp", "list"],
        ["--settings", "{}", "mcp", "serve"],
        ["--mcp-config=x.json", "mcp", "list"],
    ],
)
def test_calls_that_are_no_session(arguments: list[str], terminals: str) -> None:
    """What editors ask of ``claude`` aside of sessions is not recorded, and pays for no relay."""
    for program in (["claude"], [NATIVE], ["node", SCRIPT]):
        assert decide([*program, *arguments], terminals)[0] == "become"


@pytest.mark.parametrize(
    "arguments",
    [
        ["-p", "--", "--version"],
        ["-p", "--system-prompt", "--help", "hello"],
        ["-p", "--model", "update"],
        ["--model", "--version", "-p"],
        ["-p", "what is mcp"],
        ["-p", "hello", "mcp"],
        ["-p", "stop"],
        ["--print", "mcp", "list"],
        ["-d", "mcp", "list"],
        ["-dv", "hello"],
        ["-cn", "doctor"],
        ["hello", "mcp", "list"],
        ["", "mcp", "list"],
        ["-", "mcp", "list"],
        ["--tools", "mcp", "list"],
        ["--tools", "-h", "hello"],
        ["--add-dir", "a", "install", "-p", "hello"],
        ["--allowedTools", "Read", "update", "--print"],
    ],
)
def test_words_that_only_look_like_such_calls(arguments: list[str]) -> None:
    """A value of an option, a prompt, and what follows ``--`` are no subcommands and no flags."""
    assert decide(["claude", *arguments])[0] == "relay"


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["hello"],
        ["--model", "opus"],
        ["--", "-p"],
        ["--permission-mode", "plan"],
        ["-c"],
        ["-pc", "hello"],
        ["-dp", "hello"],
        ["-n", "-p", "hello"],
        ["--tools", "-p", "hello"],
        STREAM_JSON,
    ],
)
@pytest.mark.parametrize(
    ("terminals", "expected"), [("", "relay"), ("in", "relay"), ("out", "become"), ("in out", "become")]
)
def test_what_claude_writes_elsewhere_than_to_a_terminal(
    arguments: list[str], terminals: str, expected: str
) -> None:
    """Whoever sits in front of ``claude`` has the terminal to themselves; with its output elsewhere it prints."""
    assert decide(["claude", *arguments], terminals)[0] == expected


@pytest.mark.parametrize(
    "command", [["cat"], ["node", "server.js"], ["node"], ["node", "-e", "1"], ["mcp"], ["/x/claude-code"]]
)
@pytest.mark.parametrize(
    ("terminals", "expected"), [("", "relay"), ("in", "become"), ("out", "become"), ("in out", "become")]
)
def test_other_programs(command: list[str], terminals: str, expected: str) -> None:
    """Any other program is relayed between programs and left alone at a terminal."""
    assert decide(command, terminals)[0] == expected
    assert decide([*command, "--version"], terminals)[0] == expected


@pytest.mark.parametrize("program", [SCRIPT, "/opt/claude-2.1"])
def test_a_claude_of_another_name(program: str) -> None:
    """A shim's command is a `claude` whatever it is called; npm's script is known by its path."""
    known = program == SCRIPT
    for arguments in (["--version"], ["mcp", "list"]):
        command = [program, *arguments]
        named = plan(command, stdin_is_terminal=False, stdout_is_terminal=False, is_claude=True)
        assert not named.relayed
        assert decide(command)[0] == ("become" if known else "relay")
    printing = [program, "-p", "hello"]
    assert plan(printing, stdin_is_terminal=True, stdout_is_terminal=True, is_claude=True).relayed
    assert decide(printing, "in out")[0] == ("relay" if known else "become")
