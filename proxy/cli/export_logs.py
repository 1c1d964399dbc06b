"""``claude-proxy export --to``: write the logs of sessions to a folder, from this machine or from a centre."""

import argparse
import contextlib
import filecmp
import io
import os
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from proxy.cli.errors import FailedError, UsageError, complain
from proxy.cli.redact import Copied, seal_copy, write_copy
from proxy.cli.settings import settings_of
from proxy.cli.terminal import progress, size
from proxy.escaping import escape_controls
from proxy.events.formatting import error_message, quantity
from proxy.events.timestamps import parse_timestamp
from proxy.redaction import Redactor
from proxy.sessions import catalogue, firings
from proxy.sessions.identity import LOG_SUFFIX
from proxy.sessions.private import open_private
from proxy.store import Store, StoreDamagedError
from proxy.store.pieces import text_of

if TYPE_CHECKING:
    from proxy.store.postgres.store import PostgresStore


class _Log(NamedTuple):
    """A log that is to be written."""

    session_id: str
    lines: Callable[[], Iterator[bytes]]
    """Gives its whole lines, each with its newline. KeyError or FileNotFoundError: it was removed meanwhile."""
    fired: Callable[[], list[firings.Firing]]
    """Gives what rules found of the session."""
    info: catalogue.SessionInfo | None = None
    """What is known of one of this machine."""


def export_logs(arguments: argparse.Namespace) -> int:
    """Write logs, byte for byte or without credentials, each to its last whole line; return the exit status."""
    if (arguments.session is None) == (arguments.since is None):
        raise UsageError("--to takes a SESSION, or --since TIME for all that began later")
    if arguments.header or arguments.content:
        raise UsageError("--header and --content go with --otlp")
    try:
        os.makedirs(arguments.to, 0o700, exist_ok=True)
        with _chosen(arguments) as logs, progress("writing logs"):
            written = [_write(arguments, log) for log in logs]
    except OSError as error:
        raise FailedError(f"cannot write to {arguments.to}: {error_message(error)}") from None
    there = [count for count in written if count is not None]
    print(f"{quantity(len(there), 'session')} ({size(sum(there))}) in {escape_controls(arguments.to)}")
    return 0 if len(there) == len(written) else 1


def _write(arguments: argparse.Namespace, log: _Log) -> int | None:
    """Write a log and what rules found; return its size in bytes, None when it is not there now, as is said then."""
    path = os.path.join(arguments.to, log.session_id + LOG_SUFFIX)
    mode = arguments.redact or arguments.options.get("redact", "off")
    redactor = None if mode == "off" else Redactor(mode, patterns=arguments.patterns, fields=arguments.fields)
    try:
        fired = log.fired()  # before the lines: those that it names are there then
        copied = _write_lines(path, log.lines(), redactor)
        if copied is not None and log.info is not None:
            seal_copy(arguments.data_dir, log.info, copied)
        if fired:
            _write_lines(firings.path_beside(path), map(firings.encoded, fired), redactor)
        return os.path.getsize(path)
    except FileExistsError as error:  # not replaced: it may be a log that is written to
        complain(f"{error} is there already, with other content; give another DIR")
    except (KeyError, FileNotFoundError):
        complain(f"{log.session_id} was removed meanwhile")
    except StoreDamagedError as error:
        complain(error)
    return None


def _write_lines(path: str, lines: Iterable[bytes], redactor: Redactor | None) -> Copied | None:
    """Write a file, whole or not at all; say what a copy without credentials has.

    FileExistsError: there is one already, with other content.
    """
    fresh = f"{path}.partial"
    copied = None
    try:
        with open(open_private(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), "wb") as file:
            if redactor is None:
                file.writelines(lines)
            else:
                copied = write_copy(lines, file, redactor)
        if not os.path.lexists(path):
            os.rename(fresh, path)
        elif not filecmp.cmp(path, fresh, shallow=False):
            raise FileExistsError(path)
        return copied
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(fresh)


@contextlib.contextmanager
def _chosen(arguments: argparse.Namespace) -> Iterator[list[_Log]]:
    """Give the logs that are to be written."""
    if settings_of(arguments).storage.url is None:
        yield [
            _Log(one.session_id, partial(_whole_lines, one.path), partial(firings.beside, one.path), one)
            for one in _recorded(arguments)
        ]
        return
    from proxy.cli.store import opened  # noqa: PLC0415 - few commands need it

    with opened(arguments) as store:
        if arguments.session is None:
            names = [one.session_id for one in store.all_sessions() if one.started_us >= arguments.since]
        elif store.session(arguments.session) is not None:
            names = [arguments.session]
        else:
            sentence = f"the centre has no session {arguments.session!r}; give its whole id"
            raise catalogue.NoSuchSessionError(sentence)
        yield [
            _Log(name, partial(_stored_lines, store, name), partial(_stored_firings, store, name))
            for name in names
        ]


def _recorded(arguments: argparse.Namespace) -> list[catalogue.SessionInfo]:
    if arguments.session is not None:
        return [catalogue.find(arguments.data_dir, arguments.session)]
    return [
        one
        for one in catalogue.list_sessions(arguments.data_dir)
        if one.started_at is not None and parse_timestamp(one.started_at) >= arguments.since
    ]


def _whole_lines(path: str) -> Iterator[bytes]:
    with open(path, "rb") as file:
        yield from (line for line in file if line.endswith(b"\n"))


def _stored_lines(store: Store, session_id: str) -> Iterator[bytes]:
    for text in text_of(store.pieces(session_id)):
        yield from io.BytesIO(text)  # `splitlines` splits at carriage returns too


def _stored_firings(store: "PostgresStore", session_id: str) -> list[firings.Firing]:
    return firings.decoded(store.firings(session_id))
