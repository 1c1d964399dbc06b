"""The subcommands: everything but wrapping a command. One is imported when it is called."""

from __future__ import annotations

import argparse
import contextlib
import gc
import importlib
import io
import os
import sys
from typing import TYPE_CHECKING, NoReturn, TextIO

from proxy import __version__
from proxy.cli import USAGE, UsageError, complain, listed, resolve
from proxy.cli.subcommands import GROUPS, SUBCOMMANDS
from proxy.options import LISTS, OPTIONS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_DESCRIPTION = """\
Stands in place of a command, usually `claude`: relays its streams unchanged, judges each message, and records the
session. Everything after COMMAND belongs to COMMAND.
"""
_WIDTH = 110
_INDENT = 24
_MORE = "Options of every command, such as --data-dir and --config: claude-proxy --help"


class Parser(argparse.ArgumentParser):
    """Reads the words of a subcommand; what is wrong with them is a UsageError, as everywhere."""

    def error(self, message: str) -> NoReturn:
        """Raise what is wrong."""
        raise UsageError(f"{message}; {self.prog} --help says more")


def run(
    options: Mapping[str, str],
    words: Sequence[str],
    stdin: TextIO | None,
    stdout: TextIO | None,
    stderr: TextIO | None,
) -> int:
    """Run a subcommand, or print what was asked for instead of one; return the exit status.

    ``options`` are those before the subcommand. Raises UsageError.
    """
    with _streams(stdin, stdout, stderr):
        try:
            status = _run(options, words)
            sys.stdout.flush()
            return status
        except SystemExit as error:  # argparse has printed help
            return int(error.code or 0)
        except BrokenPipeError:  # `claude-proxy show latest | head`
            for stream in (sys.stdout, sys.stderr):  # so that nothing is tried again at the end
                with contextlib.suppress(OSError):
                    stream.close()
            return 141
        except OSError as error:
            from proxy.events.formatting import error_message  # noqa: PLC0415 - most commands end well

            return complain(error_message(error), 1, sys.stderr)
        except KeyboardInterrupt:
            return 130


def _run(options: Mapping[str, str], words: Sequence[str]) -> int:
    if "version" in options:
        print(f"claude-proxy {__version__}")
        return 0
    if "help" in options or not words:
        (sys.stdout if "help" in options else sys.stderr).write(help_text())
        return 0 if "help" in options else 2
    # Imports and a short run leave nothing to collect: looking for it would take a tenth of the processor time.
    gc.set_threshold(100_000, 50, 100)
    parser = parser_of(words[0])
    ours, words, behind = _split(words[1:], takes_arguments=parser.get_default("arguments") is not None)
    arguments = parser.parse_args(words)
    arguments.arguments = behind
    arguments.options = {**options, **ours}
    if arguments.resolves:
        resolve_into(arguments)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # whatever a terminal's encoding cannot show
    return int(arguments.run(arguments))


def parser_of(name: str) -> argparse.ArgumentParser:
    """Return the parser of a subcommand, which its module sets up.

    Besides ``run`` the module may set as defaults ``arguments``: it takes words behind ``--``; and ``resolves=False``:
    it reads the wrapper's options itself.
    """
    module, summary = SUBCOMMANDS[name]
    parser = Parser(
        prog=f"claude-proxy {name}", description=f"{summary[0].upper()}{summary[1:]}.", epilog=_MORE
    )
    parser.set_defaults(resolves=True, arguments=None)
    getattr(importlib.import_module(f"proxy.cli.{module}"), f"{name}_options")(parser)
    return parser


def resolve_into(arguments: argparse.Namespace) -> None:
    """Give the arguments the values of the wrapper's options that subcommands use. UsageError when one is wrong."""
    chosen = resolve(arguments.options)
    arguments.data_dir = chosen["data-dir"]
    if os.path.exists(arguments.data_dir) and not os.path.isdir(arguments.data_dir):
        raise UsageError(f"the data directory {arguments.data_dir} is a file; give a folder with --data-dir")
    arguments.config = chosen.get("config")
    arguments.redact = chosen["redact"]
    arguments.patterns, arguments.fields = (listed(chosen, key) for key in LISTS)
    arguments.host, arguments.port = chosen["host"], int(chosen["port"])


def help_text() -> str:
    """Return the help of the whole program."""
    import textwrap  # noqa: PLC0415 - only for this

    def row(left: str, right: str) -> str:
        lines = textwrap.wrap(right, _WIDTH - _INDENT)
        head = f"  {left:{_INDENT - 2}}" if len(left) < _INDENT - 2 else f"  {left}\n{'':{_INDENT}}"
        return head + f"\n{'':{_INDENT}}".join(lines) + "\n"

    text = f"{USAGE.partition('  (')[0]}\n\n{_DESCRIPTION}"
    for title, group in GROUPS.items():
        text += f"\n{title}:\n" + "".join(row(name, summary) for name, (_, summary) in group.items())
    text += (
        "\nOptions, before COMMAND, before or after SUBCOMMAND (or in the environment, as CLAUDE_PROXY_DATA_DIR"
        " and so on):\n"
    )
    text += "".join(row(f"--{option.name} {option.takes}", option.help) for option in OPTIONS.values())
    return text + row("--version, --help", "print the version, or this")


@contextlib.contextmanager
def _streams(stdin: TextIO | None, stdout: TextIO | None, stderr: TextIO | None) -> Iterator[None]:
    """Let the given streams be this process's; a closed one takes everything, and gives nothing."""
    before = sys.stdin, sys.stdout, sys.stderr
    with open(os.devnull, "r+") as nothing:
        sys.stdin, sys.stdout, sys.stderr = stdin or nothing, stdout or nothing, stderr or nothing
        try:
            yield
        finally:
            sys.stdin, sys.stdout, sys.stderr = before


def _split(words: Sequence[str], *, takes_arguments: bool) -> tuple[dict[str, str], list[str], list[str]]:
    """Return the wrapper's options that stand behind the subcommand, the other words, and those behind ``--``.

    These are another program's; for a subcommand that takes none, they are words like the others.
    """
    options: dict[str, str] = {}
    rest: list[str] = []
    left = iter(words)
    for word in left:
        if word == "--":
            return options, rest if takes_arguments else [*rest, word, *left], list(left)
        name, given, value = word.removeprefix("--").partition("=")
        if not word.startswith("--") or name not in OPTIONS:
            rest.append(word)
            continue
        options[name] = value if given else next(left, "")
    return options, rest, []
