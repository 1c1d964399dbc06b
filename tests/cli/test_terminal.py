"""What reaches a person's terminal."""

from proxy.cli.terminal import one_line, printable


def test_what_could_move_the_cursor_is_replaced() -> None:
    """Escapes, bells, new lines and changes of direction become replacement characters; letters stay."""
    assert printable("a\x1b[2J\x07\n\u202eb\u00e9") == "a\ufffd[2J\ufffd\ufffd\ufffdb\u00e9"


def test_what_is_joined_is_shown_apart() -> None:
    """Families of emoji and the like are as wide as their members, on every terminal."""
    assert printable("\U0001f469\u200d\U0001f467\ufe0f x\u00ad") == "\U0001f469\U0001f467 x"


def test_one_line_is_one_line() -> None:
    """However long, and whatever stands between its words."""
    assert one_line("a\n\n b\u2028c\t" + "d" * 5_000_000, 8) == "a b c d…"


def test_what_is_wanted_is_kept() -> None:
    """Where a text may have several lines, new lines stay."""
    assert printable("a\nb\tc", keep="\n\t") == "a\nb\tc"
