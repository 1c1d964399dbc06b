"""Tables for terminals: columns that fit the width, whatever is in them.

Rules it lives by:

* No line is wider than the table may be, counted in cells: a Chinese character takes two.
* When it is too narrow, whole columns give way, the least important first, and what is left stays whole.
* The last column takes what is left over and is cut. What was recorded stands there: text that is written from right
  to left reorders what stands behind it on its line, and so there is nothing.
* No line ends in blanks.
"""

from collections.abc import Sequence
from typing import NamedTuple

from rich.text import Text

from proxy.cli.terminal import printable

_GAP = 2  # cells between columns
_LONGEST_FIRST = 28  # cells: ids are shorter when they are unambiguous


class Column(NamedTuple):
    """A column; of two that do not fit the one with the smaller ``weight`` gives way.

    ``least``: cells that the last column has at least, if it needs them.
    """

    heading: str
    weight: int = 9
    right: bool = True
    least: int = 12


def table(columns: Sequence[Column], rows: Sequence[Sequence[str | Text]], width: int) -> list[Text]:
    """Return the lines of a table, its headings first. A column without a heading and content is left out."""
    cells = [[cell if isinstance(cell, Text) else Text(printable(cell)) for cell in row] for row in rows]
    shown = [at for at in range(len(columns)) if any(row[at].plain for row in cells)]
    last = shown[-1] if shown else 0
    wide = {
        at: max(len(columns[at].heading), *(row[at].cell_len for row in cells)) for at in shown if at != last
    }
    if 0 in wide and not columns[0].right:
        wide[0] = min(wide[0], _LONGEST_FIRST)
    need = max((row[last].cell_len for row in cells), default=0)
    # A last column of figures must be whole, one of text may be cut.
    room = need if columns[last].right else min(need, columns[last].least)
    room = max(room, len(columns[last].heading))
    while wide and sum(wide.values()) + _GAP * len(wide) + room > width:
        least = min((at for at in wide if at), key=lambda at: (columns[at].weight, -at), default=0)
        if least == 0:
            wide[0] = max(1, width - _GAP - room)
            break
        del wide[least]
    left = max(1, width - sum(wide.values()) - _GAP * len(wide))
    wide[last] = min(left, max(need, len(columns[last].heading)))
    heading = [Text(column.heading, style="dim") for column in columns]
    lines = [*([heading] if any(columns[at].heading for at in wide) else []), *cells]
    return [_line(line, columns, wide) for line in lines]


def _line(cells: Sequence[Text], columns: Sequence[Column], wide: dict[int, int]) -> Text:
    """Return the cells that are shown, each cut and filled to the width of its column."""
    fitted = {at: cells[at].copy() for at in sorted(wide)}
    for at, cell in fitted.items():
        cell.truncate(wide[at], overflow="ellipsis")
        cell.align("right" if columns[at].right else "left", wide[at])
    line = Text(" " * _GAP).join(fitted.values())
    line.rstrip()
    return line
