"""Steps of a sequence that repeat: of 2 to 5, counted without overlaps, each told once.

While steps come in, every piece of 2 to 5 steps is counted where it does not overlap its own last occurrence. What
is left to say at the end is told apart from its noise: pieces of a longer pattern, a pattern that begins elsewhere
in the same round (B A of A B A B), rounds of a shorter one (A B A B of A B).
"""

from proxy.analysis.report import Pattern

SHORTEST, LONGEST = 2, 5
MOST_NAMES = 1000
"""Different steps that are told apart; further ones are all called ``(other)``."""
MOST_PIECES = 50_000
"""Different pieces that are counted; when there are more, those that came least often are forgotten."""
MOST_CANDIDATES = 400
"""Repeating pieces that are looked at in the end: those that cover most."""
_BITS = 10
_CUTS = [(length, (1 << (_BITS * length)) - 1) for length in range(SHORTEST, LONGEST + 1)]
"""Lengths of pieces, and what cuts the last so many steps out of a number of all of them."""
_OTHER = "(other)"

_Steps = tuple[int, ...]


class Patterns:
    """Takes steps one by one and says which patterns repeat."""

    def __init__(self) -> None:
        self.length = 0
        self._names: dict[str, int] = {}
        self._last = 0  # the last steps in one number, so many bits each
        # A piece: how often it came, and where its last occurrence ends.
        self._pieces: dict[int, list[int]] = {}

    def add(self, step: str) -> None:
        """Take the next step."""
        number = self._names.get(step)
        if number is None:
            name = step if len(self._names) < MOST_NAMES - 1 else _OTHER
            number = self._names.setdefault(name, len(self._names) + 1)
        self.length += 1
        last = self._last = (self._last << _BITS | number) & _CUTS[-1][1]
        pieces, end = self._pieces, self.length
        for length, cut in _CUTS:
            if length > end:
                return
            found = pieces.get(last & cut)
            if found is None:
                pieces[last & cut] = [1, end]
            elif end - length >= found[1]:
                found[0] += 1
                found[1] = end
        if len(pieces) > MOST_PIECES:
            self._forget_rare()

    def found(self, most: int = 10) -> list[Pattern]:
        """Return the patterns that repeat, those first that cover most of the sequence."""
        counts = {self._steps(key): count for key, (count, _) in self._pieces.items() if count > 1}
        reported: list[tuple[_Steps, int]] = []
        for steps, count in sorted(counts.items(), key=_rank)[:MOST_CANDIDATES]:
            if not _is_round_of_shorter(steps, count, counts) and not any(
                _is_explained(steps, count, *other) for other in reported
            ):
                reported = [other for other in reported if not _is_explained(*other, steps, count)]
                reported.append((steps, count))
        names = {number: name for name, number in self._names.items()}
        return [
            Pattern([names[number] for number in steps], count, round(count * len(steps) / self.length, 4))
            for steps, count in sorted(reported, key=_rank)[:most]
        ]

    def _forget_rare(self) -> None:
        counts = sorted(count for count, _ in self._pieces.values())
        limit = counts[len(counts) // 2]
        self._pieces = {key: piece for key, piece in self._pieces.items() if piece[0] > limit}

    @staticmethod
    def _steps(key: int) -> _Steps:
        steps = []
        while key:
            steps.append(key & ((1 << _BITS) - 1))
            key >>= _BITS
        return tuple(reversed(steps))


def _rank(item: tuple[_Steps, int]) -> tuple[int, int, _Steps]:
    steps, count = item
    return -count * len(steps), -len(steps), steps


def _is_round_of_shorter(steps: _Steps, count: int, counts: dict[_Steps, int]) -> bool:
    """Whether the piece is what a shorter pattern looks like when it comes again and again."""
    for period in range(1, len(steps)):
        if any(steps[at] != steps[at - period] for at in range(period, len(steps))):
            continue
        if period == 1:
            return len(steps) > SHORTEST
        rounds = len(steps) / period
        return rounds >= 2 or counts.get(steps[:period], 0) >= 1.5 * count
    return False


def _is_explained(steps: _Steps, count: int, by: _Steps, by_count: int) -> bool:
    """Whether a pattern is there only because another one is."""
    if len(steps) > len(by) or steps == by:
        return False
    # A round goes on into the next one, so a piece may also lie across the end.
    circle = by + by[: len(steps) - 1]
    within = sum(circle[at : at + len(steps)] == steps for at in range(len(by)))
    if within:
        return count <= within * by_count * 1.1 + 1
    # Of rounds that are longer than a pattern can be: another piece, most of which has been told.
    most = range((len(steps) + 1) // 2, len(steps))
    overlaps = any(steps[:n] == by[-n:] or steps[-n:] == by[:n] for n in most if n >= SHORTEST)
    return overlaps and count <= 1.1 * by_count + 1
