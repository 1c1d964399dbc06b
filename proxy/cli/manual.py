"""``claude-proxy help`` and ``version``: what there is, and where more is said of it."""

import argparse
import os
import textwrap

import proxy
from proxy.cli.arguments import help_width, option, parser_of
from proxy.cli.options import USAGE
from proxy.cli.subcommands import GROUPS, SUBCOMMANDS
from proxy.options import OPTIONS

_INDENT = 24
_DESCRIPTION = """\
Stands in place of a command, usually `claude`: relays its streams unchanged, judges each message, and records the
session. Everything after COMMAND belongs to COMMAND."""
_EXAMPLES = """\
Examples:
  claude-proxy -- claude -p "hello" --output-format stream-json --verbose
  claude-proxy shim ~/.claude-proxy/bin      # a `claude` that records, for tools that take a path
  claude-proxy show latest                   # the last session, as a conversation
  claude-proxy sessions --outcome failed     # what went wrong
  claude-proxy open                          # all of it in a browser"""
EXIT_STATUS = (
    "Exit status: that of COMMAND, or 127 or 126 if it cannot be run, as in a shell. Of a subcommand: 0; 1 if it did"
    " not complete, or found what its help names; 2 if the command line, the configuration or a SESSION is wrong, with"
    " one line on stderr; 130 if it was interrupted; 141 if the reader of its output is gone."
)


def help_options(parser: argparse.ArgumentParser) -> None:
    """Print this, or how a subcommand is used."""
    option(parser, "subcommand SUBCOMMAND ?: one of them", choices=[*SUBCOMMANDS])
    parser.set_defaults(resolves=False)


def version_options(parser: argparse.ArgumentParser) -> None:
    """Print the version."""
    parser.set_defaults(resolves=False)


def run_help(arguments: argparse.Namespace) -> None:
    """Print the help of the program, or of a subcommand."""
    name = arguments.subcommand
    print((parser_of(name).format_help() if name else help_text()).rstrip("\n"))


def run_version(_: argparse.Namespace) -> None:
    """Print the version."""
    print(f"claude-proxy {proxy.__version__}")


def help_text() -> str:
    """Return the help of the whole program."""
    parts = [USAGE.partition("  (")[0], _filled(_DESCRIPTION)]
    for title, group in GROUPS.items():
        parts.append(_rows(f"{title}:", {name: summary for name, (_, summary) in group.items()}))
    options = {f"--{option.name} {option.takes}": option.help for option in OPTIONS.values()}
    heading = "Options, before COMMAND, before or after SUBCOMMAND (or in the environment: CLAUDE_PROXY_DATA_DIR, ...):"
    parts.append(_rows(heading, {**options, "--version, --help": "print the version, or this"}))
    parts += [_EXAMPLES, _filled(EXIT_STATUS)]
    if folder := docs_folder():
        parts.append(f"Documentation: {folder}")
    return "\n\n".join(parts) + "\n"


def docs_folder() -> str | None:
    """Return where the documentation is: in the installed package, or in the checkout that it is run from."""
    here = os.path.dirname(os.path.abspath(proxy.__file__))
    folders = (os.path.join(here, "docs"), os.path.join(os.path.dirname(here), "docs"))
    return next(
        (folder for folder in folders if os.path.isfile(os.path.join(folder, "configuration.md"))), None
    )


def _filled(text: str) -> str:
    return textwrap.fill(text, help_width())


def _rows(heading: str, rows: dict[str, str]) -> str:
    lines = [_filled(heading)]
    for left, right in rows.items():
        first, *more = textwrap.wrap(right, max(30, help_width() - _INDENT))
        fits = len(left) < _INDENT - 2
        lines += [f"  {left:{_INDENT - 2}}{first}"] if fits else [f"  {left}", " " * _INDENT + first]
        lines += [" " * _INDENT + line for line in more]
    return "\n".join(lines)
