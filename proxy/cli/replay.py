"""``claude-proxy replay``: plays a recorded session, or a script, in place of ``claude``."""

from __future__ import annotations

import argparse
import os
import sys

TYPE_CHECKING = False  # `typing` takes long to import, and whoever started the stand-in waits
if TYPE_CHECKING:
    from collections.abc import Sequence

_DESCRIPTION = """\
Stand in for `claude`: do on standard input and output what a script says.
ARG are the arguments that the client gave to `claude`.
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand, for the list of all of them."""
    _fill(
        subparsers.add_parser("replay", help="stand in for claude: play a script", description=_DESCRIPTION)
    )


def start(words: Sequence[str]) -> int:
    """Run the subcommand from its words, without the libraries that the others need; return the exit status."""
    parser = argparse.ArgumentParser(prog="claude-proxy replay", description=_DESCRIPTION)
    _fill(parser)
    return run(parser.parse_args(words))


def run(arguments: argparse.Namespace) -> int:
    """Play; return only if that cannot be."""
    from proxy.replay import launcher  # noqa: PLC0415 - the list of subcommands does without
    from proxy.replay.script import ScriptError  # noqa: PLC0415

    given = arguments.arguments[1:] if arguments.arguments[:1] == ["--"] else arguments.arguments
    settings = {"script": os.path.abspath(arguments.script), "journal": arguments.journal}
    try:
        launcher.play(settings, given)
    except (ScriptError, OSError) as error:
        sys.stderr.write(f"claude-proxy: {error}\n")
        return 2


def _fill(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--script", metavar="FILE", required=True, help="what to do, in YAML or JSON")
    parser.add_argument("--journal", metavar="FILE", help="note there what happens, one JSON object a line")
    parser.add_argument(
        "arguments", metavar="-- ARG", nargs=argparse.REMAINDER, help="arguments of the client"
    )
    parser.set_defaults(run=run)
