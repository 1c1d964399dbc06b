"""What to do with a command, decided from its command line and its terminals before anything is started.

* A call of ``claude`` that is no session (``--version``, ``mcp list``, ...): become it (``exec``).
* ``claude`` in print mode, which it is with ``-p`` or when its output is no terminal: relay it.
* Interactive ``claude``: become it.
* Any other program: relay it between programs, become it at a terminal.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False  # `typing` takes long to import, and the command waits
if TYPE_CHECKING:
    from collections.abc import Sequence

# How Claude Code 2.1.330 reads its own command line, hidden options included, and the subcommands of earlier releases.
_SUBCOMMANDS = frozenset(
    """
    agents attach auth auto-mode completion config daemon doctor export gateway import install kill log logs mcp
    migrate-installer open plugin plugins project purge remote-control respawn rm rollback server setup-token stop
    ultrareview update upgrade
    """.split()  # noqa: SIM905 - a list would fill a screen
)
_NO_SESSION = frozenset(["--version", "-v", "-V", "--help", "-h", "--bg", "--background", "--desktop"])
_PRINT = frozenset(["-p", "--print"])
# Take the next word as their value, whatever it is.
_VALUE_OPTIONS = frozenset(
    """
    --advisor --agent --agent-color --agent-id --agent-name --agent-type --agents --append-subagent-system-prompt
    --append-subagent-system-prompt-file --append-system-prompt --append-system-prompt-file --attach-serve
    --autocompact --client-data-url --correlation-id --debug-file --deep-link-cwd-b64 --deep-link-last-fetch
    --deep-link-repo --effort --environment --exec -m --fallback-model --fast-mode --forward-home-settings --handle-uri
    --inherit-permission-mode --initialize-fields --input-format --json-schema --lead-verify-key --managed-settings
    --max-budget-usd --max-thinking-tokens --max-turns --messaging-socket-path --metadata --model --name -n --on-branch
    --output-format --parent-session-id --permission-mode --permission-prompt-tool --permission-prompts
    --plan-mode-instructions --plugin-dir --plugin-dir-no-mcp --plugin-url --pool --prefill --prefill-b64 --proactivity
    --project-config-root --ref --remote-control-session-name-prefix --resume-drops-turn --resume-session-at
    --rewind-files --routine --runner-declares --sdk-url --session-began-as-copy --session-id --setting-sources
    --settings --system-prompt --system-prompt-file --system-prompt-snapshot --task-budget --team-name --teammate-mode
    --thinking --thinking-display --watch-artifact --watch-artifact-no-autoreact --workload
    """.split()  # noqa: SIM905 - as above
)
# Take the next word, whatever it is, and every further one up to the next option.
_LIST_OPTIONS = frozenset(
    """
    --add-dir --allowedTools --allowed-tools --betas --channels --dangerously-load-development-channels
    --disallowedTools --disallowed-tools --file --mcp-config --tools
    """.split()  # noqa: SIM905 - as above
)
# Take the next word unless it is an option.
_OPTIONAL_VALUE_OPTIONS = frozenset(
    """
    --cloud --debug -d --from-pr --project --prompt-suggestions --rc --remote --remote-control --resume -r --teleport
    --worktree -w
    """.split()  # noqa: SIM905 - as above
)
_RUNTIMES = frozenset(["node", "nodejs", "bun", "deno"])


class Plan:
    """What is to be done with a command."""

    __slots__ = ("followed", "relayed", "stdin_messages", "stdout_messages")

    def __init__(
        self,
        *,
        relayed: bool,
        followed: bool = False,
        stdin_messages: bool = False,
        stdout_messages: bool = False,
    ) -> None:
        """``relayed``: whether the wrapper stays between; else it becomes the command.

        ``followed``: whether a recorder is to be left beside the command that it becomes.
        ``stdin_messages``, ``stdout_messages``: whether the command line says that the stream carries messages
        (``--input-format``, ``--output-format stream-json``).
        """
        self.relayed = relayed
        self.followed = followed
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
    arguments = command[1:] if is_claude else _claude_arguments(command)
    if arguments is None:
        return become if stdin_is_terminal or stdout_is_terminal else relay
    options, operand = _parse(arguments)
    prints = not _PRINT.isdisjoint(options)
    if not _NO_SESSION.isdisjoint(options) or (operand in _SUBCOMMANDS and not prints):
        return become
    if prints or not stdout_is_terminal or _runs_headless(options):
        return relay
    return Plan(relayed=False, followed=True)


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


def _parse(arguments: Sequence[str]) -> tuple[set[str], str | None]:
    """Return the options of a call of ``claude``, without their values, and its first operand.

    Joined short options (``-pc``) are options as well, but a ``-p`` among them is not one that Claude Code goes by when
    it chooses between printing and its screen: it is left out.
    """
    options: set[str] = set()
    operand = None
    index = 0
    while index < len(arguments):
        word = arguments[index]
        index += 1
        if word == "--":
            return options, next(iter(arguments[index:]), None) if operand is None else operand
        if not _is_option(word):
            operand = word if operand is None else operand
        elif word[1] != "-" and len(word) > 2:
            last, joined = _split_joined(word)
            options |= joined - _PRINT
            index = _after_value(last, arguments, index)
        else:
            options.add(word)
            index = _after_value(word, arguments, index)
    return options, operand


def _is_option(word: str) -> bool:
    return len(word) > 1 and word.startswith("-")


def _split_joined(word: str) -> tuple[str, set[str]]:
    """Return the options that are joined in one word, and the last of them if its value is yet to come, else ``""``."""
    options: set[str] = set()
    for index, letter in enumerate(word[1:], 2):
        option = f"-{letter}"
        options.add(option)
        if option in _VALUE_OPTIONS or option in _OPTIONAL_VALUE_OPTIONS:
            return (option if index == len(word) else ""), options
    return "", options


def _after_value(option: str, arguments: Sequence[str], index: int) -> int:
    """Return where the values of ``option`` end, which begin at ``index``."""
    if option in _VALUE_OPTIONS:
        return index + 1
    if option in _OPTIONAL_VALUE_OPTIONS:
        return index + (index < len(arguments) and not _is_option(arguments[index]))
    if option in _LIST_OPTIONS:
        index += 1
        while index < len(arguments) and not _is_option(arguments[index]):
            index += 1
    return index


def _runs_headless(options: set[str]) -> bool:
    """Whether Claude Code prints although it was not told to (an undocumented way that editors take)."""
    return "--init-only" in options or any(option.startswith("--sdk-url") for option in options)
