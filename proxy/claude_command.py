"""The command line of Claude Code: which words run it, and what its options and its prompt are.

Imported before a wrapped command starts, so it imports nothing but `os`.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False  # `typing` takes long to import, and the command waits
if TYPE_CHECKING:
    from collections.abc import Sequence

# How Claude Code 2.1.332 reads its own command line, hidden options included, and the subcommands of earlier releases.
_SUBCOMMANDS = frozenset(
    """
    agents attach auth auto-mode completion config daemon doctor export gateway import install kill log logs mcp
    migrate-installer open plugin plugins project purge remote-control respawn rm rollback server setup-token stop
    ultrareview update upgrade
    """.split()  # noqa: SIM905 - a list would fill a screen
)
_NO_SESSION = frozenset(["--version", "-v", "-V", "--help", "-h", "--bg", "--background", "--desktop"])
_PRINT = frozenset(["-p", "--print"])
_HEADLESS = frozenset(["--init-only", "--sdk-url"])
_RESUMING = frozenset(["--resume", "-r", "--continue", "-c", "--from-pr", "--teleport"])
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
_TAKE_VALUES = _VALUE_OPTIONS | _LIST_OPTIONS | _OPTIONAL_VALUE_OPTIONS
_RUNTIMES = frozenset(["node", "nodejs", "bun", "deno"])


class Call:
    """A call of ``claude``: its options, the last value of each that has one, all values of lists, its first operand.

    Joined short options (``-pc``) are options as well, but a ``-p`` among them is not one that Claude Code goes by when
    it chooses between printing and its screen: it is left out.
    """

    __slots__ = ("lists", "operand", "options", "values")

    def __init__(self, arguments: Sequence[str]) -> None:
        """Read the words behind the program's name."""
        self.options: set[str] = set()
        self.values: dict[str, str] = {}
        self.lists: dict[str, list[str]] = {}
        self.operand: str | None = None
        index = 0
        while index < len(arguments):
            word = arguments[index]
            index += 1
            if word == "--":
                if self.operand is None:
                    self.operand = next(iter(arguments[index:]), None)
                return
            if not _is_option(word):
                self.operand = word if self.operand is None else self.operand
            else:
                index = self._option(word, arguments, index)

    @property
    def is_print(self) -> bool:
        """Whether it is told to print its answer instead of showing its screen."""
        return not _PRINT.isdisjoint(self.options)

    @property
    def is_headless(self) -> bool:
        """Whether it prints although it was not told to (an undocumented way that editors take)."""
        return not _HEADLESS.isdisjoint(self.options)

    @property
    def resumes(self) -> bool:
        """Whether it goes on with a conversation that another process has begun."""
        return not _RESUMING.isdisjoint(self.options)

    @property
    def is_session(self) -> bool:
        """Whether it is more than a question to the program, such as ``--version``, or a subcommand."""
        return _NO_SESSION.isdisjoint(self.options) and (self.is_print or self.operand not in _SUBCOMMANDS)

    @property
    def output_format(self) -> str:
        """What a printing session writes: ``text``, ``json`` or ``stream-json``."""
        return self.values.get("--output-format", "text")

    @property
    def text_streams(self) -> frozenset[str]:
        """The streams of a printing session that carry text: it may look like a message, and is none."""
        if self.is_headless:
            return frozenset()
        formats = (("stdin", self.values.get("--input-format", "text")), ("stdout", self.output_format))
        return frozenset(stream for stream, format_ in formats if format_ == "text")

    def _option(self, word: str, arguments: Sequence[str], index: int) -> int:
        """Take an option; return where its values end, which begin at ``index``."""
        if word[1] != "-" and len(word) > 2:
            option, joined = _split_joined(word)
            self.options |= joined - _PRINT
        else:
            option, equals, value = word.partition("=")
            if equals and option in _TAKE_VALUES:
                self._value(option, [value])
                self.options.add(option)
                return index
            option = word
            self.options.add(option)
        end = _after_value(option, arguments, index)
        if index < end <= len(arguments):
            self._value(option, arguments[index:end])
        return end

    def _value(self, option: str, words: Sequence[str]) -> None:
        self.values[option] = words[0]
        if option in _LIST_OPTIONS:
            self.lists.setdefault(option, []).extend(words)


def read(command: Sequence[str], *, is_claude: bool = False) -> Call | None:
    """Return the call of ``claude`` that a command (program and arguments) is; None if it runs something else.

    ``is_claude``: the program is one, whatever its name. Else it is known by its name, directly or as a script of a
    JavaScript runtime.
    """
    if is_claude or (command and _is_claude(command[0])):
        return Call(command[1:])
    if command and os.path.basename(command[0]) in _RUNTIMES:
        for index, word in enumerate(command[1:], 2):
            if not word.startswith("-"):
                return Call(command[index:]) if _is_claude(word) or "claude-code" in word else None
    return None


def guess(command: Sequence[str]) -> Call:
    """Return the call of ``claude`` that a command is, or that stands behind its first ``--``.

    Of another program, which may run it, the words from the first option on.
    """
    behind = command[command.index("--") + 1 :] if "--" in command else ()
    first = next((index for index, word in enumerate(command) if _is_option(word)), len(command))
    return read(command) or read(behind) or Call(command[first:])


def _is_claude(program: str) -> bool:
    folder, name = os.path.split(program)
    # The native installer keeps the program as ~/.local/share/claude/versions/2.1.330.
    if name in ("claude", "claude.exe") or folder.endswith("/claude/versions"):
        return True
    return name == "cli.js" and folder.endswith("/claude-code")  # npm's, which can be run by itself


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
