"""What somebody meant who wrote something else."""

from proxy.nearest import nearest


def test_the_nearest_of_what_is_known() -> None:
    """A slip is understood; what is like nothing is not, and how like it must be can be said."""
    known = ["sessions", "show", "status"]
    assert nearest("sesions", known) == "sessions"
    assert nearest("shwo", iter(known)) == "show"
    assert nearest("zzz", known) is None
    assert nearest("stat", known, cutoff=0.95) is None
