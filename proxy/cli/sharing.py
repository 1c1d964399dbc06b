"""``claude-proxy show --html``: one session as one file that needs nothing else, to be shared and read anywhere."""

import os
import sys
import time
from collections.abc import Iterator
from typing import TextIO

from proxy import telling
from proxy.analysis import SessionAnalysis
from proxy.cli import complain
from proxy.cli.terminal import read_visibly
from proxy.events import Event, Interpreter, Session, describe
from proxy.events.outcome import of_session
from proxy.sessions import catalogue
from proxy.sessions.reader import Entry, Record
from proxy.telling import page, tell, tell_crash, tell_line

__all__ = ["write_page"]

_STYLE = os.path.join(os.path.dirname(telling.__file__), "page.css")


def write_page(info: catalogue.SessionInfo, target: str) -> int:
    """Write a session's page to a file, or to standard output for ``-``; return the exit status."""
    session, analysis = Session(info.session_id), SessionAnalysis(info.session_id)
    for _, events in _read(info, session):
        for event in events:
            analysis.take(event)
    if info.state == "crashed":
        session.mark_crashed()
    if session.over:
        analysis.mark_over(session.state)
    now_us = time.time_ns() // 1000
    report = analysis.report(now_us if info.state == "running" else None)
    with open(_STYLE, encoding="utf-8") as style:
        pieces = page.page(describe(session, now_us), report, _entries(info, session), style.read())
    try:
        if target == "-":
            _write(pieces, sys.stdout)
            return 0
        with open(target, "w", encoding="utf-8") as file:
            _write(pieces, file)
    except BrokenPipeError:
        raise  # whoever reads has seen enough
    except OSError as error:
        return complain(f"cannot write {target}: {error.strerror}; give another FILE", 1, sys.stderr)
    return 0


def _write(pieces: Iterator[str], file: TextIO) -> None:
    file.writelines(pieces)


def _entries(info: catalogue.SessionInfo, session: Session) -> Iterator[telling.Entry]:
    for record, events in _read(info, Session(info.session_id)):
        yield from (tell(event, page.LONGEST) for event in events)
        line = None if events else tell_line(record, page.LONGEST)
        if line is not None:
            yield line
    became = of_session(session)
    if became is not None and became.kind == "crashed":
        yield tell_crash(session)


def _read(info: catalogue.SessionInfo, session: Session) -> Iterator[tuple[Record, list[Event]]]:
    """Yield the records of a log with the events that they make."""
    interpreter = Interpreter(session)
    for _, item in read_visibly({info.path: info.size}):
        if isinstance(item, Entry):
            yield item.record, interpreter.take(item.record)
