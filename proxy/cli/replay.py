"""``claude-proxy replay``: plays a recorded session, or a script, in place of ``claude``."""

from __future__ import annotations

import argparse
import os
import sys

TYPE_CHECKING = False  # `typing` takes long to import, and whoever started the stand-in waits
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

_DESCRIPTION = """\
Stand in for `claude`: say and wait for on standard input and output what a recorded session did, or a script says.
Exit with the recorded status, or with 76 where the client went another way.
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand to the list of all of them; run it is by `start`, which needs none of the others."""
    subparsers.add_parser("replay", help="stand in for claude: play a recorded session, or a script")


def start(options: Mapping[str, str], words: Sequence[str]) -> int:
    """Run the subcommand from the wrapper's options and its own words; return an exit status if it cannot play."""
    from proxy.replay import launcher  # noqa: PLC0415 - the list of subcommands does without

    ours, given = list(words), []
    if "--" in ours:
        split = ours.index("--")
        ours, given = ours[:split], ours[split + 1 :]
    parser = _parser()
    arguments = parser.parse_args(ours)
    if (arguments.session is None) == (arguments.script is None):
        parser.error("takes either SESSION or --script FILE")
    try:
        play = arguments.script or log_of(_data_dir(options, arguments), arguments.session)
        settings = {"plays": [play], "journal": arguments.journal, **settings_from(arguments)}
        launcher.play(settings, given)
    except (launcher.CannotPlayError, LookupError) as error:
        sys.stderr.write(f"claude-proxy: {error}\n")
        return 2


def _data_dir(options: Mapping[str, str], arguments: argparse.Namespace) -> str:
    from proxy.cli import resolve  # noqa: PLC0415 - a script does without

    behind = {"data-dir": arguments.data_dir, "config": arguments.config}
    return resolve({**options, **{name: value for name, value in behind.items() if value}})["data-dir"]


def log_of(data_dir: str, session: str) -> str:
    """Return the path of a session's log. LookupError when no single session is meant."""
    from proxy.sessions import catalogue  # noqa: PLC0415 - a script does without

    path = os.path.abspath(catalogue.find(data_dir, session).path)
    if not path.endswith(".jsonl"):
        raise LookupError(f"the name of a log ends in .jsonl, that of {path} does not")
    return path


def add_options(parser: argparse.ArgumentParser | argparse._ArgumentGroup) -> None:
    """Add the options that say how a session is played."""
    parser.add_argument(
        "--match",
        choices=("exact", "type", "any"),
        default="type",
        help="what makes a line of the client's the recorded one: its content, its type (default), or that it came",
    )
    parser.add_argument(
        "--timing",
        metavar="none|recorded|SCALE",
        type=_scale,
        default=0.0,
        help="how long to pause: not at all (default), as recorded, or SCALE times as long",
    )
    parser.add_argument(
        "--patience",
        metavar="SECONDS",
        type=_seconds,
        help="give up when the client says nothing for so long",
    )
    parser.add_argument(
        "--report", metavar="FILE", help="add what the client did differently there, as a line of JSON"
    )


def settings_from(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the settings of a stand-in that those options give."""
    return {
        "match": arguments.match,
        "scale": arguments.timing,
        "patience": arguments.patience,
        "report": arguments.report and os.path.abspath(arguments.report),
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="claude-proxy replay",
        usage="claude-proxy replay (SESSION | --script FILE) [OPTIONS] [-- ARG...]",
        description=_DESCRIPTION,
        epilog="ARG are the arguments that the client gave to `claude`.",
    )
    parser.add_argument(
        "session",
        metavar="SESSION",
        nargs="?",
        help="an id, the beginning of one, `latest`, or the path of a log",
    )
    parser.add_argument("--script", metavar="FILE", help="what to do instead, in YAML or JSON")
    add_options(parser)
    parser.add_argument("--journal", metavar="FILE", help="note there what happens, one JSON object a line")
    parser.add_argument("--data-dir", metavar="DIR", help="where sessions are recorded")
    parser.add_argument("--config", metavar="FILE", help=argparse.SUPPRESS)
    return parser


def _scale(text: str) -> float:
    named = {"none": 0.0, "recorded": 1.0}
    return named[text] if text in named else _number(text, "none, recorded, or a number")


def _seconds(text: str) -> float:
    return _number(text, "a number of seconds")


def _number(text: str, takes: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = -1
    if not 0 <= number < 1e6:
        raise argparse.ArgumentTypeError(f"{text!r}; it takes {takes} from 0")
    return number
