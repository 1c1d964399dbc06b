"""``claude-proxy replay``: plays a recorded session, or a script, in place of ``claude``."""

from __future__ import annotations

import os

from proxy.cli.arguments import add_session, option, seconds
from proxy.cli.errors import UsageError
from proxy.cli.options import resolve

TYPE_CHECKING = False  # `typing` takes long to import, and whoever started the stand-in waits
if TYPE_CHECKING:
    import argparse
    from typing import Any, NoReturn


def replay_options(parser: argparse.ArgumentParser) -> None:
    """Run in place of `claude`: write what Claude Code wrote in a recorded session, or what a script says, and wait
    for the client's lines. Exit with the recorded status, or with 76 if the client deviates. ARG are the arguments
    that the client gave to `claude`.

    Examples:
        claude-proxy replay latest -- -p hello
        claude-proxy replay --script scenario.yaml --journal seen.jsonl
    """
    parser.usage = "claude-proxy replay (SESSION | --script FILE) [OPTIONS] [-- ARG...]"
    add_session(parser, "?")
    option(parser, "--script FILE: what to do instead, in YAML or JSON")
    add_options(parser)
    option(parser, "--journal FILE: write what happens to this file, one JSON object per line")
    parser.set_defaults(arguments=[], resolves=False)


def run_replay(arguments: argparse.Namespace) -> NoReturn:
    """Play, and end as what is played does."""
    from proxy.replay import launcher  # noqa: PLC0415 - help does without

    if (arguments.session is None) == (arguments.script is None):
        raise UsageError("replay takes either SESSION or --script FILE")
    # A script needs no data directory.
    play = arguments.script or log_of(resolve(arguments.options)["data-dir"], arguments.session)
    settings = {"plays": [play], "journal": arguments.journal, **settings_from(arguments)}
    launcher.play(settings, arguments.arguments)


def log_of(data_dir: str, session: str) -> str:
    """Return the path of a session's log. UsageError: it cannot be played; SessionLookupError: none is meant."""
    from proxy.sessions import catalogue  # noqa: PLC0415 - a script does without

    path = os.path.abspath(catalogue.find(data_dir, session).path)
    if not path.endswith(".jsonl"):
        raise UsageError(f"the name of a log ends in .jsonl, that of {path} does not")
    return path


def add_options(parser: argparse.ArgumentParser | argparse._ArgumentGroup) -> None:
    """Add the options that say how a session is played."""
    alike = (
        "what makes a line of the client's the recorded one: its content, its type (default), or that it came"
    )
    option(parser, f"--match exact|type|any: {alike}", default="type", choices=("exact", "type", "any"))
    pause = "how long to pause: not at all (default), as recorded, or SCALE times as long"
    option(parser, f"--timing none|recorded|SCALE: {pause}", _scale, 0.0)
    option(parser, "--patience SECONDS: give up when the client sends nothing for this long", seconds)
    option(parser, "--report FILE: append the divergences of the client to this file, as a line of JSON")


def settings_from(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the settings of a stand-in that those options give."""
    return {
        "match": arguments.match,
        "scale": arguments.timing,
        "patience": arguments.patience,
        "report": arguments.report and os.path.abspath(arguments.report),
    }


def _scale(text: str) -> float:
    named = {"none": 0.0, "recorded": 1.0}
    return named[text] if text in named else seconds(text, "none, recorded, or a number")
