"""The API's description as a page for people: every call, every event, every state."""

import html
import os
import re
from collections.abc import Iterable, Sequence
from string import Template
from types import GenericAlias

from proxy import __version__
from proxy.events.outcome import OUTCOMES
from proxy.events.vocabulary import EVENTS, STATES
from proxy.server.routes.route import Route, plain, schema_name

_PAGE = os.path.join(os.path.dirname(__file__), "manual.html")
_SPECIFICATIONS = "/api/v1/specifications"


def manual(routes: Sequence[Route]) -> str:
    """Return the page; its style is `static/manual.css`."""
    groups: dict[str, list[Route]] = {}
    for route in routes:
        groups.setdefault(_group(route.path), []).append(route)
    index = "".join(f"<h2>{name}</h2>{''.join(map(_link, group))}" for name, group in groups.items())
    meanings = ("streams", "events", "states", "outcomes")
    index += "<h2>meanings</h2>" + "".join(f'<a href="#{name}">{name}</a>' for name in meanings)
    with open(_PAGE, encoding="utf-8") as file:
        page = Template(file.read())
    return page.substitute(
        version=__version__,
        index=index,
        chapters="\n".join(
            f"<h2>{name}</h2>{''.join(map(_section, group))}" for name, group in groups.items()
        ),
        events=_table(
            ("event", "is", "comes from", "carries"),
            ((f"`{name}`", kind.title, kind.source, ", ".join(kind.fields)) for name, kind in EVENTS.items()),
        ),
        outcomes=_table(("outcome", "means"), ((f"`{name}`", text) for name, text in OUTCOMES.items())),
        states=_table(("state", "is"), ((f"`{name}`", kind.meaning) for name, kind in STATES.items())),
    )


def _group(path: str) -> str:
    """Return what the calls of a path are about, as the page's headings have it."""
    if path.startswith("/api/v1/"):
        return path.split("/")[3]
    return "server" if path not in ("/", "/docs", "/openapi.json", "/static/{name:.+}") else "pages"


def _link(route: Route) -> str:
    shortened = re.sub(r"^/api/v1/\w+", "…", plain(route.path)) or plain(route.path)
    return f'<a href="#{_anchor(route)}"><b>{route.method}</b> {html.escape(shortened)}</a>'


def _section(route: Route) -> str:
    needed = "open to everybody" if route.needs == "open" else f"a token needs the scope `{route.needs}`"
    facts = [("access", _marked(needed))]
    parts = [
        f'<section id="{_anchor(route)}">',
        f'<h3><b class="{route.method.lower()}">{route.method}</b> <code>{html.escape(plain(route.path))}</code></h3>',
        f"<p>{_marked(route.summary)}.</p>",
    ]
    if route.parameters:
        rows = ((f"`{one.name}`", one.place, one.text) for one in route.parameters)
        parts.append(_table(("parameter", "in", "is"), rows))
    links = [("body", route.request), ("answer", route.answer)]
    facts += [(what, _schema(model)) for what, model in links if model not in (None, dict)]
    parts += [f'<p class="fact"><span>{what}</span> {value}</p>' for what, value in facts]
    return "".join(parts) + "</section>"


def _schema(model: type | GenericAlias) -> str:
    """Return a link to the schema of a model, or of a list of it."""
    name = schema_name(model.__args__[0] if isinstance(model, GenericAlias) else model)
    link = f'<a href="{_SPECIFICATIONS}/{name}"><code>{name}</code></a>'
    return f"a list of {link}" if isinstance(model, GenericAlias) else link


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head = "".join(f'<th scope="col">{name}</th>' for name in heads)
    body = "".join("<tr>" + "".join(f"<td>{_marked(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f'<div class="wide" tabindex="0"><table><tr>{head}</tr>{body}</table></div>'


def _anchor(route: Route) -> str:
    return re.sub(r"\W+", "-", f"{route.method} {plain(route.path)}").strip("-").lower()


def _marked(text: str) -> str:
    """Return a text as markup, its words in backticks as code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text))
