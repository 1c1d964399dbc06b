"""The simple commands that a shell command is made of."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from proxy.policy.shell import Command, parse


def words(text: str) -> list[tuple[str, ...]]:
    """Return the words of each command."""
    return [command.words for command in parse(text).commands]


def test_words_are_as_the_command_gets_them() -> None:
    """Without quotes and escapes; what is expanded at run time stays as it is written."""
    assert words("""a "b c" 'd "e"' f\\ g it"'"s "x\\"y" $HOME/x "$Y" """) == [
        ("a", "b c", 'd "e"', "f g", "it's", 'x"y', "$HOME/x", "$Y")
    ]


def test_redirections_name_files() -> None:
    """What is read, what is written; copies of descriptors are neither."""
    (command,) = parse("a < in > out 2>&1").commands
    assert (command.reads, command.writes) == (("in",), ("out",))
    assert [one.writes for one in parse("a | b >> out").commands if one.writes] == [("out",)]
    assert parse("> out").commands == (Command("> out", (), (), ("out",)),)


def test_programs_that_run_others_are_looked_through() -> None:
    """One after the other; for rules that allow, those alone that change nothing."""
    (command, *_) = parse("sudo -u me env A=1 timeout -k 3 5 nice rm x").commands
    assert [each[0] for each in command.unwrapped(transparent=False)] == [
        "sudo",
        "env",
        "timeout",
        "nice",
        "rm",
    ]
    assert [each[0] for each in command.unwrapped(transparent=True)] == ["sudo"]
    (command,) = parse("timeout 5 nice -n 3 rm x").commands
    assert list(command.unwrapped(transparent=True))[-1] == ("rm", "x")


def test_strings_for_shells_are_taken_apart() -> None:
    """As deep as anybody writes them."""
    assert words("bash -lc 'a && b'")[1:] == [("a",), ("b",)]
    assert words("find . -name x -exec rm {} \\; -o -exec mv {} y +")[1:] == [("rm", "{}"), ("mv", "{}", "y")]
    assert parse("bash script.sh").is_complete
    assert not parse("bash").is_complete
    assert not parse("bash -c $X").is_complete


def test_what_is_too_long_is_not_taken_apart() -> None:
    """The limit is twice what Linux takes for one word."""
    assert parse("a" * 256 * 1024).is_complete
    assert not parse("a" * (256 * 1024 + 1)).is_complete


@given(st.text(alphabet=st.sampled_from("ab \"'$(){};&|<>\\\n`-c") | st.characters(), max_size=60))
def test_no_text_breaks_it(text: str) -> None:
    """Whatever a model writes."""
    for command in parse(text).commands:
        for transparent in (True, False):
            assert all(words for words in command.unwrapped(transparent=transparent))
