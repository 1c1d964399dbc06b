"""``claude-proxy store`` and ``forget``: look after the database of a centre, and erase sessions from it for good."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from proxy.cli.arguments import add_verb, option
from proxy.cli.errors import FailedError, UsageError, complain
from proxy.cli.settings import settings_of
from proxy.cli.terminal import progress
from proxy.escaping import escape_controls
from proxy.events.formatting import quantity
from proxy.store import StoreError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from proxy.store.postgres.store import PostgresStore


def store_options(parser: argparse.ArgumentParser) -> None:
    """Maintain the PostgreSQL database that storage.url names.

    Examples:
        claude-proxy --config centre.yaml store migrate
        claude-proxy --config centre.yaml store rebuild
    """
    verbs = parser.add_subparsers(metavar="migrate|rebuild", required=True)
    add_verb(verbs, "migrate: create the tables, or bring them up to date; can be repeated", _migrate)
    add_verb(verbs, "rebuild: derive events anew from what was recorded, after an upgrade", _rebuild)


def forget_options(parser: argparse.ArgumentParser) -> None:
    """Erase sessions from the centre that storage.url names: what was recorded, and all that was derived from it.

    Their hosts may have them still, but cannot push them again.

    Examples:
        claude-proxy --config centre.yaml forget 20261124T101112-1a2b3c4d
        claude-proxy --config centre.yaml forget --host anna-laptop --dry-run
    """
    option(parser, "session SESSION ...: the whole id of a session")
    option(parser, "--host HOST ...: all sessions of a host: its name or its id")
    option(parser, "--dry-run: say what would go, and erase nothing")


def url_of(arguments: argparse.Namespace) -> str:
    """Return the database of the centre. UsageError when the configuration names none."""
    url = settings_of(arguments).storage.url
    if url is None:
        raise UsageError("storage.url names no database: give the configuration of a centre with --config")
    try:
        import proxy.store.postgres.connections  # noqa: F401, PLC0415 - its libraries are an extra
    except ImportError as error:
        raise UsageError(f"a centre needs pip install 'claude-proxy[postgres]' ({error})") from None
    return url


@contextlib.contextmanager
def opened(arguments: argparse.Namespace) -> Iterator[PostgresStore]:
    """Open the store of the centre. UsageError when that cannot be, FailedError when it cannot be used."""
    url = url_of(arguments)
    from proxy.store.postgres.store import PostgresStore  # noqa: PLC0415 - its libraries are an extra

    try:
        store = PostgresStore(url, is_pooled=not settings_of(arguments).storage.listen)
    except StoreError as error:
        raise UsageError(f"storage.url: {error}") from None
    with contextlib.closing(store), _usable():
        yield store


@contextlib.contextmanager
def _usable() -> Iterator[None]:
    try:
        yield
    except StoreError as error:
        raise FailedError(f"storage.url: {error}") from None


def _migrate(arguments: argparse.Namespace) -> None:
    url = url_of(arguments)
    from proxy.store.postgres.migrations import migrate  # noqa: PLC0415 - its libraries are an extra

    with _usable():
        done = migrate(url)
    print(f"The tables are up to date ({quantity(len(done), 'step')} done).")


def _rebuild(arguments: argparse.Namespace) -> None:
    url = url_of(arguments)
    from proxy.store.postgres.rebuild import rebuild  # noqa: PLC0415

    most = settings_of(arguments).monitoring.max_events_per_session
    with _usable(), progress("deriving events anew"):
        count = sum(1 for _ in rebuild(url, most_events=most))
    print(f"{quantity(count, 'session')} derived anew.")


def run_forget(arguments: argparse.Namespace) -> int:
    """Erase sessions from the centre; return the exit status."""
    if not arguments.session and not arguments.host:
        raise UsageError("forget takes a SESSION, or --host HOST")
    count = 0
    with opened(arguments) as store:
        hosts = [*_host_ids(store, arguments.host)]
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
