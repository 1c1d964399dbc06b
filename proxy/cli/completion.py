"""``claude-proxy completion SHELL``: what lets a shell complete subcommands, options, sessions and files.

The script is made by `shtab` from the same parsers that read the words, so that it knows all of them and nothing else.
"""

import argparse
from typing import Any

from proxy.cli.arguments import Parser, option, parser_of
from proxy.cli.subcommands import SUBCOMMANDS
from proxy.options import OPTIONS
from proxy.sessions import catalogue

_SHELLS = ("bash", "zsh", "fish")
_SESSIONS = "sessions"
"""In place of a shell: print what SESSION may be, which is what the script asks for."""
_FILES = ("FILE", "PATH", "ARCHIVE", "WRAPPER")
_MOST = 200
"""Sessions that are offered, the newest: a list that nobody can look through helps nobody."""


def completion_options(parser: argparse.ArgumentParser) -> None:
    """Print a script that lets a shell complete the words of claude-proxy.

    Examples:
        claude-proxy completion bash > ~/.local/share/bash-completion/completions/claude-proxy
        claude-proxy completion zsh > ~/.zfunc/_claude-proxy       # a folder of $fpath, before compinit
        claude-proxy completion fish > ~/.config/fish/completions/claude-proxy.fish
    """
    option(parser, "shell bash|zsh|fish: the shell", choices=(*_SHELLS, _SESSIONS))


def run_completion(arguments: argparse.Namespace) -> None:
    """Print the script, or the sessions."""
    if arguments.shell == _SESSIONS:
        print("\n".join(["latest", *catalogue.list_logs(arguments.data_dir)[:_MOST]]))
        return
    import shtab  # noqa: PLC0415 - which a completion of sessions does without

    print(shtab.complete(_whole(), arguments.shell))


def _whole() -> Parser:
    """Return a parser of everything (`app` makes one of what is called), which says what each word may be."""
    import shtab  # noqa: PLC0415 - as above

    parser = Parser(prog="claude-proxy")
    parser.add_argument("--version", action="version", help="print the version")
    for ours in OPTIONS.values():
        option(parser, f"--{ours.name} {ours.takes}: {ours.help}", choices=ours.choices or None)
    subparsers = parser.add_subparsers(metavar="SUBCOMMAND")
    actions: list[Any] = [*parser._actions]
    for name, (_, summary) in SUBCOMMANDS.items():
        one = parser_of(name)
        subparsers.add_parser(name, parents=[one], add_help=False, help=summary)
        actions += one._actions
    sessions = shtab.cmd("claude-proxy completion sessions 2>/dev/null")
    words = {"SESSION": sessions, "DIR": shtab.DIRECTORY, **dict.fromkeys(_FILES, shtab.FILE)}
    for action in actions:
        if action.metavar in words:
            action.complete = words[action.metavar]
    return parser
