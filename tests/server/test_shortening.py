"""What is long is shortened, and says so."""

from hypothesis import given
from hypothesis import strategies as st

from proxy.server.shortening import shortened, shortened_event
from proxy.store.spelling import as_json

ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(ANY)
def test_what_is_short_stays_as_it_is(value: object) -> None:
    """Nothing is taken from a value that is within the bounds."""
    assert shortened(value, 10_000) == (value, False)


def test_texts_lists_and_depth_are_bounded() -> None:
    """A long text says how much is missing, a long list how many, and a deep value ends."""
    assert shortened("x" * 12, 10) == ("xxxxxxxxxx… 2 more characters", True)
    items, cut = shortened(list(range(1000)), 10)
    assert (len(items), items[-1], cut) == (201, "… 800 more", True)
    deep: object = 1
    for _ in range(400):
        deep = [deep]
    assert shortened(deep, 10)[1]


def test_many_small_values_are_bounded_together() -> None:
    """A hundred lists of a hundred lists of a hundred numbers are not a million values."""
    wide = [[list(range(100))] * 100] * 100
    value, cut = shortened(wide, 10)
    assert cut
    assert len(as_json(value)) < 100_000


def test_an_event_that_was_shortened_says_so() -> None:
    """Events that are short enough pass untouched; others are marked."""
    event = as_json({"event_type": "a", "data": {"text": "x" * 5000}})
    assert shortened_event(event, None) is event
    assert shortened_event(event, 6000) is event
    short = shortened_event(event, 100)
    assert len(short) < 250
    assert short.endswith(b'"shortened":true}')
