"""The words of a subcommand: how they are read, what is said of wrong ones, and its help."""

import argparse
import importlib
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NoReturn

from proxy.cli.errors import UsageError
from proxy.cli.subcommands import SUBCOMMANDS
from proxy.nearest import meant

_WIDEST = 110
"""Columns of help: longer lines are hard to read."""
_MORE = "Options of every subcommand, such as --data-dir and --config: claude-proxy --help"


class Parser(argparse.ArgumentParser):
    """Reads words; what is wrong with them is one UsageError, with the nearest word that is right."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options, formatter_class=_Formatter)

    def parse_words(self, words: Sequence[str]) -> argparse.Namespace:
        """Return what the words say. UsageError: it is wrong."""
        try:
            arguments, strange = self.parse_known_args(words)
        except UsageError:
            self._refuse(self._unknown(words))  # of which the value looked wrong in another place
            raise
        self._refuse(strange)
        return arguments

    def _refuse(self, strange: Sequence[str]) -> None:
        if strange:
            is_option = strange[0].startswith("-")
            what = "unknown option" if is_option else "there is no place for"
            hint = meant(strange[0], self.option_names(), "")
            self.error("; ".join(filter(None, (f"{what} {strange[0]}", hint))))

    def _unknown(self, words: Sequence[str]) -> list[str]:
        """Return long options that neither this parser nor one of its verbs takes."""
        own = words[: words.index("--")] if "--" in words else words
        options = [word.partition("=")[0] for word in own if word.startswith("--")]
        names = self.option_names()
        return [option for option in options if not any(name.startswith(option) for name in names)]

    def option_names(self) -> set[str]:
        """Return the options that it takes, those of its verbs included."""
        names = set(self._option_string_actions)
        for action in self._actions:
            if isinstance(action, argparse._SubParsersAction):
                names |= {name for verb in action.choices.values() for name in verb.option_names()}
        return names

    def error(self, message: str) -> NoReturn:
        """Raise what is wrong."""
        program, _, name = self.prog.partition(" ")
        where = f"{name}: " if name else ""
        raise UsageError(f"{where}{message.removeprefix('argument ')} ({program} {name} --help)")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            known = [str(choice) for choice in action.choices]
            hint = meant(str(value), known, f"it takes {', '.join(known)}")
            raise argparse.ArgumentError(action, f"{value!r} is unknown; {hint}")


class _Formatter(argparse.HelpFormatter):
    """Fills texts as argparse does, and leaves indented lines, such as examples, as they are."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=26, width=help_width())

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        parts = [
            part
            if part.startswith(" ") or "\n " in part
            else super(_Formatter, self)._fill_text(part, width, indent)
            for part in text.split("\n\n")
        ]
        return "\n\n".join(parts)


def help_width() -> int:
    """Return how wide help may be. (By hand: `shutil` takes long to import, and each option asks for this.)"""
    try:
        columns = int(os.environ.get("COLUMNS", "0")) or os.get_terminal_size(1).columns
    except (OSError, ValueError):  # no terminal, or no number
        columns = 80
    return min(_WIDEST, columns - 1)


def add_session(
    parser: argparse._ActionsContainer, nargs: str | None = None, note: str = "", **options: Any
) -> None:
    """Add SESSION, or several by ``nargs``. ``note``: what help says besides what one may be."""
    name = "sessions" if nargs in ("*", "+") else "session"
    what = f"an id, a prefix of one, `latest`, or the path of a log{note}"
    parser.add_argument(name, metavar="SESSION", nargs=nargs, help=what, **options)


def option(
    parser: argparse._ActionsContainer,
    spec: str,
    read: Callable[[str], object] = str,
    default: object = None,
    choices: Iterable[str] | None = None,
) -> None:
    """Add an option as help shows it, ``--name VALUE: what it means``, or a word that it takes, ``name VALUE: ...``.

    Without VALUE it is a flag; with ``VALUE ...`` it may be repeated, a word with ``VALUE ?`` be left out. ``read``
    makes the value of a word.
    """
    head, _, meaning = spec.partition(": ")
    names, *takes = head.split(" ")
    flags, count = names.split("/"), takes[1:]
    if not takes:
        parser.add_argument(*flags, action="store_true", help=meaning)
        return
    more: dict[str, Any] = {"metavar": takes[0], "type": read, "choices": choices, "help": meaning}
    if count == ["..."]:
        more |= {"action": "append", "default": []} if flags[0].startswith("-") else {"nargs": "*"}
    else:
        more |= {"nargs": "?" if count else None, "default": default}
    parser.add_argument(*flags, **more)


def add_verb(verbs: Any, spec: str, run: Callable[[argparse.Namespace], int | None]) -> Parser:
    """Add a verb as help shows it, ``NAME: what it does``, and return the parser of its words."""
    name, _, meaning = spec.partition(": ")
    parser: Parser = verbs.add_parser(name, help=meaning)
    parser.set_defaults(run=run)
    return parser


def some_of(known: Iterable[str]) -> Callable[[str], frozenset[str]]:
    """Return what reads words of a set from a text with commas, for argparse."""
    words = list(known)

    def read(text: str) -> frozenset[str]:
        given = frozenset(filter(None, (word.strip() for word in text.split(","))))
        for word in sorted(given.difference(words)):
            hint = meant(word, words, f"it takes {', '.join(words)}")
            raise argparse.ArgumentTypeError(f"{word!r} is unknown; {hint}")
        return given

    return read


def whole_number(text: str) -> int:
    """Return the number that is meant, for argparse; one that is larger than any count is the largest that can be."""
    if not (text.isascii() and text.isdigit()):
        raise argparse.ArgumentTypeError(f"{text!r}; it takes a whole number from 0")
    return int(text) if len(text) < len(str(sys.maxsize)) else sys.maxsize


def seconds(text: str, takes: str = "a number of seconds") -> float:
    """Return the number that is meant, for argparse; ``takes``: what would be right, in words."""
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number < 10**9:
        raise argparse.ArgumentTypeError(f"{text!r}; it takes {takes} from 0")
    return number


def parser_of(name: str) -> Parser:
    """Return the parser of a subcommand, which its module sets up in ``NAME_options``, whose docstring is the help.

    The module has ``run_NAME``, too, or verbs that have functions of their own; they return the exit status, or nothing
    for 0. It may set as defaults ``arguments``: it takes words behind ``--``; and ``resolves=False``: it reads the
    wrapper's options itself.
    """
    module = importlib.import_module(f"proxy.cli.{SUBCOMMANDS[name][0]}")
    set_up = getattr(module, f"{name}_options")
    text, _, lines = set_up.__doc__.partition("Examples:\n")
    summary, *others = [" ".join(paragraph.split()) for paragraph in text.strip().split("\n\n")]
    examples = [f"  {line.strip()}" for line in lines.strip().splitlines()]
    parser = Parser(
        prog=f"claude-proxy {name}",
        description="\n\n".join([" ".join([summary, *others[:1]]), *others[1:]]),
        epilog="\n\n".join(filter(None, ["\n".join(["examples:", *examples]) if examples else "", _MORE])),
    )
    parser.set_defaults(run=getattr(module, f"run_{name}", None), resolves=True, arguments=None)
    set_up(parser)
    return parser
