"""``claude-proxy show --html``: one session as one file that needs nothing else, to be shared and read anywhere."""

import sys
import time
from collections.abc import Iterator

from proxy.cli.errors import complain
from proxy.cli.terminal import read_visibly
from proxy.sessions import catalogue
from proxy.sessions.reader import Entry, Skipped
from proxy.telling.page import STYLE, page_of_log


def write_page(info: catalogue.SessionInfo, target: str) -> int:
    """Write a session's page to a file, or to standard output for ``-``; return the exit status."""

    def read() -> Iterator[Entry | Skipped]:
        return (item for _, item in read_visibly({info.path: info.size}))

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
