"""What reaches a person's terminal."""

from proxy.cli.terminal import printable


def test_what_could_move_the_cursor_is_replaced() -> None:
    """Escapes, bells, new lines and changes of direction become replacement characters; letters stay."""
    assert printable("a\x1b[2J\x07\n\u202eb\u00e9") == "a\ufffd[2J\ufffd\ufffd\ufffdb\u00e9"


def test_what_is_wanted_is_kept() -> None:
    """Where a text may have several lines, new lines stay."""
    assert printable("a\nb\tc", keep="\n\t") == "a\nb\tc"
