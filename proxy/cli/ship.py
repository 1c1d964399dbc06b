"""``claude-proxy ship``: send what is recorded to the centre of a fleet, by hand or where no server runs."""

import argparse
import asyncio
import sys

from proxy.cli.arguments import add_verb, option, seconds
from proxy.cli.errors import UsageError, complain
from proxy.cli.settings import settings_of
from proxy.cli.terminal import print_answer, size
from proxy.escaping import escape_controls
from proxy.events.formatting import quantity
from proxy.ship_settings import Ship

_NOT_DONE = 75
"""EX_TEMPFAIL of sysexits.h: asking again later may help."""


def ship_options(parser: argparse.ArgumentParser) -> None:
    """Send records to the centre that ship.to names, until interrupted.

    The server of the data directory does the same; use this command where none runs, such as in a step of CI or at the
    end of a pod.

    Examples:
        claude-proxy ship --once --wait 60
        claude-proxy ship --dry-run | less
        claude-proxy ship status
    """
    option(parser, "--once: exit when all records are acknowledged")
    option(parser, "--wait SECONDS: with --once: give up after so long, with status 75", seconds)
    option(parser, "--dry-run: print what would be sent, and send nothing")
    verbs = parser.add_subparsers(metavar="status", required=False)
    status = add_verb(verbs, "status: where to, what leaves, what is acknowledged and what waits", run_status)
    option(status, "--json: print JSON")


def run_ship(arguments: argparse.Namespace) -> int:
    """Ship; return the exit status."""
    from proxy.shipping.report import would_send  # noqa: PLC0415 - each path imports no more than it needs

    settings = _settings(arguments)
    if arguments.wait is not None and not arguments.once:
        raise UsageError("--wait goes with --once")
    if arguments.dry_run:
        for text in would_send(arguments.data_dir, settings):
            sys.stdout.write(text.decode("utf-8", "backslashreplace"))
        return 0
    return asyncio.run(_ship(arguments, settings))


async def _ship(arguments: argparse.Namespace, settings: Ship) -> int:
    from proxy.shipping.centre import RefusedTokenError  # noqa: PLC0415
    from proxy.shipping.shipper import Shipper  # noqa: PLC0415

    def note(trouble: str | None) -> None:
        sentence = f"{settings.to} answers again" if trouble is None else f"{settings.to}: {trouble}"
        complain(sentence, 0)

    shipper = Shipper(arguments.data_dir, settings, note)
    if not arguments.once:
        await shipper.run()
    try:
        is_done = await shipper.run_once(arguments.wait)
    except RefusedTokenError as error:
        return complain(f"{settings.to} does not take ship.token: {error}", _NOT_DONE)
    for session_id, reason in shipper.set_aside.items():
        complain(f"{session_id} is not taken: {reason}")
    if not is_done:
        return complain(f"not all was acknowledged within {arguments.wait:g} s", _NOT_DONE)
    return 1 if shipper.set_aside else 0


def run_status(arguments: argparse.Namespace) -> None:
    """Print how shipping stands."""
    from proxy.shipping.report import report  # noqa: PLC0415

    found = report(arguments.data_dir, _settings(arguments))
    amounts = [(what, found[what]) for what in ("acknowledged", "waiting")]
    rows = [
        ("to", f"{found['to']} ({found['content']})"),
        *((what, f"{quantity(one['records'], 'record')}, {size(one['bytes'])}") for what, one in amounts),
        ("last answer", found["last_answer"] or "none yet"),
        *([("trouble", found["trouble"])] if found["trouble"] is not None else []),
        *(("set aside", f"{session_id}: {reason}") for session_id, reason in found["set_aside"].items()),
        *(
            ("lost", f"{loss['session_id']}: {size(loss['bytes'])} were removed for room")
            for loss in found["unshipped_lost"]
        ),
    ]
    print_answer(arguments, found, *(f"{name:12}  {escape_controls(said)}" for name, said in rows))


def _settings(arguments: argparse.Namespace) -> Ship:
    settings = settings_of(arguments).ship
    if settings.to is None:
        raise UsageError(
            "ship.to names no centre: set it in the configuration, or CLAUDE_PROXY_SHIP__TO, to where one is"
        )
    return settings
