"""Text from outside (names, messages, paths) made safe to print: nothing in it can move a terminal's cursor.

At the top, and without imports, as the wrapper's own complaints need it as much as the subcommands and the server do.
"""


class _Escapes(dict[int, str]):
    """What each character is printed as: itself, or ``\\uXXXX`` where it is none that can be seen."""

    def __missing__(self, code: int) -> str:
        char = chr(code)
        if not char.isprintable():
            units = char.encode("utf-16-be", "surrogatepass")  # beyond U+FFFF two of them, as in JSON
            char = "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))
        self[code] = char
        return char


_escapes = _Escapes()
_escapes_but_lines = _Escapes({ord("\n"): "\n", ord("\t"): "\t"})


def escape_controls(text: str, *, keep_lines: bool = False) -> str:
    """Return the text with every character that cannot be printed as ``\\uXXXX``; so JSON stays the same JSON.

    ``keep_lines``: newlines and tabs stay.
    """
    if text.isprintable():
        return text
    return text.translate(_escapes_but_lines if keep_lines else _escapes)
