"""What somebody meant who wrote something else."""

from __future__ import annotations

TYPE_CHECKING = False  # `typing` takes long to import, and a command that is not found waits
if TYPE_CHECKING:
    from collections.abc import Iterable


def nearest(word: str, known: Iterable[str], cutoff: float = 0.6) -> str | None:
    """Return the known word that is most like one, None where none is.

    ``cutoff``: how much alike they must be, between 0 and 1; 0.6 is what `difflib` takes for a good match.
    """
    import difflib  # noqa: PLC0415 - only for what is wrong

    return next(iter(difflib.get_close_matches(word, known, n=1, cutoff=cutoff)), None)


def meant(word: str, known: Iterable[str], otherwise: str, cutoff: float = 0.6) -> str:
    """Return the question whether the nearest known word is meant; where none is near, what is said otherwise."""
    near = nearest(word, known, cutoff)
    return f"did you mean {near}?" if near else otherwise
