"""A policy file and its rules.

    permissions:
      deny: ["Bash(rm *)", "Read(.env)"]
      ask: ["WebFetch"]
      allow: ["Bash(git *)", "Edit(src/**)"]
    report: ["Bash(curl *)"]       # never enforced, only reported
    tools_known: ["NotebookEdit"]
    shadow: true                   # in force for nothing: `--policy` only reports

YAML or JSON. ``permissions`` is Claude Code's own block.
"""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import yaml

from proxy.nearest import meant

Behavior = Literal["deny", "ask", "report", "allow"]

FILE_RULES = frozenset({"Read", "Edit"})
"""The names that rules with a path have; `Edit` is for all tools that write files, `Read` for all that read them."""
READERS = frozenset({"Read", "Grep", "Glob", "LS", "NotebookRead"})
WRITERS = frozenset({"Edit", "Write", "MultiEdit", "NotebookEdit"})

_RULE = re.compile(r"(?P<tool>\*|[A-Za-z_][A-Za-z0-9_.*-]*)(?:\((?P<specifier>.*)\))?", re.DOTALL)
_KEYS = ("permissions", "report", "tools_known", "shadow")
_LISTS = ("deny", "ask", "allow")
# What else Claude Code takes in the block; none of it is a rule.
_OTHER = ("defaultMode", "additionalDirectories", "disableBypassPermissionsMode", "disableAutoMode")


class PolicyError(ValueError):
    """A policy file cannot be used; says what to change."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: a tool, and what of it; without a specifier, all of it."""

    text: str
    tool: str
    specifier: str | None

    @classmethod
    def parse(cls, text: str) -> "Rule":
        """Return the rule that a text stands for. PolicyError: it stands for none."""
        match = _RULE.fullmatch(text.strip())
        if match is None:
            raise PolicyError(
                f"{text!r} is no rule; a rule is TOOL or TOOL(SPECIFIER), as in Bash(npm run *)"
            )
        specifier = match["specifier"] or "*"
        return cls(text, match["tool"], None if specifier == "*" else specifier)


@dataclass(frozen=True, slots=True)
class Policy:
    """The rules of a file, in the order in which Claude Code asks them: the first list with a match decides."""

    deny: tuple[Rule, ...] = ()
    ask: tuple[Rule, ...] = ()
    report: tuple[Rule, ...] = ()
    allow: tuple[Rule, ...] = ()
    tools_known: frozenset[str] = frozenset()
    shadow: bool = False
    permissions: dict[str, Any] = field(default_factory=dict)
    """The block as it is given to Claude Code."""
    sha256: str = ""
    """Of the file."""

    def rules(self) -> Iterator[tuple[Behavior, Rule]]:
        """Yield all rules with what they do."""
        for behavior in get_args(Behavior):
            for rule in getattr(self, behavior):
                yield behavior, rule

    def never_matching(self, tools: frozenset[str] | None = None) -> Iterator[tuple[Rule, str]]:
        """Yield rules that cannot match any call, each with the reason; ``tools``: all that there are, if known."""
        for _, rule in self.rules():
            if reason := _cannot_match(rule, None if tools is None else tools | self.tools_known):
                yield rule, reason


def load(path: str) -> Policy:
    """Return the policy of a file. PolicyError: there is none in it, or it cannot be read."""
    try:
        with open(path, "rb") as file:
            content = file.read()
        document = yaml.safe_load(content)
    except OSError as error:
        raise PolicyError(f"cannot read the policy {path}: {error.strerror}") from error
    except RecursionError:
        raise PolicyError(f"the policy {path} cannot be used: it is nested too deeply") from None
    except (yaml.YAMLError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise PolicyError(f"the policy {path} is neither YAML nor JSON: {reason}") from error
    try:
        return _policy(document, hashlib.sha256(content).hexdigest())
    except PolicyError as error:
        raise PolicyError(f"the policy {path} cannot be used: {error}") from None


def _policy(document: object, sha256: str) -> Policy:
    if not isinstance(document, dict) or not isinstance(document.get("permissions"), dict):
        raise PolicyError("it needs `permissions` with lists `deny`, `ask` or `allow`")
    _known(document, _KEYS)
    permissions = document["permissions"]
    _known(permissions, (*_LISTS, *_OTHER))
    lists = {name: _rules(permissions, name) for name in _LISTS} | {"report": _rules(document, "report")}
    if not any(lists.values()):
        raise PolicyError("it has no rule")
    known = document.get("tools_known", [])
    if not isinstance(known, list) or not all(isinstance(name, str) for name in known):
        raise PolicyError("`tools_known` is no list of names")
    shadow = document.get("shadow", False)
    if not isinstance(shadow, bool):
        raise PolicyError("`shadow` is neither true nor false")
    tools = frozenset(known)
    return Policy(**lists, tools_known=tools, shadow=shadow, permissions=permissions, sha256=sha256)


def _rules(block: dict[str, Any], name: str) -> tuple[Rule, ...]:
    rules = block.get(name) or []
    if not isinstance(rules, list) or not all(isinstance(rule, str) for rule in rules):
        raise PolicyError(f"`{name}` is no list of rules, each a text such as Bash(npm run *)")
    return tuple(map(Rule.parse, rules))


def _known(block: dict[Any, Any], keys: tuple[str, ...]) -> None:
    for key in block:
        if key not in keys:
            hint = meant(str(key), keys, f"it takes {', '.join(keys)}")
            raise PolicyError(f"it has an unknown key {key}; {hint}")


def _cannot_match(rule: Rule, tools: frozenset[str] | None) -> str | None:
    name, specifier = rule.tool, rule.specifier
    if specifier is not None:
        if name in (READERS | WRITERS) - FILE_RULES:
            kind = "Read" if name in READERS else "Edit"
            return f"Claude Code matches paths by {kind}(...) alone: write {kind}({specifier})"
        if name == "WebFetch" and not specifier.startswith("domain:"):
            return f"it takes a domain: write WebFetch(domain:{specifier})"
        if name.startswith("mcp__"):
            return "rules for MCP tools take no specifier"
    if tools is not None and not name.startswith("mcp__") and "*" not in name and name not in tools:
        return "no session that was looked at has such a tool"
    return None
