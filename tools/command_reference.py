"""Writes the reference of the command line: ``python -m tools.command_reference`` writes ``docs/commands.md``.

It is made from the same parsers that read the words. A test holds it current.
"""

from __future__ import annotations

import argparse
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

from proxy.cli.arguments import parser_of
from proxy.cli.manual import EXIT_STATUS
from proxy.cli.subcommands import GROUPS
from proxy.options import OPTIONS

if TYPE_CHECKING:
    from collections.abc import Iterator

_WIDTH = 120
TARGET = Path(__file__).parents[1] / "docs/commands.md"
_HEAD = f"""\
# The command line

    claude-proxy [OPTIONS] [--] COMMAND [ARG...]    run COMMAND, usually `claude`, and record it
    claude-proxy SUBCOMMAND ...                     read what was recorded, and more

Everything after COMMAND belongs to COMMAND. `--` may be left out where COMMAND is no name of a subcommand. SESSION is
an id, the beginning of one, `latest`, or the path of a log.

{textwrap.fill(EXIT_STATUS, 120)}

`claude-proxy help SUBCOMMAND` prints what stands here. This page is made from the program:
`python -m tools.command_reference`.

## Options

Before COMMAND, before or after SUBCOMMAND, or in the environment. An option beats its variable, that beats the
[configuration file](configuration.md), and that the default.

| option | variable | meaning |
| --- | --- | --- |
"""


def reference() -> str:
    """Return the page."""
    rows = [
        f"| `--{option.name} {_cell(option.takes)}` | {f'`{option.variable}`' if option.variable else 'none'} "
        f"| {_cell(option.help)} |\n"
        for option in OPTIONS.values()
    ]
    parts = [_HEAD + "".join(rows)]
    for title, group in GROUPS.items():
        parts.append(f"## {title}\n")
        parts += ["\n".join(_section(name)) for name in group]
    return "\n".join(parts)


def _section(name: str) -> Iterator[str]:
    parser = parser_of(name)
    yield f"### {name}\n"
    yield textwrap.fill(parser.description or "", _WIDTH) + "\n"
    yield from _arguments(parser, f"claude-proxy {name}")
    if "examples:" in (parser.epilog or ""):
        examples = (parser.epilog or "").partition("examples:\n")[2].partition("\n\n")[0]
        yield "\n".join(f"  {line}" for line in examples.splitlines()) + "\n"


def _arguments(parser: argparse.ArgumentParser, called: str) -> Iterator[str]:
    """Yield a table of what a parser takes, and of each verb that it has."""
    rows, verbs = [], []
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            verbs = list(action.choices.items())
        elif not isinstance(action, argparse._HelpAction) and action.help != argparse.SUPPRESS:
            rows.append(f"| `{_cell(_spelled(action))}` | {_cell(action.help or '')} |")
    if rows:
        yield "\n".join([f"| `{called}` | |", "| --- | --- |", *rows]) + "\n"
    for verb, one in verbs:
        yield f"`{called} {verb}`: {one.description or _summary(parser, verb)}\n"
        yield from _arguments(one, f"{called} {verb}")


def _spelled(action: argparse.Action) -> str:
    takes = action.metavar or ("|".join(map(str, action.choices)) if action.choices else action.dest.upper())
    if not action.option_strings:
        return str(takes)
    return ", ".join(action.option_strings) + (f" {takes}" if action.nargs != 0 else "")


def _summary(parser: argparse.ArgumentParser, verb: str) -> str:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            return next((one.help or "" for one in action._choices_actions if one.dest == verb), "")
    return ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    TARGET.write_text(reference())
