"""The subcommands: everything but wrapping a command."""

from __future__ import annotations

import argparse
import io
import os
import sys
from typing import TYPE_CHECKING

from proxy import __version__
from proxy.cli import (
    USAGE,
    VALUE_OPTIONS,
    UsageError,
    alert,
    analyze,
    check,
    drift,
    overview,
    reading,
    replay,
    resolve,
    serve,
    settings,
    shim,
    token,
    upkeep,
    validate,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_DESCRIPTION = """\
Stands in place of a command, usually `claude`: relays its streams unchanged, judges each message, and records the
session. Everything after COMMAND belongs to COMMAND.
"""

_OPTIONS = """\
options, before COMMAND, before or after SUBCOMMAND (or in the environment, as CLAUDE_PROXY_DATA_DIR and so on):
  --data-dir DIR        where sessions are recorded (default: the platform's state directory)
  --config FILE         settings in YAML
  --validation MODE     observe: judge and pass on (default); enforce: hold back invalid messages to the
                        command and answer them; off: record without verdicts
  --redact on|off       keep credentials out of the record (default: on); never changes what passes
  --session-name NAME   a label for the session
  --server auto|off     whether to make sure that a server for the data directory is running (default: auto)
  --host, --port        the server's address (default: 127.0.0.1, 8000)
  --version, --help
"""
_MORE = "Options of every command, such as --data-dir and --config: claude-proxy --help"


def run(options: Mapping[str, str], words: Sequence[str]) -> int:
    """Run a subcommand, or print what was asked for instead of one; return the exit status."""
    if "version" in options:
        print(f"claude-proxy {__version__}")
        return 0
    _open_what_is_closed()
    parser, subparsers = _parser()
    if "help" in options or not words:
        (sys.stdout if "help" in options else sys.stderr).write(parser.format_help())
        return 0 if "help" in options else 2
    ours, words = _take_options(words)
    words, behind = check.split(words)
    arguments, strange = parser.parse_known_args(words)
    if strange:
        subparsers[words[0]].error(f"unrecognized arguments: {' '.join(strange)}")
    arguments.behind = behind
    arguments.options = {**options, **ours}
    if not getattr(arguments, "reads_settings", False):
        _resolve(arguments)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # whatever a terminal's encoding cannot show
    try:
        status = int(arguments.run(arguments))
        sys.stdout.flush()
        return status
    except BrokenPipeError:  # `claude-proxy show latest | head`
        sys.stderr.close()
        return 141
    except OSError as error:
        from proxy.events.formatting import error_message  # noqa: PLC0415 - most commands end well

        sys.stderr.write(f"claude-proxy: {error_message(error)}\n")
        return 1
    except KeyboardInterrupt:
        return 130


def _open_what_is_closed() -> None:
    """Let a standard stream that the caller has closed be one that takes everything, and gives nothing."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115 - for as long as the program runs


def _resolve(arguments: argparse.Namespace) -> None:
    chosen = resolve(arguments.options)
    arguments.data_dir = chosen["data-dir"]
    if os.path.exists(arguments.data_dir) and not os.path.isdir(arguments.data_dir):
        raise UsageError(f"the data directory {arguments.data_dir} is a file; give a folder with --data-dir")
    arguments.config = chosen.get("config")
    arguments.host, arguments.port = chosen["host"], int(chosen["port"])


def _take_options(words: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """Return the wrapper's options that stand after the subcommand, and the words without them."""
    options: dict[str, str] = {}
    rest: list[str] = []
    left = iter(words)
    for word in left:
        if word == "--":  # what follows is another program's
            return options, [*rest, word, *left]
        name, given, value = word.removeprefix("--").partition("=")
        if not word.startswith("--") or name not in VALUE_OPTIONS:
            rest.append(word)
            continue
        options[name] = value if given else next(left, "")
    return options, rest


def _parser() -> tuple[argparse.ArgumentParser, Mapping[str, argparse.ArgumentParser]]:
    """Return the parser, and those of the subcommands."""
    parser = argparse.ArgumentParser(
        prog="claude-proxy",
        usage=USAGE.removeprefix("usage: ").partition("  (")[0],
        description=_DESCRIPTION,
        epilog=_OPTIONS,
        formatter_class=lambda prog: argparse.RawDescriptionHelpFormatter(prog, max_help_position=14),
        add_help=False,
    )
    subparsers = parser.add_subparsers(
        title="subcommands", metavar="SUBCOMMAND", required=True, prog="claude-proxy"
    )
    for family in (
        overview,
        reading,
        analyze,
        serve,
        validate,
        drift,
        shim,
        settings,
        token,
        upkeep,
        replay,
        check,
        alert,
    ):
        family.add_parser(subparsers)
    for subcommand in subparsers.choices.values():
        subcommand.epilog = subcommand.epilog or _MORE
    return parser, subparsers.choices
