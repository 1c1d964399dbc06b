"""What a change of a text takes out and puts in, line by line."""

from collections.abc import Sequence

_CONTEXT = 3
"""Lines around a change, as `diff -u` shows them."""
MOST_LINES = 400
"""Of a diff: more than a reader goes through in a conversation."""
_MOST_COMPARED = 2000
"""Lines of both sides that are compared: `difflib` takes time with their product, a second for these at worst."""

Lines = list[tuple[str, str]]


def line_diff(before: str, after: str) -> Lines:
    """Return the lines that change and those around them, each behind its sign; ``@`` is where lines are left out."""
    old, new = before.splitlines(), after.splitlines()
    if len(old) + len(new) > _MOST_COMPARED:
        return _bounded([("-", line) for line in old[:MOST_LINES]] + [("+", line) for line in new])
    from difflib import SequenceMatcher  # noqa: PLC0415 - few who tell a conversation show a change

    lines: Lines = []
    for group in SequenceMatcher(None, old, new, autojunk=False).get_grouped_opcodes(_CONTEXT):
        if lines or group[0][1] > 0:
            lines.append(("@", ""))
        for tag, old_from, old_to, new_from, new_to in group:
            if tag == "equal":
                lines += [(" ", line) for line in old[old_from:old_to]]
                continue
            lines += [("-", line) for line in old[old_from:old_to]]
            lines += [("+", line) for line in new[new_from:new_to]]
    return _bounded(lines)


def _bounded(lines: Sequence[tuple[str, str]]) -> Lines:
    more = len(lines) - MOST_LINES
    return [*lines[:MOST_LINES], ("@", f"{more:,} more lines")] if more > 0 else list(lines)
