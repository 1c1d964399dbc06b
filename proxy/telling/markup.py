"""Entries as HTML, for a page that is shared: safe whatever was recorded.

Rules it lives by:

* Everything that was recorded goes through `escaped`, and stands in an element of its own whose direction is found
  by its first letter: no markup, no control character, no order of writing reaches beyond it.
* Markdown is read without HTML, links and pictures in it: what they name is shown as it stands. Control characters
  are made visible in what comes out, as Markdown can spell them in ways of its own.
* What is long is folded, and shows both its ends.
"""

import html
import json
import re

import pyromark

from proxy.telling.entry import Entry, Part
from proxy.telling.shortening import fold

_DEEPEST = 4  # as in the terminal
_OPENED = 40
"""Lines of a change that is shown at once: about a screen."""
_LONGEST_CODE = 20_000
"""Characters of code that are coloured: more would make a page of spans."""
_CONTROLS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)


def escaped(value: object, longest: int | None = None) -> str:
    """Return a text for HTML, of at most so many characters; control characters are made visible."""
    return html.escape(_visible(str(value)[:longest]))


def element(entry: Entry) -> str:
    """Return the element of an entry."""
    stamp, seq = escaped(entry.timestamp), "" if entry.seq is None else f", record {entry.seq}"
    when = f'<time datetime="{stamp}" title="{stamp}{seq}">{stamp[11:19]}</time>'
    inside = "".join(map(_part, entry.parts))
    return f'<article class="depth{min(entry.depth, _DEEPEST)}">{when}<div>{inside}</div></article>\n'


def _visible(text: str) -> str:
    return _CONTROLS.sub(_shown, text)


def _shown(match: "re.Match[str]") -> str:
    code = ord(match[0])
    if match[0] == "\r":
        return ""
    return chr(0x2400 + code) if code < 0x20 else f"⟨U+{code:04X}⟩"


def _part(part: Part) -> str:
    body = _body(part)
    fields = json.dumps(part.fields, ensure_ascii=False, indent=2, default=str) if part.fields else ""
    more = f'<pre class="text" dir="auto">{escaped(fields)}</pre>' if fields else ""
    marks = f"part {part.kind}{f' {part.tone}' if part.tone else ''}"
    if part.kind == "thinking" and body:
        return f'<details class="{marks}"><summary>{escaped(part.label)}</summary>{body}</details>'
    if part.kind == "call" and (body or more):
        opened = " open" if 0 < len(part.diff) <= _OPENED else ""
        return f'<details class="{marks}"{opened}><summary>{_head(part)}</summary>{body}{more}</details>'
    return f'<div class="{marks}"><p class="head">{_head(part)}</p>{body}{more}</div>'


def _head(part: Part) -> str:
    pieces = [f'<b class="label">{escaped(part.label)}</b>'] if part.kind != "call" else []
    name = "b" if part.kind == "call" else "span"
    pieces += [f'<{name} dir="auto">{escaped(part.title)}</{name}>'] if part.title else []
    pieces += [f'<bdi dir="auto">{escaped(part.summary)}</bdi>'] if part.summary else []
    if figures := [*([part.decided] if part.decided else []), *part.figures]:
        pieces.append(f'<span class="figures">{escaped(" · ".join(figures))}</span>')
    return " ".join(pieces)


def _body(part: Part) -> str:
    if part.diff:
        return f'<pre class="diff" dir="ltr">{"".join(map(_diff_line, part.diff))}</pre>'
    if not part.text:
        return ""
    if part.form == "markdown":
        return f'<div class="prose">{_prose(part.text)}</div>'
    folded = fold(part.text.split("\n"), part.lines or len(part.text))
    if not folded.hidden:
        return _text(part.text, part)
    whole = _text(part.text, part)
    ends = "\n".join([*folded.head, f"… {folded.hidden:,} more lines …", *folded.tail])
    return f'<details class="fold"><summary>{_text(ends, part)}</summary>{whole}</details>'


def _diff_line(line: tuple[str, str]) -> str:
    sign, words = line
    tag = {"-": "del", "+": "ins"}.get(sign, "span")
    return f"<{tag}>{escaped(sign)} {escaped(words)}</{tag}>\n"


def _text(text: str, part: Part) -> str:
    if part.form == "code":
        return f'<pre class="text" dir="auto">{_coloured(text, part.language)}</pre>'
    return f'<p class="text" dir="auto">{escaped(text)}</p>'


def _coloured(code: str, language: str) -> str:
    """Return code with the names of its colours; of an unknown language without."""
    if not language or len(code) > _LONGEST_CODE:
        return escaped(code)
    from pygments import highlight  # noqa: PLC0415 - many sessions have no code
    from pygments.formatters import HtmlFormatter  # noqa: PLC0415
    from pygments.lexers import get_lexer_by_name  # noqa: PLC0415
    from pygments.util import ClassNotFound  # noqa: PLC0415

    try:
        lexer = get_lexer_by_name(language, stripnl=False)
    except ClassNotFound:
        return escaped(code)
    return _visible(str(highlight(code, lexer, HtmlFormatter(nowrap=True))).rstrip("\n"))


# -- Markdown --------------------------------------------------------------------------------------------------

_MARK = "\ue000"
"""Of the private use area: it has no look and no meaning in Markdown. Where it stands is no link and no HTML."""
_LINKS = re.compile(r"(?<=[\]<])")
"""Where the target of a link or picture, its definition, an address in angle brackets or a tag of HTML would begin.

After each such character, whatever follows: as `<*a@b.c>` is an address, too.
"""
_BLOCK = re.compile(r"<(p|h[1-6]|ul|ol|li|blockquote|table|thead|tbody|tr|th|td)(?=[ >])")
_CODE = re.compile(r'<pre><code(?: class="language-([^"]*)")?>(.*?)</code></pre>', re.DOTALL)
"""All that was written stands escaped in what the library makes of it, so a tag is always one of its own."""
_EXTENSIONS = pyromark.Options.ENABLE_TABLES | pyromark.Options.ENABLE_STRIKETHROUGH


def _prose(text: str) -> str:
    """Return Markdown as HTML; each block finds its own direction of writing, so that none reaches beyond it."""
    text = _LINKS.sub(_MARK, _visible(text.replace(_MARK, "\N{REPLACEMENT CHARACTER}")))
    made = pyromark.html(text, options=_EXTENSIONS).replace(_MARK, "")
    return _visible(_CODE.sub(_code, _BLOCK.sub(r'<\1 dir="auto"', made)))


def _code(match: "re.Match[str]") -> str:
    language, code = html.unescape(match[1] or ""), html.unescape(match[2])
    return f'<pre class="text code" dir="ltr">{_coloured(code, language)}</pre>'
