"""``claude-proxy prune``, ``backup`` and ``restore``: what a server does by itself, by hand and without one."""

from __future__ import annotations

import contextlib
import os
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from msgspec.structs import asdict

from proxy import config
from proxy.cli.arguments import option
from proxy.cli.errors import FailedError, UsageError, complain
from proxy.cli.settings import settings_of
from proxy.cli.terminal import print_answer, progress, size
from proxy.escaping import escape_controls
from proxy.events.formatting import error_message, quantity

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator
    from typing import Any

    from proxy.upkeep.retention import Pruned, Rules


def prune_options(parser: argparse.ArgumentParser) -> None:
    """Remove sessions that are older than monitoring.retention_days, and the oldest ones while all logs together
    exceed storage.max_total_size. Running sessions are kept. A server does the same periodically.

    Examples:
        claude-proxy prune --days 90 --dry-run
        claude-proxy prune --max-size 20GB
    """
    option(parser, "--days N: instead of monitoring.retention_days")
    option(parser, "--max-size SIZE: instead of storage.max_total_size, such as 20GB")
    option(parser, "--dry-run: print what would be removed, and remove nothing")
    option(parser, "--json: print JSON")


def backup_options(parser: argparse.ArgumentParser) -> None:
    """Copy all logs to DATA_DIR/backups/TIME.tar.gz, verify the copy, and remove the oldest backups beyond
    storage.backups_kept. Sessions and server may run meanwhile.
    """
    option(parser, "--json: print JSON")


def restore_options(parser: argparse.ArgumentParser) -> None:
    """Check ARCHIVE and unpack it into the data directory, which must hold no sessions.

    Examples:
        claude-proxy restore backups/20261122T094512Z.tar.gz --data-dir ~/restored
    """
    option(parser, "archive ARCHIVE: a file that `claude-proxy backup` has made")
    option(parser, "--json: print JSON")


def run_prune(arguments: argparse.Namespace) -> int:
    """Remove what has expired; return the exit status."""
    from proxy.shipping.report import unshipped  # noqa: PLC0415 - each path imports no more than it needs
    from proxy.upkeep.retention import prune  # noqa: PLC0415

    rules = _rules(arguments)
    _require_data_dir(arguments.data_dir)
    with progress("looking for what has expired"):
        lacking = unshipped(arguments.data_dir, settings_of(arguments).ship)
        pruned = prune(arguments.data_dir, rules, time.time(), unshipped=lacking, dry_run=arguments.dry_run)
        index_error = None if arguments.dry_run else _bring_index_up_to_date(arguments)
    answer = {"dry_run": arguments.dry_run, "removed_bytes": pruned.removed_bytes, **asdict(pruned)}
    print_answer(arguments, answer, *_told(pruned, dry_run=arguments.dry_run))
    for session_id, lost in pruned.lost.items():
        complain(f"{session_id}: the centre lacks {size(lost)} of it")
    if pruned.waiting:
        count = quantity(len(pruned.waiting), "session")
        complain(f"past its days, and kept until the centre has it all: {count} (ship status)", 0)
    for one in pruned.failed:
        complain(f"{one.session_id} cannot be removed: {one.error}")
    if index_error is not None:
        complain(f"the index follows when a server starts next: {index_error}")
    return 1 if pruned.failed else 0


def run_backup(arguments: argparse.Namespace) -> None:
    """Make a copy."""
    from proxy.upkeep.backup import make_backup  # noqa: PLC0415

    storage = settings_of(arguments).storage
    _require_data_dir(arguments.data_dir)
    with progress("copying, and reading the copy back"):
        keep, least = storage.backups_kept, storage.min_free_space
        made = make_backup(arguments.data_dir, datetime.now(UTC), keep=keep, min_free_bytes=least)
    told = f"{escape_controls(made.path)}: {quantity(made.sessions, 'session')}, {size(made.bytes)}, verified"
    print_answer(arguments, made, told)


def run_restore(arguments: argparse.Namespace) -> None:
    """Unpack a copy."""
    from proxy.server.background import LOCK, take_lock  # noqa: PLC0415
    from proxy.upkeep.backup import BackupError  # noqa: PLC0415
    from proxy.upkeep.restore import restore  # noqa: PLC0415

    if not os.path.exists(arguments.archive):
        raise FailedError(f"there is no archive {arguments.archive}")
    missing = _missing(arguments.data_dir)
    lock = take_lock(arguments.data_dir)
    if lock is None:
        raise FailedError(f"a server for {arguments.data_dir} runs; stop it first (`claude-proxy status`)")
    try:
        with progress("checking the archive, and unpacking it"):
            restored = restore(arguments.archive, arguments.data_dir)
    except BackupError:
        with contextlib.suppress(OSError):  # something else has come into it
            for path in missing[:1]:
                os.unlink(os.path.join(path, LOCK))
            for path in missing:
                os.rmdir(path)
        raise
    finally:
        os.close(lock)
    count = f"{quantity(restored.sessions, 'session')} ({size(restored.bytes)})"
    print_answer(arguments, restored, f"{count} restored to {escape_controls(arguments.data_dir)}")


def _require_data_dir(path: str) -> None:
    if not os.path.isdir(path):
        raise FailedError(f"there is no data directory {path}")


def _missing(path: str) -> list[str]:
    """Return the folders that are to be made for a path, the path itself first."""
    found = []
    while not os.path.exists(path):
        found.append(path)
        path = os.path.dirname(path)
    return found


def _rules(arguments: argparse.Namespace) -> Rules:
    from proxy.upkeep.retention import Rules  # noqa: PLC0415

    rules = Rules.of(settings_of(arguments))
    rules = Rules(
        _taken("--days", arguments.days, "monitoring.retention_days", rules.days),
        _taken("--max-size", arguments.max_size, "storage.max_total_size", rules.max_bytes),
    )
    if rules == Rules(None, None):
        raise UsageError(
            "nothing says what expires: give --days or --max-size, or set monitoring.retention_days or"
            " storage.max_total_size in the configuration"
        )
    return rules


def _taken(option: str, text: str | None, key: str, otherwise: Any) -> Any:
    """Return the value of an option that takes what a setting takes; ``otherwise``: where it is not given."""
    try:
        return otherwise if text is None else config.KEYS[key].taken(text)
    except ValueError:
        raise UsageError(f"{option} is {text!r}; it takes {config.KEYS[key].takes}") from None


def _bring_index_up_to_date(arguments: argparse.Namespace) -> str | None:
    """Take removed sessions out of the index, unless a server does it; return what went wrong."""
    from proxy.server.__main__ import any_session_runs  # noqa: PLC0415
    from proxy.server.background import ensure_server, is_served, take_lock  # noqa: PLC0415
    from proxy.store import StoreError  # noqa: PLC0415
    from proxy.upkeep.retention import forget_in_index  # noqa: PLC0415

    try:
        if is_served(arguments.data_dir) or (lock := take_lock(arguments.data_dir)) is None:
            return None
    except OSError as error:
        return error_message(error)
    try:
        forget_in_index(arguments.data_dir)
    except (OSError, StoreError) as error:
        return error_message(error)
    finally:
        os.close(lock)
        if any_session_runs(arguments.data_dir):
            # It may have begun meanwhile, and have taken us for a server.
            ensure_server(arguments.data_dir, arguments.host, arguments.port, arguments.config)
    return None


def _told(pruned: Pruned, *, dry_run: bool) -> Iterator[str]:
    for one in pruned.removed:
        why = "past its days" if one.reason == "days" else "too much together"
        yield f"{one.session_id}  {size(one.bytes):>9}  {why}"
    gone = f"{quantity(len(pruned.removed), 'session')} {'would go' if dry_run else 'removed'}"
    left = f"{pruned.left_sessions:,} left ({size(pruned.left_bytes)})"
    yield f"{gone} ({size(pruned.removed_bytes)}); {left}"
