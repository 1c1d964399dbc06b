"""What is known of the permission rules of a session, and which of them may have allowed a shell command.

Claude Code 2.1.330 takes a shell command apart, and says of one that it ran without asking only that each part was
allowed (``subcommandResults``): because it changes nothing, by the mode, or by a rule. The command tells which, where
its parts are plain and the rules are known. Which commands change nothing, and which the mode ``acceptEdits`` allows,
was seen with that release; a program that may write by one of its options is not among the former.
"""

from __future__ import annotations

import json
import re
import shlex
from typing import TYPE_CHECKING, Any

import msgspec

from proxy.claude_command import Call, guess
from proxy.events.fields import inner, items, text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from proxy.events.approved_calls import By

_CHANGE_NOTHING = frozenset(
    """
    [ basename cat cd cmp comm cut df diff dirname du echo egrep expr false fgrep grep groups head id jq ls md5sum nl
    nproc od paste printf ps pwd readlink realpath rev seq sha1sum sha256sum sleep stat strings tac tail test tr true
    type uname uptime wc which whoami
    """.split()  # noqa: SIM905 - a list would fill a screen
)
_GIT_CHANGES_NOTHING = frozenset(("diff", "log", "ls-files", "rev-parse", "show", "status"))
_ACCEPT_EDITS = frozenset(("cp", "mkdir", "mv", "rm", "rmdir", "touch"))
_HARMLESS_REDIRECTION = re.compile(r"\d?>(?:&\d|\s?/dev/null)(?=\s|[;|&]|$)")
_RULE_FOR_COMMANDS = re.compile(r"Bash\((.*?)([: ]\*)?\)", re.DOTALL)
_RULE = re.compile(r"[^\s,(]+(?:\([^)]*\))?")
"""One of the rules in a word: commas and spaces separate them, except in parentheses."""
_LONGEST_COMMAND = 10_000
"""Characters: what is longer is a program, and no list of plain commands."""
_MOST_RULES = 1000
"""More than people write; a hostile answer must not fill the memory."""


class KnownRules(msgspec.Struct, omit_defaults=True):
    """Rules of the command line; of all sources, as soon as Claude Code has listed them."""

    allow: list[str] = []
    deny: list[str] = []

    @classmethod
    def of_command(cls, command: Sequence[str]) -> KnownRules:
        """Return those that a command line gives."""
        call = guess(command)
        settings = inner(_settings(call), "permissions")
        return cls(
            _stated(call, "--allowedTools", "--allowed-tools") + _texts(settings.get("allow")),
            _stated(call, "--disallowedTools", "--disallowed-tools") + _texts(settings.get("deny")),
        )

    def listed(self, payload: dict[str, Any]) -> None:
        """Take Claude Code's answer to ``list_permission_rules``."""
        found: dict[str, list[str]] = {"allow": [], "deny": []}
        for one in items(inner(payload, "state"), "rules"):
            behavior, rule = text(one, "behavior"), text(one, "rule")
            if behavior in found and rule and len(found[behavior]) < _MOST_RULES:
                found[behavior].append(rule)
        self.allow, self.deny = found["allow"], found["deny"]

    def denies_tool(self, tool: str) -> bool:
        """Tell whether a rule denies all calls of a tool: Claude Code then says that there is no such tool."""
        server, _, _ = tool.removeprefix("mcp__").partition("__")
        names = {tool, "*"}
        if tool.startswith("mcp__"):
            names |= {f"mcp__{server}", f"mcp__{server}__*"}
        return not names.isdisjoint(self.deny)

    def allows_command(self, part: Sequence[str]) -> bool:
        """Tell whether a rule that is known allows a plain command."""
        command = " ".join(part)
        for rule in self.allow:
            if rule in ("Bash", "Bash(*)"):
                return True
            if found := _RULE_FOR_COMMANDS.fullmatch(rule):
                wanted, is_prefix = found[1], found[2] is not None
                if command == wanted or (is_prefix and command.startswith(f"{wanted} ")):
                    return True
        return False


def by_parts(command: str | None, mode: str | None, rules: KnownRules) -> By:
    """Return by what a shell command was allowed of which each part is; ``unknown`` where that is not sure."""
    parts = None if command is None else _parts(command)
    if parts is None:
        return "unknown"
    rest = [part for part in parts if not _changes_nothing(part)]
    if not rest:
        return "harmless"
    if mode == "acceptEdits":
        rest = [part for part in rest if part[0] not in _ACCEPT_EDITS]
        if not rest:
            return "mode"
    return "rule" if all(rules.allows_command(part) for part in rest) else "unknown"


def _changes_nothing(part: Sequence[str]) -> bool:
    if part[0] == "git":
        writes = any(word.startswith(("--output", "-o", "--ext-diff")) for word in part)
        return len(part) > 1 and part[1] in _GIT_CHANGES_NOTHING and not writes
    return part[0] in _CHANGE_NOTHING


def _parts(command: str) -> list[list[str]] | None:
    """Return the words of each simple command, None where the command has more than pipes and lists of them.

    `proxy.policy.shell` takes apart any command. It does not do here: what is more than a list of plain commands is to
    stay unknown, and each reader of a session would pay for its grammar (14 ms to import, twice the time a command).
    """
    plain = _HARMLESS_REDIRECTION.sub(" ", command)
    if len(plain) > _LONGEST_COMMAND or any(mark in plain for mark in ("`", "$(", "<(", "\n")):
        return None
    lexer = shlex.shlex(plain, posix=True, punctuation_chars=True)
    lexer.commenters = ""
    parts: list[list[str]] = [[]]
    word = ""
    try:
        for word in lexer:
            if word in ("|", "||", "&&", ";"):
                parts.append([])
            elif word and not word.strip("();<>|&"):
                return None
            else:
                parts[-1].append(word)
    except ValueError:  # a quote that is not closed
        return None
    if word == ";":  # at the end nothing need follow
        parts.pop()
    return parts if parts and all(parts) else None


def _stated(call: Call, *options: str) -> list[str]:
    values = [value for option in options for value in call.lists.get(option, ())]
    return [rule for value in values for rule in _RULE.findall(value)[:_MOST_RULES]]


def _settings(call: Call) -> dict[str, Any]:
    try:
        found = json.loads(call.values.get("--settings", ""))
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _texts(found: object) -> list[str]:
    return [one for one in found if isinstance(one, str)][:_MOST_RULES] if isinstance(found, list) else []
