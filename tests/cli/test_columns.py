"""Tables for terminals."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.text import Text

from proxy.cli.columns import Column, table

COLUMNS = (
    Column("name", right=False),
    Column("calls", 3),
    Column("failed", 2),
    Column("time", 8),
    Column("about", right=False),
)
ROW = ("Bash", "12", "3", "4 m 05 s", "日本語のドキュメントを更新してください and more")


def lines(width: int, *rows: tuple[str | Text, ...]) -> list[str]:
    """Return the lines of a table."""
    return [line.plain for line in table(COLUMNS, rows, width)]


def test_columns_give_way_by_their_weight() -> None:
    """The least important first, whole; the last one is cut, never in the middle of a wide character."""
    heads = [lines(width, ROW)[0].split() for width in (100, 40, 36, 30)]
    assert heads == [
        ["name", "calls", "failed", "time", "about"],
        ["name", "calls", "time", "about"],
        ["name", "calls", "time", "about"],
        ["name", "time", "about"],
    ]
    assert lines(34, ROW)[1].endswith("…")


def test_figures_stand_under_each_other() -> None:
    """Columns of figures end together, whatever stands before them."""
    shown = lines(80, ROW, ("漢字", "1", "", "1.0 s", "x"))
    assert (
        len(
            {
                cell_len(line[: line.index(end) + len(end)])
                for line, end in zip(shown[1:], ("05 s", "1.0 s"), strict=True)
            }
        )
        == 1
    )


def test_what_is_empty_is_left_out() -> None:
    """A column without content is no column; lines do not end in blanks."""
    shown = lines(80, ("Bash", "12", "", "1.0 s", ""))
    assert shown == ["name  calls   time", "Bash     12  1.0 s"]


@given(
    st.lists(st.tuples(*[st.text(max_size=40)] * 5), min_size=1, max_size=4),
    st.integers(min_value=20, max_value=120),
)
def test_no_line_is_wider_than_it_may_be(rows: list[tuple[str, ...]], width: int) -> None:
    """Whatever is in the cells, a table fits, and no control character is in it."""
    for line in lines(width, *rows):
        assert cell_len(line) <= width
        assert line.isprintable()


@pytest.mark.parametrize("width", [1, 5, 10])
def test_no_width_is_too_small(width: int) -> None:
    """A window of a few cells gets a table of a few cells."""
    assert all(cell_len(line) <= max(width, 8) for line in lines(width, ROW))
