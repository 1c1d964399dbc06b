"""``claude-proxy forget``: erase sessions from a centre, for good."""

from __future__ import annotations

from typing import TYPE_CHECKING

from proxy.cli.arguments import examples
from proxy.cli.errors import UsageError, complain
from proxy.cli.store import opened
from proxy.escaping import escape_controls
from proxy.events.formatting import quantity

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from proxy.store.postgres.store import PostgresStore


def forget_options(parser: argparse.ArgumentParser) -> None:
    """Say what the subcommand takes."""
    parser.description = (
        "Erase sessions from the centre that storage.url names: what was recorded, and all that was derived from it. "
        "Their hosts may have them still, but cannot push them again."
    )
    parser.epilog = examples(
        "--config centre.yaml forget 20261124T101112-1a2b3c4d",
        "--config centre.yaml forget --host anna-laptop --dry-run",
    )
    parser.add_argument("session", metavar="SESSION", nargs="*", help="the whole id of a session")
    parser.add_argument(
        "--host",
        metavar="HOST",
        dest="erased_hosts",
        action="append",
        default=[],
        help="all sessions of a host: its name or its id",
    )
    parser.add_argument("--dry-run", action="store_true", help="say what would go, and erase nothing")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Erase; return the exit status."""
    if not arguments.session and not arguments.erased_hosts:
        raise UsageError("forget takes a SESSION, or --host HOST")
    count = 0
    with opened(arguments) as store:
        hosts = [*_host_ids(store, arguments.erased_hosts)]
        there = store.forgettable(arguments.session, hosts)
        for session_id in there if arguments.dry_run else store.forget(arguments.session, hosts):
            print(escape_controls(session_id))
            count += 1
    print(f"{quantity(count, 'session')} {'would go' if arguments.dry_run else 'erased'}")
    missing = sorted(set(arguments.session) - set(there))
    for session_id in missing:
        complain(f"the centre has no session {session_id!r}")
    return 1 if missing else 0


def _host_ids(store: PostgresStore, given: list[str]) -> Iterator[str]:
    """Yield the ids of hosts, given by id or by name. UsageError: there is none, or several have that name."""
    known = store.hosts() if given else []
    for one in given:
        found = [host.host_id for host in known if one in (host.host_id, host.name)]
        if not found:
            raise UsageError(f"the centre knows no host {one!r}; GET /api/v1/fleet/hosts lists them")
        if len(found) > 1:
            raise UsageError(f"{one!r} is the name of several hosts; give the id of one: {', '.join(found)}")
        yield found[0]
