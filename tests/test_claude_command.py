"""The command line of Claude Code is read as Claude Code reads it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.claude_command import Call, guess, read


@pytest.mark.parametrize(
    ("arguments", "values", "operand"),
    [
        (["--model", "opus", "hi"], {"--model": "opus"}, "hi"),
        (["--model=opus", "hi"], {"--model": "opus"}, "hi"),
        (["--model", "opus", "--model", "sonnet"], {"--model": "sonnet"}, None),
        (["-mopus", "hi"], {}, "hi"),
        (["-n", "name", "hi"], {"-n": "name"}, "hi"),
        (["-r", "--verbose", "hi"], {}, "hi"),
        (["-r", "id", "hi"], {"-r": "id"}, "hi"),
        (["--tools", "Read", "Edit", "-p", "hi"], {"--tools": "Read"}, "hi"),
        (["--tools=Read", "hi"], {"--tools": "Read"}, "hi"),
        (["--model"], {}, None),
        (["--verbose=x", "hi"], {}, "hi"),
        (["-p", "--", "--model", "opus"], {}, "--model"),
        (["hi", "--", "there"], {}, "hi"),
    ],
)
def test_values_and_the_operand(arguments: list[str], values: dict[str, str], operand: str | None) -> None:
    """What belongs to an option is its value; the first word that belongs to none is the operand."""
    call = Call(arguments)
    assert (call.values, call.operand) == (values, operand)


def test_a_program_that_is_none() -> None:
    """Another program is no call of Claude Code; what it may pass on is read from its first option on."""
    assert read(["sh", "-c", "claude"]) is None
    assert read([]) is None
    assert guess(["uv", "run", "wrap", "-p", "hi"]).operand == "hi"
    assert guess([]).operand is None
    assert guess(["firejail", "--", "claude", "--permission-prompt-tool", "stdio"]).values == {
        "--permission-prompt-tool": "stdio"
    }
    assert guess(["wrap", "-p", "--", "hi"]).operand == "hi"


WORDS = ["", "-", "-p", "-pc", "-r", "-rx", "--model", "--model=x", "--tools", "--verbose", "a", "b"]


@given(st.lists(st.sampled_from(WORDS)), st.lists(st.sampled_from(WORDS)))
def test_words_behind_the_end_of_options(words: list[str], behind: list[str]) -> None:
    """They are no options and no values, and the first of them is the operand where there is none before."""
    alone, call = Call([*words, "--verbose"]), Call([*words, "--verbose", "--", *behind])
    assert (call.options, call.values) == (alone.options, alone.values)
    assert call.operand == (alone.operand if alone.operand is not None else next(iter(behind), None))


@pytest.mark.parametrize(
    ("arguments", "resumes"),
    [
        (["--resume=x"], True),
        (["-pc"], True),
        (["-r"], True),
        (["--session-id", "-c"], False),
        (["-p", "--", "-c"], False),
    ],
)
def test_whether_it_goes_on_with_a_conversation(arguments: list[str], resumes: bool) -> None:
    """An option that resumes counts wherever it is an option."""
    assert Call(arguments).resumes is resumes
