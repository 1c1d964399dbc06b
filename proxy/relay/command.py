"""What to do with a command, decided from its command line and its terminals before anything is started.

The rule: relay what is a session of messages or text between programs; become the command (``exec``) for all
that a person sits in front of, and for the calls of ``claude`` that are no session (``--version``, ``mcp list``, ...).
"""

from __future__ import annotations

import os

TYPE_CHECKING = False  # `typing` takes long to import, and the command waits
if TYPE_CHECKING:
    from collections.abc import Sequence

# `claude --help` of 2.1.330, and names that earlier versions had.
_SUBCOMMANDS = frozenset(
    """
    agents attach auth auto-mode completion config daemon doctor export gateway import install kill log logs mcp
    migrate-installer open plugin plugins project purge remote-control respawn rm rollback server setup-token stop
    ultrareview update upgrade
    """.split()  # noqa: SIM905 - a list would fill a screen
)
_NO_SESSION_FLAGS = frozenset(["--version", "-v", "-V", "--help", "-h", "--bg", "--background", "--desktop"])
# The options of `claude` that take the next word as their value, so that it is not mistaken for a subcommand.
_VALUE_OPTIONS = frozenset(
    """
    --add-dir --agent --agents --allowedTools --allowed-tools --append-system-prompt --append-system-prompt-file
    --autocompact --betas --cloud --debug -d --debug-file --disallowedTools --disallowed-tools --effort --environment
    --fallback-model --file --from-pr --input-format --json-schema --max-budget-usd --max-thinking-tokens --max-turns
    --mcp-config --model --name -n --output-format --permission-mode --permission-prompt-tool --permission-prompts
    --plugin-dir --plugin-url --remote-control --remote-control-session-name-prefix --resume -r --resume-session-at
    --sdk-url --session-id --setting-sources --settings --system-prompt --system-prompt-file --system-prompt-snapshot
    --task-budget --teleport --thinking --thinking-display --tools --worktree -w
    """.split()  # noqa: SIM905 - a list would fill a screen
)
# Those of them that take every word up to the next option.
_LIST_OPTIONS = frozenset(
    """
    --add-dir --allowedTools --allowed-tools --betas --disallowedTools --disallowed-tools --file --mcp-config --tools
    """.split()  # noqa: SIM905 - as above
)
_RUNTIMES = frozenset(["node", "nodejs", "bun", "deno"])


class Plan:
    """What is to be done with a command."""

    __slots__ = ("relayed", "stdin_messages", "stdout_messages")

    def __init__(self, *, relayed: bool, stdin_messages: bool = False, stdout_messages: bool = False) -> None:
        """``relayed``: whether the wrapper stays between; else it becomes the command.

        ``stdin_messages``, ``stdout_messages``: whether the command line says that the stream carries messages
        (``--input-format``, ``--output-format stream-json``).
        """
        self.relayed = relayed
        self.stdin_messages = stdin_messages
        self.stdout_messages = stdout_messages


def plan(
    command: Sequence[str], *, stdin_is_terminal: bool, stdout_is_terminal: bool, is_claude: bool = False
) -> Plan:
    """Decide what to do with ``command`` (program and arguments); ``is_claude``: it is one, whatever its name."""
    relay = Plan(
        relayed=True,
        stdin_messages=_has(command, "--input-format"),
        stdout_messages=_has(command, "--output-format"),
    )
    become = Plan(relayed=False)
    between_programs = not stdin_is_terminal and not stdout_is_terminal
    arguments = command[1:] if is_claude else _claude_arguments(command)
    if arguments is None:
        return relay if between_programs else become
    if _is_no_session(arguments):
        return become
    return relay if between_programs or relay.stdout_messages or _prints(arguments) else become


def _claude_arguments(command: Sequence[str]) -> Sequence[str] | None:
    """Return the arguments of ``claude`` if ``command`` runs it, directly or as a script of a JavaScript runtime."""
    if _is_claude(command[0]):
        return command[1:]
    if os.path.basename(command[0]) in _RUNTIMES:
        for index, word in enumerate(command[1:], 2):
            if not word.startswith("-"):
                return command[index:] if _is_claude(word) or "claude-code" in word else None
    return None


def _is_claude(program: str) -> bool:
    folder, name = os.path.split(program)
    # The native installer keeps the program as ~/.local/share/claude/versions/2.1.330.
    if name in ("claude", "claude.exe") or folder.endswith("/claude/versions"):
        return True
    return name == "cli.js" and folder.endswith("/claude-code")  # npm's, which can be run by itself


def _has(command: Sequence[str], option: str) -> bool:
    """Whether the command line says ``option stream-json``, in one word or two."""
    for index, word in enumerate(command):
        if word == "--":
            return False
        if word == option and command[index + 1 : index + 2] == ["stream-json"]:
            return True
        if word == f"{option}=stream-json":
            return True
    return False


def _is_no_session(arguments: Sequence[str]) -> bool:
    """Whether a call of ``claude`` is a subcommand, or asks for help or the version.

    As the real one has it: after ``-p`` the first operand is a prompt, whatever it says.
    """
    words = iter(arguments)
    in_list = prints = operand_seen = False
    for word in words:
        if word == "--":
            return False
        if word in _NO_SESSION_FLAGS:
            return True
        if word.startswith("-"):
            prints = prints or _is_print(word)
            in_list = word in _LIST_OPTIONS
            if word in _VALUE_OPTIONS:
                next(words, None)
        elif not in_list and not operand_seen:
            operand_seen = True
            if not prints and word in _SUBCOMMANDS:
                return True
    return False


def _prints(arguments: Sequence[str]) -> bool:
    """Whether a call of ``claude`` says ``-p``, alone or among joined short options (``-cp``)."""
    for word in arguments:
        if word == "--":
            return False
        if _is_print(word):
            return True
    return False


def _is_print(word: str) -> bool:
    return word == "--print" or (word[:1] == "-" and word[:2] != "--" and "p" in word and word[1:].isalpha())
