"""A session as one page that needs nothing else, to be shared and read anywhere."""

import os
from collections.abc import Callable, Iterator, Sequence

from proxy import __version__
from proxy.analysis import Analysis, analyze
from proxy.events import Event, Interpreter, Session, describe, shown_session
from proxy.events.formatting import format_dollars, format_duration
from proxy.sessions import reader
from proxy.sessions.firings import Firing
from proxy.telling.events import tell_crash, tell_record
from proxy.telling.markup import element, escaped

STYLE = os.path.join(os.path.dirname(__file__), "page.css")
"""The file of the page's rules of layout."""
LONGEST = 20_000
"""Characters of a text on such a page."""
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
"""The page's own rules of layout and nothing else: no script, no picture, no other host, whatever it holds."""
_MOST_CRITICAL = 10  # of the head of a page; the analysis has all


Read = Callable[[], Iterator[reader.Entry | reader.Skipped]]
"""Reads a log from its beginning."""


def page_of_log(
    session_id: str, state: str, read: Read, now_us: int, style: str, *, fired: Sequence[Firing] = ()
) -> Iterator[str]:
    """Yield the page of a session in pieces.

    ``state``: what is known of its log otherwise, as the catalogue of sessions says it; ``fired``: what rules found of
    it. The log is read twice, and entries become elements one by one, so that a long session needs no memory.
    """
    session = Session(session_id)
    every = (event for _, events in _interpreted(read, session, fired) for event in events)
    report = analyze(session, every, state, now_us)
    yield _head(describe(session, now_us), report, style)
    for record, events in _interpreted(read, Session(session_id), fired):
        yield from map(element, tell_record(record, events, LONGEST))
    yield from map(element, tell_crash(session))
    yield f"</main>\n<footer>Recorded by claude-proxy {__version__}</footer></body></html>\n"


def _interpreted(
    read: Read, session: Session, fired: Sequence[Firing]
) -> Iterator[tuple[reader.Record | None, list[Event]]]:
    """Yield the records of a log with the events that they make, and at last the events of no record."""
    interpreter = Interpreter(session)
    interpreter.expect(fired)
    for item in read():
        if isinstance(item, reader.Entry):
            yield item.record, interpreter.take(item.record)
    yield None, interpreter.rest()


def _head(about: shown_session.Session, analysis: Analysis, style: str) -> str:
    called = about.name or about.prompt or " ".join(about.command) or about.session_id
    title = escaped(" ".join(called.split()), 200)
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta name="color-scheme" content="light dark">\n<style>{style}</style></head><body>\n'
        f'<header><h1 dir="auto">{title}</h1><dl>{"".join(_facts(about))}</dl>'
        f"<ul>{''.join(_found(analysis))}</ul></header>\n<main>\n"
    )


def _facts(about: shown_session.Session) -> Iterator[str]:
    tokens = about.tokens
    read = sum(tokens.get(name, 0) for name in ("input", "cache_read", "cache_creation"))
    tools = [f"{about.tool_calls:,}"] if about.tool_calls else []
    tools += [f"{about.tool_failures:,} failed"] if about.tool_failures else []
    tools += [f"{about.tool_denials:,} denied"] if about.tool_denials else []
    facts = {
        "state": about.state,
        "outcome": ": ".join(filter(None, (about.outcome, about.outcome_reason))),
        "started": f"{about.started_at[:19].replace('T', ' ')} UTC" if about.started_at else "",
        "duration": format_duration(about.duration_ms),
        "turns": about.turns,
        "tool calls": ", ".join(tools),
        "cost": format_dollars(about.cost) if about.cost is not None else "",
        "tokens": f"{read:,} in, {tokens.get('output', 0):,} out" if tokens else "",
        "model": about.model or "",
        "Claude Code": about.claude_code_version or "",
        "session": about.session_id,
    }
    for name, value in facts.items():
        if value != "":
            yield f"<div><dt>{name}</dt><dd><bdi>{escaped(value, 200)}</bdi></dd></div>"


def _found(analysis: Analysis) -> Iterator[str]:
    """Yield what the analysis says: what was done, where time and money went, what is critical."""
    for sentence in analysis.summary:
        yield f'<li dir="auto">{escaped(sentence, 1000)}</li>'
    critical = [one for one in analysis.anomalies if one.severity == "critical"]
    for one in critical[:_MOST_CRITICAL]:
        yield f'<li dir="auto" class="critical">{escaped(one.time[11:19])} {escaped(one.sentence, 1000)}</li>'
