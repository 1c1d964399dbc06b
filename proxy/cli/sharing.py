"""``claude-proxy show --html``: one session as one file that needs nothing else, to be shared and read anywhere."""

import argparse
import os
import sys
import time
from collections.abc import Iterator

from proxy.cli.errors import complain
from proxy.cli.terminal import read_visibly
from proxy.redaction import Redactor
from proxy.redaction.recorded import without_credentials
from proxy.sessions import catalogue, firings
from proxy.sessions.reader import Entry, Skipped, read_items
from proxy.telling.page import STYLE, page_of_log


def share(arguments: argparse.Namespace) -> int:
    """Write a session's page to a file, or to standard output for ``-``; return the exit status."""
    info, target = catalogue.find(arguments.data_dir, arguments.session), arguments.html
    redactor = None
    if arguments.redact != "off":
        redactor = Redactor(arguments.redact, patterns=arguments.patterns, fields=arguments.fields)

    def read() -> Iterator[Entry | Skipped]:
        with open(info.path, "rb") as log:
            for _, item in read_visibly({info.path: os.path.getsize(info.path)}):
                if redactor is None or isinstance(item, Skipped):
                    yield item
                    continue
                log.seek(item.offset)
                line = log.read(item.end - item.offset - 1)
                yield from read_items([_clean(line, redactor) + b"\n"], item.offset)

    with open(STYLE, encoding="utf-8") as style:
        now_us, fired = time.time_ns() // 1000, firings.beside(info.path)
        pieces = page_of_log(info.session_id, info.state, read, now_us, style.read(), fired=fired)
    try:
        if target == "-":
            sys.stdout.writelines(pieces)
            return 0
        with open(target, "w", encoding="utf-8") as file:
            file.writelines(pieces)
    except BrokenPipeError:
        raise  # whoever reads has seen enough
    except OSError as error:
        return complain(f"cannot write {target}: {error.strerror}; give another FILE")
    return 0


def _clean(line: bytes, redactor: Redactor) -> bytes:
    try:
        return without_credentials(line, redactor)[0]
    except ValueError:  # the reader takes for a record what is not quite JSON, too
        return redactor.text(line)
