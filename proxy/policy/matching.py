"""Whether a rule covers a call."""

import os.path
import re
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache, cached_property
from typing import Any, Literal, NamedTuple
from urllib.parse import urlsplit

from pathspec import GitIgnoreSpec

from proxy.policy.rules import READERS, WRITERS, Policy, Rule
from proxy.policy.shell import Command, Parsed, parse

_PATHS = ("file_path", "path", "notebook_path")
_SUBAGENT = ("subagent_type", "name")
_NAMED_BY = {"Agent": _SUBAGENT, "Task": _SUBAGENT, "Skill": ("skill", "command", "name")}
_SAME = {"Task": "Agent"}
"""Tools that were renamed: rules with the old name hold for the new one, and the other way round."""
_READING = re.compile(
    "cat|head|tail|less|more|bat|grep|rg|sed|awk|wc|sort|uniq|cut|diff|nl|od|xxd|hexdump|strings|base64|jq|yq|file|stat"
    "|md5sum|sha256sum|source|[.]"
)
_WRITING = re.compile("rm|rmdir|mv|cp|touch|tee|truncate|ln|install|dd|chmod|chown|shred|unlink")
"""Programs whose arguments are files that they read, or that they write."""

Verdict = Literal["deny", "ask", "report", "allow", "unknown", "none"]


@dataclass(frozen=True)
class Call:
    """A call of a tool, and where it was made. ``home``: of whoever ran it, for rules with ``~``."""

    tool: str
    input: dict[str, Any]
    cwd: str | None = None
    home: str | None = None

    @cached_property
    def shell(self) -> Parsed | None:
        """The commands of a call of Bash; None for another tool."""
        command = self.input.get("command")
        return parse(command) if self.tool == "Bash" and isinstance(command, str) else None

    @cached_property
    def paths(self) -> tuple[list[str], list[str]]:
        """The files that the call reads, and those that it writes, as far as its input tells."""
        named = [path for key in _PATHS if isinstance(path := self.input.get(key), str)]
        if self.tool in READERS:
            return named, []
        if self.tool in WRITERS:
            return [], named
        reads: list[str] = []
        writes: list[str] = []
        for command in self.shell.commands if self.shell else ():
            reads += command.reads
            writes += command.writes
            for words in command.unwrapped(transparent=False):
                files = [word for word in words[1:] if not word.startswith("-")]
                reads += files if _READING.fullmatch(words[0]) else []
                writes += files if _WRITING.fullmatch(words[0]) else []
        return reads, writes

    @cached_property
    def expanded(self) -> frozenset[str]:
        """Words of a shell command that stand for others."""
        return frozenset(word for one in (self.shell.commands if self.shell else ()) for word in one.expanded)


class Decision(NamedTuple):
    """What a policy says of a call, and by which rule; ``unknown``: a rule may match, and it cannot be told."""

    verdict: Verdict
    rule: str | None = None


def decide(policy: Policy, call: Call) -> Decision:
    """Return what a policy says of a call."""
    unknown: Rule | None = None
    for behavior, rule in policy.rules():
        if behavior == "allow":
            break
        matched = _restricts(rule, call)
        if matched:
            return Decision(behavior, rule.text)
        if matched is None:
            unknown = unknown or rule
    if unknown is not None:
        return Decision("unknown", unknown.text)
    parts = covering(policy.allow, call)
    if parts and all(parts):
        return Decision("allow", policy.allow[min(parts[0])].text)
    return Decision("none")


def _restricts(rule: Rule, call: Call) -> bool | None:
    """Tell whether a rule that forbids matches: for Bash, any of the commands. None: it cannot be told."""
    if rule.specifier is not None and rule.tool in ("Read", "Edit"):
        reads, writes = call.paths
        # What must not be read must not be written either, as Claude Code has it.
        return _any_path(rule.specifier, [*reads, *writes] if rule.tool == "Read" else writes, call)
    if not _is_tool(rule, call.tool):
        return False
    if rule.specifier is None:
        return True
    if call.shell is not None:
        commands = call.shell.commands
        matches = any(_command_matches(rule.specifier, one, transparent=False) for one in commands)
        return True if matches else False if call.shell.is_complete else None
    return _specifier_matches(rule.specifier, call)


def covering(rules: tuple[Rule, ...], call: Call) -> list[set[int]]:
    """Return which of some rules that allow cover each part of a call: of Bash each command, of others the call.

    Nothing where a command cannot be taken apart, and no rule covers all of Bash.
    """
    whole = {at for at, rule in enumerate(rules) if rule.specifier is None and _is_tool(rule, call.tool)}
    if call.shell is None:
        return [whole | {at for at, rule in enumerate(rules) if _allows_some(rule, call)}]
    patterns = {at: rule.specifier for at, rule in enumerate(rules) if rule.tool == "Bash" and rule.specifier}
    commands = [one for one in call.shell.commands if one.words] if call.shell.is_complete else []
    parts = [
        whole
        | {at for at, specifier in patterns.items() if _command_matches(specifier, one, transparent=True)}
        for one in commands
    ]
    return parts or ([whole] if whole else [])


def _allows_some(rule: Rule, call: Call) -> bool:
    if rule.specifier is None:
        return False
    if rule.tool in ("Read", "Edit"):
        reads, writes = call.paths
        paths = reads if rule.tool == "Read" else writes
        return bool(paths) and all(_any_path(rule.specifier, [path], call) for path in paths)
    return _is_tool(rule, call.tool) and bool(_specifier_matches(rule.specifier, call))


def _is_tool(rule: Rule, tool: str) -> bool:
    name = _SAME.get(rule.tool, rule.tool)
    if tool in {"Edit": WRITERS, "Read": READERS}.get(name, ()):
        return True
    if tool.startswith("mcp__") and name.startswith("mcp__") and name.count("__") == 1:
        return tool.startswith(f"{name}__")  # a server: all its tools
    return fnmatchcase(_SAME.get(tool, tool), name)


def _specifier_matches(specifier: str, call: Call) -> bool | None:
    if call.tool == "WebFetch":
        return _is_domain(specifier, call.input.get("url"))
    for key in _NAMED_BY.get(call.tool, ()):
        if isinstance(name := call.input.get(key), str):
            return _pattern(specifier).fullmatch(name) is not None
    return None


def _is_domain(specifier: str, url: object) -> bool | None:
    host = host_of(url)
    if not specifier.startswith("domain:") or host is None:
        return None
    return fnmatchcase(host, specifier.removeprefix("domain:").lower())


def host_of(url: object) -> str | None:
    """Return the host of a URL in small letters, empty where it names none; None where it is no URL."""
    if not isinstance(url, str):
        return None
    try:
        return urlsplit(url if "://" in url else f"https://{url}").hostname or ""
    except ValueError:
        return None


def _command_matches(specifier: str, command: Command, *, transparent: bool) -> bool:
    pattern = _pattern(specifier)
    texts = (" ".join(words) for words in command.unwrapped(transparent=transparent))
    return any(pattern.fullmatch(text) for text in (command.text, *texts))


@cache
def _pattern(specifier: str) -> re.Pattern[str]:
    """Return the expression of a specifier: `*` stands for anything, at the end behind a space also for nothing."""
    specifier = specifier.removesuffix(":*") + " *" if specifier.endswith(":*") else specifier
    text = " ".join(specifier.split()) if "\n" not in specifier else specifier
    head = text.removesuffix(" *")
    first, *others = map(re.escape, head.split("*"))
    # The first place where a part fits is as good as any other but for the last part's; looking for others would take
    # time by a power of the length.
    within = "".join(f"(?>.*?{part})" for part in others[:-1])
    last = "".join(f".*{part}" for part in others[-1:])
    return re.compile(first + within + last + (r"(?:\s.*)?" if head != text else ""), re.DOTALL)


# -- paths -----------------------------------------------------------------------------------------------------


def _any_path(specifier: str, paths: Iterable[str], call: Call) -> bool | None:
    found: bool | None = False
    for path in paths:
        root, pattern = _root(specifier, call)
        whole = _absolute(path, call)
        if root is None or whole is None:
            found = None  # nobody recorded where the session ran
            continue
        inside = os.path.relpath(whole, root)
        if not inside.startswith("..") and _ignore(pattern).match_file(inside):
            return True
        if path in call.expanded and _may_stand_for(path, pattern):
            found = None
    return found


def _may_stand_for(word: str, pattern: str) -> bool:
    """Tell whether a word of a shell may stand for a file that a pattern of gitignore matches."""
    name, file = word.rpartition("/")[2], pattern.rpartition("/")[2]
    if any(mark in word for mark in "$`{") or not file or any(mark in file for mark in "*?["):
        return True
    return fnmatchcase(file, name) and (name.startswith(".") or not file.startswith("."))


def _root(specifier: str, call: Call) -> tuple[str | None, str]:
    """Return the folder that a path of a rule is relative to, and the rest in the syntax of gitignore."""
    if specifier.startswith("//"):
        return "/", specifier[1:]
    if specifier.startswith("~/"):
        return call.home, specifier[1:]
    return call.cwd, specifier.removeprefix("./") if specifier.startswith("./") else specifier


def _absolute(path: str, call: Call) -> str | None:
    if path.startswith("~/"):
        return None if call.home is None else os.path.normpath(call.home + path[1:])
    if not path.startswith("/"):
        return None if call.cwd is None else os.path.normpath(os.path.join(call.cwd, path))
    return os.path.normpath(path)


@cache
def _ignore(pattern: str) -> GitIgnoreSpec:
    return GitIgnoreSpec.from_lines([pattern])


def home_of(cwd: str | None) -> str | None:
    """Return the home that a working directory is in, by where homes are; None where it is in none of those."""
    match = re.match(r"(/root|/(?:home|Users)/[^/]+)(?:/|$)", cwd or "")
    return match[1] if match else None
