"""What changes of a text is told line by line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.telling.diff import MOST_LINES, line_diff

LINES = st.lists(st.sampled_from(["a", "b", "c", ""]), max_size=30).map("\n".join)


@given(LINES, LINES)
def test_a_diff_leads_from_one_text_to_the_other(before: str, after: str) -> None:
    """Its removed lines are of the text before, its added ones of the one after, in their order."""
    lines = line_diff(before, after)
    for sign, text in (("-", before), ("+", after)):
        rest = iter(text.splitlines())
        assert all(line in rest for mark, line in lines if mark == sign)
    same = [line for mark, line in lines if mark == " "]
    removed = [line for mark, line in lines if mark == "-"]
    if before.splitlines() == after.splitlines():
        assert lines == []
    else:
        assert len(same) + len(removed) <= len(before.splitlines())


def test_what_is_far_from_a_change_is_left_out() -> None:
    """Three lines around a change are shown, and a mark where others are left out."""
    before = [str(number) for number in range(30)]
    after = [*before[:10], "new", *before[11:20], *before[21:]]
    lines = line_diff("\n".join(before), "\n".join(after))
    assert lines[0] == ("@", "")
    assert ("-", "10") in lines
    assert ("+", "new") in lines
    assert lines.count(("@", "")) == 2
    assert (" ", "7") in lines
    assert (" ", "6") not in lines


@pytest.mark.parametrize("size", [MOST_LINES, 5000])
def test_a_diff_is_bounded(size: int) -> None:
    """However long the texts are, the lines are bounded, and how many are missing is said."""
    lines = line_diff("x\n" * size, "y\n" * size)
    assert len(lines) == MOST_LINES + 1
    assert lines[-1][0] == "@"
    assert "more lines" in lines[-1][1]
