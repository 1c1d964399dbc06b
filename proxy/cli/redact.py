"""``claude-proxy redact``: a copy of a log without credentials. The log itself stays as it is."""

import argparse
import contextlib
import hashlib
import os
import sys
from collections.abc import Callable, Iterable
from typing import BinaryIO, NamedTuple

from proxy.cli.arguments import add_session, option
from proxy.cli.errors import UsageError, complain
from proxy.cli.terminal import progress
from proxy.events.formatting import quantity
from proxy.redaction import Redactor
from proxy.redaction.recorded import without_credentials
from proxy.sessions import catalogue, firings
from proxy.sessions.sealing import add_seal, is_sealed
from proxy.upkeep.seals import sealed_sessions, unsealed
from proxy.upkeep.verification import first_session_id


class Copied(NamedTuple):
    """A copy of a log."""

    replaced: int
    """Values that were credentials."""
    bytes: int
    records: int
    sha256: str


def redact_options(parser: argparse.ArgumentParser) -> None:
    """Write a copy of a session's log without credentials, as `--redact` would have recorded it.

    What rules found of the session is written beside a FILE, with the ending .rules.
    `--redact strict` replaces more; see docs/redaction.md.
    """
    add_session(parser)
    option(parser, "-o/--output FILE: where to write it (default: SESSION.redacted.jsonl here; -: print it)")


def run_redact(args: argparse.Namespace) -> None:
    """Write the copy."""
    if args.redact == "off":
        raise UsageError("--redact off replaces nothing; it takes on or strict here")
    found = catalogue.find(args.data_dir, args.session)
    output = args.output or f"{found.session_id}.redacted.jsonl"
    redactor = Redactor(args.redact, patterns=args.patterns, fields=args.fields)
    fired = firings.beside(found.path)  # before the log: the records that it names are there then
    with open(found.path, "rb") as log, _opened(output) as copy, progress("redacting", found.size) as advance:
        copied = write_copy(log, copy, redactor, advance)
    seal_copy(args.data_dir, found, copied)
    if output == "-":
        return
    if fired:
        with _opened(firings.path_beside(output)) as copy:
            write_copy(map(firings.encoded, fired), copy, redactor)
    sys.stderr.write(f"{output}: {quantity(copied.replaced, 'value')} replaced\n")


def write_copy(
    log: Iterable[bytes], copy: BinaryIO, redactor: Redactor, advance: Callable[[int], None] = lambda _: None
) -> Copied:
    """Write the records of a log, given by its lines, without credentials; say how many lines are left out.

    ``advance`` is told the size of each line that was read.
    """
    replaced = left_out = size = records = 0
    summed = hashlib.sha256()
    for line in log:
        advance(len(line))
        try:
            clean, count = without_credentials(line.removesuffix(b"\n"), redactor)
        except ValueError:  # torn, or no record: there is no telling what is in it
            left_out += 1
            continue
        clean = unsealed(clean) + b"\n"
        copy.write(clean)
        replaced += count
        summed.update(clean)
        size, records = size + len(clean), records + 1
    if left_out:
        complain(f"{quantity(left_out, 'line')} left out, as no record", 0)
    return Copied(replaced, size, records, summed.hexdigest())


def seal_copy(data_dir: str, info: catalogue.SessionInfo, copied: Copied) -> None:
    """Add the copy of a sealed log to ``seals.jsonl``, so that it can be verified too."""
    session_id = first_session_id(info.path) or info.session_id
    if is_sealed(info.path) or session_id in sealed_sessions(data_dir):
        found = {name: getattr(copied, name) for name in ("bytes", "records", "sha256")}
        add_seal(data_dir, {"session_id": session_id, "copy": "redacted", **found})


def _opened(path: str) -> contextlib.AbstractContextManager[BinaryIO]:
    if path == "-":
        return contextlib.nullcontext(sys.stdout.buffer)
    try:
        return open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb")
    except FileExistsError:
        raise UsageError(f"{path} is there already; give another file with --output") from None
