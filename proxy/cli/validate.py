"""``claude-proxy validate``: judge JSON lines by any published schema, with the verdicts of a session."""

import argparse
import contextlib
import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, BinaryIO

from proxy.cli.arguments import option
from proxy.cli.errors import complain
from proxy.cli.terminal import progress
from proxy.custom_schemas import PREFIX, TimeLimitError, UnusableSchemaError, read_folder
from proxy.protocol.grammar import is_blank
from proxy.protocol.specifications import judge_for
from proxy.sessions import catalogue
from proxy.sessions.reader import parse

if TYPE_CHECKING:
    from proxy.custom_schemas.judge import CustomJudge
    from proxy.protocol import Judgement
    from proxy.protocol.judge import Judge
    from proxy.protocol.specifications import SchemaJudge

_READ_BYTES = 1 << 18  # several times what a pipe or the page cache hands over at once
_OF_SESSION = (
    "is a session, whose records have the verdicts: `claude-proxy show {0}`. To judge its messages anew: "
    "claude-proxy show {0} --json | jq -c 'select(.stream==\"stdout\").message // empty' | claude-proxy validate"
)


def validate_options(parser: argparse.ArgumentParser) -> None:
    """Validate JSON lines and print a JSON line for each: its number, verdict and errors, and with several files its
    file. The exit status is 1 if any line is invalid or malformed.

    Examples:
        claude-proxy validate --schema stdin messages.jsonl
        claude-proxy validate < output.jsonl
    """
    names = "stdout (default), stdin, commands, events, record, ..., or user/NAME (see schemas.directory)"
    option(parser, f"--schema NAME: {names}", default="stdout")
    option(parser, "files FILE ...: JSON lines, not a session (default: standard input)")


def run_validate(args: argparse.Namespace) -> int:
    """Judge the lines of the files, or of standard input, and return the exit status."""
    judge = _judge(args)
    if sys.stdout.isatty():  # whoever looks sees it go on
        return _judge_files(args, judge, lambda step: None)
    with progress("judging", sum(map(_size, args.files)) or None) as advance:
        return _judge_files(args, judge, advance)


def _judge_files(
    args: argparse.Namespace, judge: "Judge | SchemaJudge | CustomJudge", advance: Callable[[int], None]
) -> int:
    """Judge all lines and return the exit status; ``advance`` is told how many bytes were judged."""
    counts: Counter[str] = Counter()
    for name in args.files or ["-"]:
        try:
            with contextlib.nullcontext(sys.stdin.buffer) if name == "-" else open(name, "rb") as file:
                number, is_log = 0, False
                for lines in batches(file):
                    is_log = is_log or (number == 0 and not isinstance(parse(lines[0]), str))
                    messages = {number + at: line for at, line in enumerate(lines, 1) if not is_blank(line)}
                    judgements = judge.judge_lines(list(messages.values()))
                    counts.update(judgement.verdict for judgement in judgements)
                    _print(name if len(args.files) > 1 else None, zip(messages, judgements, strict=True))
                    number += len(lines)
                    advance(sum(map(len, lines)) + len(lines))
        except BrokenPipeError:
            raise  # no fault of the file: whoever reads our answers has seen enough
        except TimeLimitError as error:
            return complain(f"{name}: {error}; make the schema simpler", 2)
        except OSError as error:
            hint = _of_session(args, name) if isinstance(error, FileNotFoundError) else ""
            return complain(f"{name} cannot be read: {error.strerror}{hint}", 2)
        if is_log and args.schema != "record":
            complain(f"{name} {_OF_SESSION.format(name)}", 0)
    total = counts.total()  # without `quantity`, which imports all that makes events
    said = ", ".join(f"{count} {verdict}" for verdict, count in sorted(counts.items())) or "nothing to judge"
    sys.stderr.write(f"{total:,} {'line' if total == 1 else 'lines'}: {said}\n")
    return 1 if counts["invalid"] or counts["malformed"] else 0


def _judge(args: argparse.Namespace) -> "Judge | SchemaJudge | CustomJudge":
    """Return the judge that is asked for. Raises what says that there is none."""
    if not args.schema.startswith(PREFIX):
        return judge_for(args.schema)
    from proxy.cli.settings import settings_of  # noqa: PLC0415 - few have schemas of their own
    from proxy.custom_schemas.judge import CustomJudge  # noqa: PLC0415

    try:
        return CustomJudge(read_folder(settings_of(args).schemas.directory), args.schema)
    except KeyError as error:
        raise UnusableSchemaError(f"{error.args[0]} (schemas.directory says where they are)") from None


def _of_session(args: argparse.Namespace, name: str) -> str:
    """Return what to do instead, when it is a session that is meant: empty when it is not."""
    try:
        catalogue.find(args.data_dir, name)
    except catalogue.SessionLookupError as error:
        return f"; {error}" if name == "latest" else ""
    return f"; it {_OF_SESSION.format(name)}"


def batches(file: BinaryIO) -> Iterator[list[bytes]]:
    """Yield the lines of a file, without their ends, in lists of a bounded number of bytes, or of one line."""
    while lines := file.readlines(_READ_BYTES):
        yield [line.removesuffix(b"\n") for line in lines]


def _size(name: str) -> int:
    try:
        return os.path.getsize(name)
    except OSError:  # which is told when its turn comes
        return 0


def _print(name: str | None, judged: "Iterator[tuple[int, Judgement]]") -> None:
    prefix = b'{"line":' if name is None else b'{"file":%s,"line":' % json.dumps(name).encode()
    out, is_shown = bytearray(), sys.stdout.isatty()  # what a terminal would act on comes as escapes
    for number, judgement in judged:
        errors = [
            {name: getattr(one, name) for name in ("path", "message", "keyword")} for one in judgement.errors
        ]
        shown = json.dumps(errors, ensure_ascii=is_shown).encode(errors="replace") if errors else b"[]"
        out += b'%s%d,"verdict":"%s","errors":%s}\n' % (prefix, number, judgement.verdict.encode(), shown)
    sys.stdout.buffer.write(out)
    sys.stdout.buffer.flush()
