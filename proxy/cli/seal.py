"""``claude-proxy seal`` and ``verify``: sign what a log is, and tell whether it still is that."""

import argparse
import os
import socket
import sys
from collections.abc import Iterator

from proxy.cli.arguments import add_session, option
from proxy.cli.errors import FailedError, UsageError, complain
from proxy.cli.terminal import print_answer, printable
from proxy.events.formatting import error_message, quantity
from proxy.sessions import catalogue
from proxy.sessions.identity import SIGNATURE_SUFFIX, log_path
from proxy.sessions.sealing import seals_path
from proxy.upkeep.seals import Seal, Seals, decode_seal, read_seals, seals_of
from proxy.upkeep.signatures import SignatureError, sign, signed_by
from proxy.upkeep.verification import Completeness, Verdict, first_session_id, seal_log, verify

_URL_S = 30  # seconds without an answer: a file server is faster
_MOST_BYTES = 1 << 30  # millions of lines


def seal_options(parser: argparse.ArgumentParser) -> None:
    """Add the line of a finished session to DATA_DIR/seals.jsonl, if there is none.

    With --key, sign that line with ssh-keygen and write the signature to a file .sig beside the log. See docs/seal.md.

    Examples:
        claude-proxy seal latest --key ~/.ssh/id_ed25519
    """
    add_session(parser)
    option(parser, "--key FILE: an SSH key: a private one, or a public one whose private one an agent has")


def verify_options(parser: argparse.ArgumentParser) -> None:
    """Check whether sealed logs are unchanged, and report gaps that are on record.

    The exit status is 1 if a log is changed, shorter than its seal or missing, or the seals themselves are changed. See
    docs/seal.md.

    Examples:
        claude-proxy verify latest
        claude-proxy verify --against kept-elsewhere.jsonl --json
    """
    add_session(parser, "*", " (default: all sessions)")
    elsewhere = "seals that are stored elsewhere: a copy of seals.jsonl, or the received lines"
    option(parser, f"--against FILE|URL: {elsewhere}")
    option(parser, "--signers FILE: accepted signers, in the format of ssh-keygen(1)")
    option(parser, "--json: print JSON")


def run_seal(arguments: argparse.Namespace) -> None:
    """Seal a session, and sign that."""
    info = catalogue.find(arguments.data_dir, arguments.session)
    session_id, path = _identity(arguments.data_dir, info)
    if info.state == "running":
        raise FailedError(f"{session_id} is running; seal it when it has ended")
    line = _line_of(arguments.data_dir, session_id, path)
    verdict = verify(session_id, path, [decode_seal(line)])
    if verdict.is_alarm:
        raise FailedError(f"{session_id} is {verdict.integrity}; it is not sealed")
    if arguments.key is not None:
        _write_signature(path + SIGNATURE_SUFFIX, line, arguments.key)
    sys.stdout.write(line.decode() + "\n")


def _line_of(data_dir: str, session_id: str, path: str) -> bytes:
    """Return the newest line about a log, made where there is none."""
    for look_again in (True, False):
        lines = [line for line, seal in seals_of(data_dir).lines if _is_of(seal, session_id)]
        if lines:
            return lines[-1]
        if look_again:
            seal_log(data_dir, session_id, path)
    raise OSError(0, "the line cannot be written", seals_path(data_dir))


def _is_of(seal: Seal, session_id: str) -> bool:
    return seal.session_id == session_id and not seal.copy and not seal.removed_by


def _write_signature(path: str, line: bytes, key: str) -> None:
    if os.path.exists(path):
        raise SignatureError(f"{path} is there already; move it away to sign anew")
    signature = sign(line, key)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
        file.write(signature)


def run_verify(arguments: argparse.Namespace) -> int:
    """Verify sessions; return the exit status."""
    data_dir = arguments.data_dir
    try:
        here = seals_of(data_dir)
        elsewhere = Seals() if arguments.against is None else _against(arguments.against)
        if arguments.signers is not None:
            os.stat(arguments.signers)
        verdicts = [
            _verdict(session_id, path, here, elsewhere, arguments.signers)
            for session_id, path in _logs(data_dir, arguments.sessions, here, elsewhere)
        ]
    except (SignatureError, OSError) as error:
        return complain(error_message(error) if isinstance(error, OSError) else error, 2)
    answer = {"sessions": verdicts, "seals": {"lines": len(here.lines), "changed_at": here.changed_at}}
    print_answer(arguments, answer, *(printable(_told(verdict)) for verdict in verdicts))
    if here.changed_at is not None:
        complain(f"{seals_path(data_dir)} is changed at line {here.changed_at}")
    return int(here.changed_at is not None or any(verdict.is_alarm for verdict in verdicts))


def _verdict(
    session_id: str, path: str | None, here: Seals, elsewhere: Seals, signers: str | None
) -> Verdict:
    signed, signature = [], None
    if path is not None and signers is not None and os.path.exists(path + SIGNATURE_SUFFIX):
        lines = [line for line, seal in (*here.lines, *elsewhere.lines) if _is_of(seal, session_id)]
        if found := signed_by(lines, path + SIGNATURE_SUFFIX, signers):
            signed, signature = [decode_seal(found[0])], f"by {found[1]}"
        else:
            signature = "not valid"
    lines_here, kept = (seals.by_session.get(session_id, []) for seals in (here, elsewhere))
    verdict = verify(session_id, path, lines_here, kept, signed)
    verdict.signature = signature
    return verdict


def _against(place: str) -> Seals:
    """Return the seals that were kept elsewhere. UsageError or OSError when there are none, or they cannot be read."""
    if place.startswith(("http://", "https://")):
        content = _fetched(place)
    else:
        with open(place, "rb") as file:
            content = file.read()
    if not (found := read_seals(content)).lines:
        raise UsageError(f"--against {place} has no seals; it takes the lines of a seals.jsonl")
    return found


def _fetched(url: str) -> bytes:
    # Few keep them there, and it takes long to import.
    from http.client import HTTPException  # noqa: PLC0415
    from urllib.request import urlopen  # noqa: PLC0415

    try:
        with urlopen(url, timeout=_URL_S) as answer:
            content: bytes = answer.read(_MOST_BYTES + 1)
            # Half of them would prove less, and nobody would know.
            if answer.length or len(content) > _MOST_BYTES:
                raise UsageError(f"--against {url} is cut off, or larger than {_MOST_BYTES:,} bytes")
            return content
    except (OSError, HTTPException, ValueError) as error:
        why = getattr(error, "reason", None) or error
        said = error_message(why) if isinstance(why, OSError) else why
        raise UsageError(f"--against {url} cannot be read: {said}") from None


def _logs(data_dir: str, texts: list[str], here: Seals, elsewhere: Seals) -> Iterator[tuple[str, str | None]]:
    """Yield which sessions are to be verified, each with its log, None where that is gone."""
    mine = (None, socket.gethostname()), (None, data_dir)
    known = set(here.by_session)
    known |= {
        seal.session_id for _, seal in elsewhere.lines if seal.host in mine[0] and seal.data_dir in mine[1]
    }
    if not texts:
        logs = catalogue.list_logs(data_dir)
        yield from ((session_id, log_path(data_dir, session_id)) for session_id in reversed(logs))
        yield from ((session_id, None) for session_id in sorted(known.difference(logs)))
    for text in texts:
        try:
            yield _identity(data_dir, catalogue.find(data_dir, text))
        except catalogue.NoSuchSessionError:
            gone = [session_id for session_id in known if session_id.startswith(text)]
            if len(gone) != 1 or os.path.exists(log_path(data_dir, gone[0])):
                raise
            yield gone[0], None


def _identity(data_dir: str, info: catalogue.SessionInfo) -> tuple[str, str]:
    """Return whose log that is: at its place its name says it, elsewhere its first record."""
    path = os.path.realpath(info.path)
    if path == os.path.realpath(log_path(data_dir, info.session_id)):
        return info.session_id, path
    return first_session_id(path) or info.session_id, path


def _told(verdict: Verdict) -> str:
    parts = [verdict.integrity + (f" ({verdict.copy} copy)" if verdict.copy else ""), verdict.anchored]
    if verdict.signature:
        parts.append(f"signature {verdict.signature}")
    if verdict.completeness is not None:
        parts.append(_lacks(verdict.completeness))
    return f"{verdict.session_id}  {'; '.join(parts)}"


def _lacks(lacks: Completeness) -> str:
    lost = f"{quantity(lacks.lost_records, 'record')} lost; {', '.join(lacks.reasons)}"
    found = {
        f"{quantity(lacks.gaps, 'gap')} ({lost})": lacks.gaps,
        "no end": not lacks.has_end,
        f"{lacks.truncated} truncated": lacks.truncated,
        f"{lacks.redacted} redacted": lacks.redacted,
        f"{lacks.held_back} held back": lacks.held_back,
        f"{quantity(lacks.torn_bytes, 'byte')} torn": lacks.torn_bytes,
    }
    return ", ".join(said for said, is_so in found.items() if is_so) or "complete"
