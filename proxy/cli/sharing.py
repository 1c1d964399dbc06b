"""``claude-proxy show --html``: one session as one file that needs nothing else, to be shared and read anywhere."""

import os
import sys
import tempfile
import time
from collections.abc import Iterator

from proxy.cli.errors import complain
from proxy.cli.terminal import read_visibly
from proxy.redaction import Redactor
from proxy.redaction.recorded import without_credentials
from proxy.sessions import catalogue
from proxy.sessions.reader import Entry, Skipped
from proxy.telling.page import STYLE, page_of_log


def write_page(info: catalogue.SessionInfo, target: str, redactor: Redactor | None) -> int:
    """Write a session's page to a file, or to standard output for ``-``; return the exit status.

    ``redactor``: takes out credentials that the log has.
    """
    if redactor is None:
        return _write(info, info.path, target)
    with tempfile.NamedTemporaryFile() as copy:  # which nobody else can read
        with open(info.path, "rb") as log:
            copy.writelines(_clean(line, redactor) for line in log)
        copy.flush()
        return _write(info, copy.name, target)


def _clean(line: bytes, redactor: Redactor) -> bytes:
    try:
        return without_credentials(line.removesuffix(b"\n"), redactor)[0] + b"\n" * line.endswith(b"\n")
    except ValueError:  # torn, or no record: the page says that it is there
        return redactor.text(line)


def _write(info: catalogue.SessionInfo, path: str, target: str) -> int:
    def read() -> Iterator[Entry | Skipped]:
        return (item for _, item in read_visibly({path: os.path.getsize(path)}))

    with open(STYLE, encoding="utf-8") as style:
        pieces = page_of_log(info.session_id, info.state, read, time.time_ns() // 1000, style.read())
    try:
        if target == "-":
            sys.stdout.writelines(pieces)
            return 0
        with open(target, "w", encoding="utf-8") as file:
            file.writelines(pieces)
    except BrokenPipeError:
        raise  # whoever reads has seen enough
    except OSError as error:
        return complain(f"cannot write {target}: {error.strerror}; give another FILE", 1, sys.stderr)
    return 0
