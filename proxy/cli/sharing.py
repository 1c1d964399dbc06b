"""``claude-proxy show --html``: one session as one file that needs nothing else, to be shared and read anywhere."""

import os
import sys
import time
from collections.abc import Iterator
from typing import Any, TextIO

from proxy import __version__
from proxy.cli.markup import Conversation, escaped
from proxy.cli.overview import duration
from proxy.events import Event, Interpreter, Session, describe
from proxy.sessions import catalogue
from proxy.sessions.reader import Entry, read_log

__all__ = ["write_page"]

_STYLE = os.path.join(os.path.dirname(__file__), "sharing.css")
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
"""The page's own rules of layout and nothing else: no script, no picture, no other host, whatever it holds."""


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
        sys.stderr.write(f"claude-proxy: cannot write {target}: {error.strerror}; give another FILE\n")
        return 1
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
        f'<header><h1 dir="auto">{title}</h1><dl>{"".join(_facts(about))}</dl></header>\n<main>\n'
    )
    conversation = Conversation()
    file.writelines(
        conversation.element(event)
        for event in _events(info.path, info.session_id, over=info.state == "crashed")
    )
    file.write(f"</main>\n<footer>Recorded by claude-proxy {__version__}</footer></body></html>\n")


def _facts(about: dict[str, Any]) -> Iterator[str]:
    tokens = about["tokens"]
    read = sum(tokens.get(name, 0) for name in ("input", "cache_read", "cache_creation"))
    facts = {
        "state": about["state"],
        "started": (about["started_at"] or "")[:19].replace("T", " "),
        "duration": duration(about["duration_ms"]),
        "turns": about["turns"],
        "cost": f"${about['cost']:.4f}" if about["cost"] is not None else "",
        "tokens": f"{read:,} in, {tokens.get('output', 0):,} out" if tokens else "",
        "model": about["model"] or "",
        "Claude Code": about["claude_code_version"] or "",
        "session": about["session_id"],
    }
    for name, value in facts.items():
        if value != "":
            yield f"<div><dt>{name}</dt><dd><bdi>{escaped(value, 200)}</bdi></dd></div>"


def _described(info: catalogue.SessionInfo) -> dict[str, Any]:
    """Return what the status says of the session, with how long it took: by its log's own times when it is over."""
    session = Session(info.session_id)
    for _ in _events(info.path, info.session_id, over=info.state == "crashed", session=session):
        pass
    now_us = time.time_ns() // 1000
    end_us = session.ended_us or now_us
    took = info.duration_ms if info.duration_ms is not None else max(0, end_us - session.started_us) / 1000
    return {**describe(session, now_us), "duration_ms": took if session.started_us else 0}


def _events(path: str, session_id: str, *, over: bool, session: Session | None = None) -> Iterator[Event]:
    interpreter = Interpreter(session or Session(session_id))
    for item in read_log(path):
        if isinstance(item, Entry):
            yield from interpreter.take(item.record)
    if over:
        yield from interpreter.crashed()
