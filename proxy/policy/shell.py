"""The simple commands that a shell command is made of: what permission rules for Bash are about.

The grammar is tree-sitter's; nothing is run or expanded. A command that is only known at run time (``$X``, input piped
into ``sh``) makes the whole incomplete.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import tree_sitter_bash
from tree_sitter import Language, Node, Parser

_DEEPEST = 8
"""Shells within strings within shells that are followed: nobody writes more by hand."""
_MOST_BYTES = 256 * 1024
"""Longer ones are not taken apart: a command line of Linux holds 128 KB a word."""
_MOST_TEXT = 1024 * 1024
"""Characters of all commands together: each holds those within it, so deep nesting would take time by its square."""
_MOST_WRAPPERS = 50
"""Programs in a row, each of which runs the rest: as above."""

# Programs that run the command in their arguments: the options that take a value, and how many words come before it.
# The first group is what Claude Code looks through for allow rules, too.
_TRANSPARENT: dict[str, tuple[frozenset[str], int]] = {
    "timeout": (frozenset(("-k", "--kill-after", "-s", "--signal")), 1),
    "time": (frozenset(("-f", "--format", "-o", "--output")), 0),
    "nice": (frozenset(("-n", "--adjustment")), 0),
    "nohup": (frozenset(), 0),
    "stdbuf": (frozenset(("-i", "-o", "-e", "--input", "--output", "--error")), 0),
}
_WRAPPERS: dict[str, tuple[frozenset[str], int]] = {
    **_TRANSPARENT,
    "env": (frozenset(("-u", "--unset", "-C", "--chdir", "-S", "--split-string")), 0),
    "sudo": (frozenset(("-u", "-g", "-h", "-p", "-C", "-r", "-t", "-T", "-U", "-D", "-R")), 0),
    "doas": (frozenset(("-u", "-C")), 0),
    "command": (frozenset(), 0),
    "builtin": (frozenset(), 0),
    "exec": (frozenset(("-a",)), 0),
    "setsid": (frozenset(), 0),
    "ionice": (frozenset(("-c", "-n", "-p")), 0),
    "xargs": (frozenset(("-n", "-I", "-P", "-L", "-d", "-E", "-s", "-a", "--max-args", "--max-procs")), 0),
}
_EXPANDS = re.compile(rb"(?<!\\)[*?\[{]")
_LETTERS = bytes(range(128)) + b"x" * 128
_SHELLS = frozenset(("sh", "bash", "zsh", "dash", "ksh", "fish"))
_MOST_WITHIN_FIND = 100
"""Commands of one `find`: as above."""
_WITHIN_FIND = frozenset(("-exec", "-execdir", "-ok", "-okdir"))


@dataclass(frozen=True, slots=True)
class Command:
    """One simple command: what was written, its words without quotes, and the files that it redirects from and to.

    A redirection of something else than one simple command has no words.
    """

    text: str
    words: tuple[str, ...]
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    expanded: tuple[str, ...] = ()
    """Those of all these words that stand for others: patterns, variables, substitutions."""

    def unwrapped(self, *, transparent: bool) -> Iterator[tuple[str, ...]]:
        """Yield the words, and those without each program that runs the rest.

        ``transparent``: without those alone that change nothing about what is run.
        """
        words = self.words
        wrappers = _TRANSPARENT if transparent else _WRAPPERS
        for _ in range(_MOST_WRAPPERS):
            if not words:
                return
            yield words
            name = words[0].rpartition("/")[2]
            if not transparent and name != words[0]:
                yield (name, *words[1:])
            if name not in wrappers:
                return
            words = _wrapped(words[1:], *wrappers[name])


@dataclass(frozen=True, slots=True)
class Parsed:
    """The simple commands of a shell command, in the order in which they stand; whether that is all of them."""

    commands: tuple[Command, ...]
    is_complete: bool


def parse(text: str, depth: int = 0) -> Parsed:
    """Take a shell command apart."""
    data = text.encode("utf-8", "replace")
    if depth > _DEEPEST or len(data) > _MOST_BYTES:
        return Parsed((), False)
    return _Source(data, depth).parsed()


@cache
def _parser() -> Parser:
    return Parser(Language(tree_sitter_bash.language()))


class _Source:
    """A command and its syntax tree."""

    def __init__(self, data: bytes, depth: int) -> None:
        self._data = data
        self._depth = depth
        # The grammar's scanner reads beyond its tables at some characters that are not ASCII, and takes the process
        # with it. For the syntax of a shell they are letters, so letters stand in for them.
        self._tree = _parser().parse(data.translate(_LETTERS))

    def parsed(self) -> Parsed:
        root = self._tree.root_node
        commands: list[Command] = []
        is_complete = not root.has_error
        size = 0
        nodes = list(_nodes(root))
        # What a redirection of a command stands in: the command, or what surrounds it.
        around = {
            at.id for one in nodes if one.type == "command" for at in (one, one.parent) if at is not None
        }
        for node in nodes:
            if size > _MOST_TEXT:
                return Parsed(tuple(commands), False)
            if node.type == "command":
                command = self._command(node)
                size += len(command.text)
                is_known = bool(command.words) and _is_literal(node.child_by_field_name("name"))
                inner = _within(command.words, self._depth) if is_known else Parsed((), False)
                commands += (command, *inner.commands)
                is_complete = is_complete and inner.is_complete
            elif node.type == "file_redirect" and (node.parent is None or node.parent.id not in around):
                commands.append(Command(self._text(node), (), *self._redirections([node])))
        return Parsed(tuple(commands), is_complete)

    def _command(self, node: Node) -> Command:
        children, around = node.children, node.parent
        parts = [one for one in children if one.type not in ("variable_assignment", "file_redirect")]
        if around is not None and around.type == "redirected_statement":
            children = [*children, *around.children]
        redirects = [one for one in children if one.type == "file_redirect"]
        words = tuple(word for part in parts if (word := self._word(part)))
        targets = [target for one in redirects if (target := one.child_by_field_name("destination"))]
        expanded = tuple(self._word(one) for one in (*parts, *targets) if not _is_literal(one))
        return Command(self._text(node), words, *self._redirections(redirects), expanded)

    def _redirections(self, redirects: list[Node]) -> tuple[tuple[str, ...], tuple[str, ...]]:
        reads: list[str] = []
        writes: list[str] = []
        for redirect in redirects:
            target = redirect.child_by_field_name("destination")
            operator = next((child.type for child in redirect.children if not child.is_named), "")
            if target is not None and operator not in ("<&", ">&"):  # copies of descriptors, such as 2>&1
                (reads if operator == "<" else writes).append(self._word(target))
        return tuple(reads), tuple(writes)

    def _word(self, node: Node) -> str:
        """Return a word as the command gets it, as far as it is known: an expansion stays as it is written."""
        match node.type:
            case "command_name" | "concatenation":
                return "".join(map(self._word, node.children))
            case "raw_string":
                return self._text(node)[1:-1]
            case "string":
                return self._text(node)[1:-1].replace('\\"', '"')
            case "word":
                return self._text(node).replace("\\\n", "").replace("\\", "")
            case _:
                return self._text(node)

    def _text(self, node: Node) -> str:
        return self._data[node.start_byte : node.end_byte].decode("utf-8", "replace")


def _nodes(root: Node) -> Iterator[Node]:
    """Yield all nodes, in the order in which they stand."""
    waiting = [root]
    while waiting:
        node = waiting.pop()
        yield node
        waiting += reversed(node.children)


def _is_literal(node: Node | None) -> bool:
    """Whether a word stands for itself: without an expansion, a pattern, or braces."""
    return node is not None and not any(
        inner.type in ("simple_expansion", "expansion", "command_substitution", "process_substitution")
        or (inner.type == "word" and _EXPANDS.search(inner.text or b""))
        for inner in _nodes(node)
    )


def _wrapped(words: tuple[str, ...], options: frozenset[str], positional: int) -> tuple[str, ...]:
    """Return the command among the arguments of a program that runs it."""
    at = 0
    while at < len(words):
        word = words[at]
        if word == "--":
            at += 1
            break
        if not word.startswith("-") and not _is_assignment(word):
            break
        at += 2 if word in options else 1
    return words[at + positional :]


def _is_assignment(word: str) -> bool:
    name, equals, _ = word.partition("=")
    return bool(equals) and name.isidentifier()


def _within(words: tuple[str, ...], depth: int) -> Parsed:
    """Return the commands that stand in the arguments of a command: of a shell, of `eval`, of `find`."""
    *_, (name, *arguments) = Command("", words).unwrapped(transparent=False)
    if name == "eval":
        return parse(" ".join(arguments), depth + 1)
    if name in _SHELLS:
        for position, argument in enumerate(arguments):
            if argument.startswith("-") and not argument.startswith("--") and "c" in argument:
                return parse(" ".join(arguments[position + 1 : position + 2]), depth + 1)
        # A script of its own is known by its name; what comes on standard input is not known at all.
        return Parsed((), any(not argument.startswith("-") for argument in arguments))
    if name == "find":
        return _found(arguments, depth)
    has_more = name in _WRAPPERS and bool(_wrapped(tuple(arguments), *_WRAPPERS[name]))
    return Parsed((), not (has_more or name.startswith(("$", "`"))))


def _found(arguments: list[str], depth: int) -> Parsed:
    commands: list[Command] = []
    positions = [at for at, argument in enumerate(arguments) if argument in _WITHIN_FIND]
    is_complete = len(positions) <= _MOST_WITHIN_FIND
    for position in positions[:_MOST_WITHIN_FIND]:
        rest = arguments[position + 1 :]
        words = tuple(rest[: next((i for i, word in enumerate(rest) if word in (";", "+")), len(rest))])
        inner = _within(words, depth + 1) if words else Parsed((), True)
        commands += (Command(" ".join(words), words), *inner.commands)
        is_complete = is_complete and inner.is_complete
    return Parsed(tuple(commands), is_complete)
