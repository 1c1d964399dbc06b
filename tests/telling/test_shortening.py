"""What is long is shortened, says so, and keeps both its ends."""

import json

from hypothesis import given
from hypothesis import strategies as st

from proxy.telling.shortening import fold, shorten_text, shorten_value

ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(ANY)
def test_what_is_short_stays_as_it_is(value: object) -> None:
    """Nothing is taken from a value that is within the bounds."""
    assert shorten_value(value, 10_000) == (value, False)


@given(st.text(), st.integers(min_value=2, max_value=50))
def test_a_text_keeps_both_ends(text: str, longest: int) -> None:
    """What is left is its beginning and its end, and how much is missing is said between them."""
    shown, cut = shorten_text(text, longest)
    assert cut == (len(text) > longest)
    if not cut:
        assert shown == text
        return
    head, _, rest = shown.partition(f"\n… {len(text) - longest:,} characters …\n")
    assert text.startswith(head)
    assert text.endswith(rest)
    assert len(head) + len(rest) == longest


@given(st.lists(st.integers()), st.integers(min_value=2, max_value=20))
def test_a_fold_leaves_out_the_middle(lines: list[int], most: int) -> None:
    """So many lines are left, from both ends, and never is a single one left out, which would take a line to say."""
    head, hidden, tail = fold(lines, most)
    assert [*head, *lines[len(head) : len(head) + hidden], *tail] == lines
    assert hidden != 1
    assert hidden == 0 or len(head) + len(tail) == most


def test_texts_lists_and_depth_are_bounded() -> None:
    """A long text says how much is missing, a long list how many, and a deep value ends."""
    assert shorten_value("x" * 12, 10) == ("xxxxxxxxxx… 2 more characters", True)
    items, cut = shorten_value(list(range(1000)), 10)
    assert (len(items), items[-1], cut) == (201, "… 800 more", True)
    deep: object = 1
    for _ in range(400):
        deep = [deep]
    assert shorten_value(deep, 10)[1]


def test_many_small_values_are_bounded_together() -> None:
    """A hundred lists of a hundred lists of a hundred numbers are not a million values."""
    wide = [[list(range(100))] * 100] * 100
    value, cut = shorten_value(wide, 10)
    assert cut
    assert len(json.dumps(value)) < 100_000
