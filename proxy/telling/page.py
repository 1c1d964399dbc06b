"""A session as one page that needs nothing else, to be shared and read anywhere."""

from collections.abc import Iterable, Iterator
from typing import Any

from proxy import __version__
from proxy.analysis.report import Analysis, Anomaly
from proxy.events.formatting import format_dollars, format_duration
from proxy.telling.entry import Entry
from proxy.telling.markup import element, escaped

__all__ = ["LONGEST", "page"]

LONGEST = 20_000
"""Characters of a text on such a page."""
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
"""The page's own rules of layout and nothing else: no script, no picture, no other host, whatever it holds."""
_MOST_CRITICAL = 10


def page(about: dict[str, Any], analysis: Analysis, entries: Iterable[Entry], style: str) -> Iterator[str]:
    """Yield the page of a session in pieces.

    ``about``: what the status says of it; ``style``: rules of layout. Entries become elements one by one, so that a
    long session needs no memory.
    """
    called = about["name"] or about["prompt"] or " ".join(about["command"]) or about["session_id"]
    title = escaped(" ".join(called.split()), 200)
    yield (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta name="color-scheme" content="light dark">\n<style>{style}</style></head><body>\n'
        f'<header><h1 dir="auto">{title}</h1><dl>{"".join(_facts(about))}</dl>'
        f"<ul>{''.join(_found(analysis))}</ul></header>\n<main>\n"
    )
    yield from map(element, entries)
    yield f"</main>\n<footer>Recorded by claude-proxy {__version__}</footer></body></html>\n"


def _facts(about: dict[str, Any]) -> Iterator[str]:
    tokens = about["tokens"]
    read = sum(tokens.get(name, 0) for name in ("input", "cache_read", "cache_creation"))
    tools = [f"{about['tool_calls']:,}"] if about["tool_calls"] else []
    tools += [f"{about['tool_failures']:,} failed"] if about["tool_failures"] else []
    tools += [f"{about['tool_denials']:,} denied"] if about["tool_denials"] else []
    facts = {
        "state": about["state"],
        "outcome": ": ".join(filter(None, (about["outcome"], about["outcome_reason"]))),
        "started": f"{about['started_at'][:19].replace('T', ' ')} UTC" if about["started_at"] else "",
        "duration": format_duration(about["duration_ms"]),
        "turns": about["turns"],
        "tool calls": ", ".join(tools),
        "cost": format_dollars(about["cost"]) if about["cost"] is not None else "",
        "tokens": f"{read:,} in, {tokens.get('output', 0):,} out" if tokens else "",
        "model": about["model"] or "",
        "Claude Code": about["claude_code_version"] or "",
        "session": about["session_id"],
    }
    for name, value in facts.items():
        if value != "":
            yield f"<div><dt>{name}</dt><dd><bdi>{escaped(value, 200)}</bdi></dd></div>"


def _found(analysis: Analysis) -> Iterator[str]:
    """Yield what the analysis says: what was done, where time and money went, what is critical."""
    for sentence in analysis.summary:
        yield f'<li dir="auto">{escaped(sentence, 1000)}</li>'
    critical: list[Anomaly] = [one for one in analysis.anomalies if one.severity == "critical"]
    for one in critical[:_MOST_CRITICAL]:
        yield f'<li dir="auto" class="critical">{escaped(one.time[11:19])} {escaped(one.sentence, 1000)}</li>'
