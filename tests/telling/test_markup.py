"""A page's elements are safe whatever was recorded."""

import re
from html.parser import HTMLParser

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from proxy.telling.entry import Entry, Form, Part
from proxy.telling.markup import element, escaped

HOSTILE = [
    "<script>hacked()</script><img src=x onerror=hacked()>",
    "[x](javascript:hacked()) ![x](http://evil/x.png) <http://evil> [r]\n\n[r]: http://evil",
    "&#60;script&#62;hacked()&#60;/script&#62; &#x202E;flip &#27;[2J",
    "```<script>\n</pre><script>hacked()</script>\n```",
    "\x1b[2J \u202e \ud83d \x00",
    "<!-- --> <![CDATA[ x ]]> </div></article>",
]
TAGS = re.compile(
    "article|time|div|details|summary|p|b|span|bdi|pre|ins|del|h[1-6]|ul|ol|li|em|strong|s|code|blockquote|table|thead"
    "|tbody|tr|th|td|hr|br"
)
ATTRIBUTES = {"class", "dir", "datetime", "title", "open", "start"}


class Page(HTMLParser):
    """Which elements and attributes some markup has, and its text."""

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""
        self.feed(markup)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.text += data


def drawn(text: str, form: Form) -> Page:
    """Return the element of an entry in which a text stands everywhere."""
    part = Part("call", text, text, text, text, form, text, fields={text: text}, figures=[text])
    change = Part("result", text, diff=[("-", text), ("+", text)], lines=2)
    return Page(element(Entry(text, [part, change], seq=3)))


@pytest.mark.parametrize("form", ["plain", "markdown", "code"])
@pytest.mark.parametrize("text", HOSTILE)
def test_what_was_recorded_is_text(text: str, form: Form) -> None:
    """No element, address or handler of a text's own, no control character and no direction reaches the page."""
    page = drawn(text, form)
    assert all(map(TAGS.fullmatch, page.tags))
    assert page.attributes <= ATTRIBUTES
    assert not re.search("[\x00-\x08\x1b\u202e\ud800-\udfff]", page.text)


PIECES = [
    *"<>[]()!:&;#`*~{|^=-+\\\"' \n\t\r\0a",
    *("```", "</", "<!--", "<?", "<![CDATA[", "&#60;", "&#xe000;", "\ue000", "> ", "- ", "| - |\n"),
    *("script", "img src=x onerror=a()", "http://e", "javascript:a", "a@b.c", "[a]: ", "[^1]", "\u202e"),
]
"""What Markdown and HTML are made of."""


@given(
    st.text() | st.lists(st.sampled_from(PIECES)).map("".join),
    st.sampled_from(["plain", "markdown", "code"]),
)
@example("<*a@b.c>", "markdown")
def test_any_text_is_safe(text: str, form: Form) -> None:
    """Whatever the text is, the page has the elements that we know."""
    page = drawn(text, form)
    assert all(map(TAGS.fullmatch, page.tags))
    assert page.attributes <= ATTRIBUTES


def test_markdown_is_rendered() -> None:
    """Headings, lists, tables, emphasis and code are elements, each of which finds its own direction."""
    said = "# One\n\n- **two**\n\n| a | b |\n| - | - |\n| 1 | 2 |\n\n```python\ndef three(): pass\n```"
    markup = element(
        Entry("2026-01-02T03:04:05.000000Z", [Part("answer", "claude", text=said, form="markdown")])
    )
    for piece in (
        '<h1 dir="auto">One',
        "<strong>two</strong>",
        '<td dir="auto">2',
        '<span class="k">def</span>',
    ):
        assert piece in markup


@pytest.mark.parametrize(
    "said",
    ["[a](b)", "![a](b)", "[a][b]", "[a][]", "<http://a.b>", "<a@b.c>", "<b>", "<!-- a -->", "[a]: http://b"],
)
def test_what_a_link_names_stands_there(said: str) -> None:
    """Links, pictures, their definitions and HTML are shown as they were written: a reader sees where they lead."""
    part = Part(
        "answer", "claude", text=f"{said}\n\n> {said}\n\n- {said}\n\n```\n{said}\n```", form="markdown"
    )
    assert Page(element(Entry("", [part]))).text.count(said) == 4


def test_a_text_of_the_private_use_area_links_nothing() -> None:
    """What keeps links from being links cannot be written by whoever wrote the text."""
    part = Part("answer", "claude", text="[a]\ue000(javascript:b) \ue000", form="markdown")
    page = Page(element(Entry("", [part])))
    assert "[a]\N{REPLACEMENT CHARACTER}(javascript:b)" in page.text
    assert "a" not in page.tags


def test_a_change_is_coloured() -> None:
    """What was taken out and what was put in are elements of their own."""
    markup = element(Entry("", [Part("call", "tool", "Edit", diff=[("-", "<a>"), ("+", "b")])]))
    assert "<del>- &lt;a&gt;</del>" in markup
    assert "<ins>+ b</ins>" in markup


def test_a_fold_shows_both_ends() -> None:
    """Regression: of a long result the beginning was shown, and what failed stands at its end."""
    said = "\n".join(f"line {number}" for number in range(100))
    markup = element(Entry("", [Part("result", "failed", "Bash", text=said, form="code", lines=4)]))
    shown = Page(markup.partition("</summary>")[0]).text
    assert "line 0\nline 1\n… 96 more lines …\nline 98\nline 99" in shown
    assert "line 50" in markup


def test_escaped_shows_control_characters() -> None:
    """They are shown as symbols, and what would reorder a line by its number."""
    assert escaped("a\x1bb\u202e<") == "a\N{SYMBOL FOR ESCAPE}b⟨U+202E⟩&lt;"
