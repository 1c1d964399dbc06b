"""The smallest list of allow rules that covers the calls that ran."""

import os.path
import re
from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from proxy.policy.matching import Call, covering, host_of
from proxy.policy.rules import READERS, WRITERS, PolicyError, Rule

_FAMILIES = re.compile(
    "git|gh|glab|npm|npx|pnpm|yarn|bun|deno|node|cargo|rustup|go|dotnet|docker|docker-compose|podman|kubectl|helm"
    "|terraform|aws|gcloud|az|systemctl|pip|uv|poetry|conda|make|just|brew|apt|apt-get|python|python3|bundle"
)
"""Programs whose first argument says what they do: a rule for all that they can do would be a wide one."""
_MOST_EXACT = 3
"""Words of a command that ran in one form alone and gets a rule of its own; longer ones have arguments that change."""


class Suggestion(NamedTuple):
    """Rules that cover what ran, and the calls that no rule can cover: what cannot be taken apart."""

    rules: list[str]
    uncovered: list[Call]


def suggest(calls: Iterable[Call]) -> Suggestion:
    """Return the rules, in order of their text, each of which covers something that no other does."""
    seen = list({(call.tool, call.cwd, repr(call.input)): call for call in calls}.values())
    commands: defaultdict[str, set[tuple[str, ...]]] = defaultdict(set)
    candidates: set[str] = set()
    for call in seen:
        if call.shell is None:
            candidates.update(_rules_for(call))
        elif call.shell.is_complete:
            for command in call.shell.commands:
                if command.words:
                    *_, words = command.unwrapped(transparent=True)
                    commands[_prefix(words)].add(words)
    for prefix, several in commands.items():
        first, *others = several
        is_plain = len(first) <= _MOST_EXACT and set("* \n()").isdisjoint("".join(first))
        is_exact = is_plain and not others
        candidates.add(f"Bash({' '.join(first)})" if is_exact else f"Bash({prefix} *)")
    rules = tuple(map(Rule.parse, sorted(filter(_is_rule, candidates))))
    covered, uncovered = list[set[int]](), list[Call]()
    for call in seen:
        parts = covering(rules, call)
        if parts and all(parts):
            covered += parts
        else:
            uncovered.append(call)
    return Suggestion([rules[at].text for at in _without_superfluous(rules, covered)], uncovered)


def _is_rule(text: str) -> bool:
    """Tell whether a text can stand for a rule: a model may call tools by names that none can have."""
    try:
        Rule.parse(text)
    except PolicyError:
        return False
    return True


def _prefix(words: tuple[str, ...]) -> str:
    """Return the words of a command that say what it does: a program, or one with its verb."""
    said = [words[0]]
    if _FAMILIES.fullmatch(words[0]):
        for word in words[1:3]:
            if word.startswith(("-", "/", ".")):
                break
            said.append(word)
            if word not in ("run", "exec"):
                break
    return " ".join(said)


def _rules_for(call: Call) -> list[str]:
    if call.tool in READERS | WRITERS:
        named = zip(("Read", "Edit"), call.paths, strict=True)
        return [_path_rule(kind, path, call) for kind, paths in named for path in paths] or [call.tool]
    if call.tool == "WebFetch" and (host := host_of(call.input.get("url"))):
        return [f"WebFetch(domain:{host})"]
    if call.tool in ("Agent", "Task") and isinstance(name := call.input.get("subagent_type"), str):
        return [f"Agent({name})"]
    if call.tool == "Skill" and isinstance(name := call.input.get("skill", call.input.get("command")), str):
        return [f"Skill({name})"]
    return [call.tool]


def _path_rule(kind: str, path: str, call: Call) -> str:
    whole = os.path.normpath(os.path.join(call.cwd or "/", path))
    inside = os.path.relpath(whole, call.cwd) if call.cwd else ".."
    if inside.startswith(".."):
        return f"{kind}(/{os.path.dirname(whole).rstrip('/')}/**)"
    if kind == "Read":
        return "Read(./**)"  # what Claude Code may do unasked
    folder, slash, _ = inside.partition("/")
    return f"Edit({folder}/**)" if slash else f"Edit(./{inside})"


def _without_superfluous(rules: tuple[Rule, ...], parts: list[set[int]]) -> list[int]:
    """Return which rules are needed: the fewest of those that cover each part."""
    of_rule: defaultdict[int, list[int]] = defaultdict(list)
    for at, part in enumerate(parts):
        for rule in part:
            of_rule[rule].append(at)
    left = [len(part) for part in parts]
    needed = []
    narrowest_first = sorted(range(len(rules)), key=lambda at: len(rules[at].text), reverse=True)
    for rule in narrowest_first:
        if all(left[at] > 1 for at in of_rule[rule]):
            for at in of_rule[rule]:
                left[at] -= 1
        else:
            needed.append(rule)
    return sorted(needed)
