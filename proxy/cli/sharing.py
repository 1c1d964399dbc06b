"""``claude-proxy show --html``: one session as one file that needs nothing else, to be shared and read anywhere."""

import os
import sys
import time
from collections.abc import Iterator
from typing import Any, TextIO

from proxy import __version__
from proxy.analysis import SessionAnalysis
from proxy.cli import complain
from proxy.cli.markup import Conversation, escaped
from proxy.cli.terminal import read_visibly
from proxy.events import Event, Interpreter, Session, describe
from proxy.events.formatting import format_dollars, format_duration
from proxy.sessions import catalogue
from proxy.sessions.reader import Entry, Record

__all__ = ["write_page"]

_STYLE = os.path.join(os.path.dirname(__file__), "sharing.css")
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
"""The page's own rules of layout and nothing else: no script, no picture, no other host, whatever it holds."""


_MOST_CRITICAL = 10


def write_page(info: catalogue.SessionInfo, target: str) -> int:
    """Write a session's page to a file, or to standard output for ``-``; return the exit status."""
    about = _described(info)
    try:
        if target == "-":
            _write(info, about, sys.stdout)
            return 0
        with open(target, "w", encoding="utf-8") as file:
            _write(info, about, file)
    except BrokenPipeError:
        raise  # whoever reads has seen enough
    except OSError as error:
        return complain(f"cannot write {target}: {error.strerror}; give another FILE", 1, sys.stderr)
    return 0


def _write(info: catalogue.SessionInfo, about: dict[str, Any], file: TextIO) -> None:
    with open(_STYLE, encoding="utf-8") as style:
        rules = style.read()
    called = about["name"] or about["prompt"] or " ".join(about["command"]) or about["session_id"]
    title = escaped(" ".join(called.split()), 200)
    file.write(
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta name="color-scheme" content="light dark">\n<style>{rules}</style></head><body>\n'
        f'<header><h1 dir="auto">{title}</h1><dl>{"".join(_facts(about))}</dl>'
        f"<ul>{''.join(_found(about))}</ul></header>\n<main>\n"
    )
    conversation = Conversation()
    for record, events in _read(info, Session(info.session_id)):
        file.writelines(conversation.element(event) for event in events)
        if not events and _is_plain(record):
            file.write(conversation.line(record))
    file.write(f"</main>\n<footer>Recorded by claude-proxy {__version__}</footer></body></html>\n")


def _facts(about: dict[str, Any]) -> Iterator[str]:
    tokens = about["tokens"]
    read = sum(tokens.get(name, 0) for name in ("input", "cache_read", "cache_creation"))
    facts = {
        "state": about["state"],
        "outcome": ": ".join(filter(None, (about["outcome"], about["outcome_reason"]))),
        "started": f"{about['started_at'][:19].replace('T', ' ')} UTC" if about["started_at"] else "",
        "duration": format_duration(about["duration_ms"]),
        "turns": about["turns"],
        "cost": format_dollars(about["cost"]) if about["cost"] is not None else "",
        "tokens": f"{read:,} in, {tokens.get('output', 0):,} out" if tokens else "",
        "model": about["model"] or "",
        "Claude Code": about["claude_code_version"] or "",
        "session": about["session_id"],
    }
    for name, value in facts.items():
        if value != "":
            yield f"<div><dt>{name}</dt><dd><bdi>{escaped(value, 200)}</bdi></dd></div>"


def _found(about: dict[str, Any]) -> Iterator[str]:
    """Yield what the analysis says: what was done, where time and money went, what is critical."""
    for sentence in about["summary"]:
        yield f'<li dir="auto">{escaped(sentence, 1000)}</li>'
    for one in about["critical"][:_MOST_CRITICAL]:
        yield f'<li dir="auto" class="critical">{escaped(one.time[11:19])} {escaped(one.sentence, 1000)}</li>'


def _is_plain(record: Record) -> bool:
    """Whether a line is no message of Claude Code's: of stderr, or of a stream that carries text."""
    return record.stream == "stderr" or (record.stream in ("stdin", "stdout") and record.verdict == "text")


def _described(info: catalogue.SessionInfo) -> dict[str, Any]:
    """Return what the status and the analysis say of a session, with how long it took."""
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
    return {
        **describe(session, now_us),
        "summary": report.summary,
        "critical": [one for one in report.anomalies if one.severity == "critical"],
    }


def _read(info: catalogue.SessionInfo, session: Session) -> Iterator[tuple[Record, list[Event]]]:
    """Yield the records of a log with the events that they make."""
    interpreter = Interpreter(session)
    for _, item in read_visibly({info.path: info.size}):
        if isinstance(item, Entry):
            yield item.record, interpreter.take(item.record)
