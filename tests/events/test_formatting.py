"""Figures for people."""

import pytest

from proxy.events.formatting import error_message, format_count, format_dollars, format_duration, quantity


@pytest.mark.parametrize(
    ("milliseconds", "said"),
    [
        (0, "0 ms"),
        (999.4, "999 ms"),
        (999.6, "1.0 s"),
        (12_340, "12.3 s"),
        (59_960, "1 m 00 s"),
        (245_000, "4 m 05 s"),
        (7_830_000, "2 h 10 m"),
        (47 * 3_600_000, "47 h 00 m"),
        (76 * 3_600_000, "3 d 04 h"),
    ],
)
def test_durations_keep_two_figures_of_use(milliseconds: float, said: str) -> None:
    """The unit fits the size, and rounding never gives 60 of one or 1000 of another."""
    assert format_duration(milliseconds) == said


@pytest.mark.parametrize(
    ("cost", "beside", "said"),
    [
        (0, (), "$0.00"),
        (0.0043, (), "$0.0043"),
        (0.7, (), "$0.70"),
        (2394.9, (), "$2,394.90"),
        (0.00001, (), "<$0.0001"),
        (0.0043, (9.0,), "<$0.01"),
        (0, (0.0043,), "$0.0000"),
    ],
)
def test_amounts_of_a_column_have_as_many_digits(cost: float, beside: tuple[float, ...], said: str) -> None:
    """Something is left of small ones, and points stand under points."""
    assert format_dollars(cost, beside) == said


def test_numbers_are_short_and_things_are_counted() -> None:
    """Large ones in thousands and millions; one thing is no plural."""
    assert [format_count(one) for one in (840, 12_340, 999_960, 4_000_000)] == [
        "840",
        "12.3 k",
        "1.0 M",
        "4.0 M",
    ]
    assert [quantity(one, "turn") for one in (1, 0, 1200)] == ["1 turn", "0 turns", "1,200 turns"]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (PermissionError(13, "Permission denied", "/data"), "/data: Permission denied"),
        (OSError(28, "No space left on device"), "No space left on device"),
        (OSError("as it is"), "as it is"),
        (ValueError("as it is"), "as it is"),
    ],
)
def test_faults_of_the_system_are_said_without_numbers(error: Exception, said: str) -> None:
    """What and why, as a shell would say it."""
    assert error_message(error) == said
