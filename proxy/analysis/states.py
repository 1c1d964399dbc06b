"""Which states a session was in, for how long, and what it changed to from there."""

from proxy.analysis.report import States, StateTime, Transition
from proxy.events.vocabulary import OVER, STATES, State


class StateTimes:
    """Takes the state after each event."""

    def __init__(self) -> None:
        self.state: State | None = None
        self._since_us = 0
        self._us: dict[str, int] = {}
        self._entered: dict[str, int] = {}
        self._changes: dict[tuple[str, str], int] = {}

    def take(self, state: str | None, us: int) -> None:
        """Take the state after an event; None or an unknown one says nothing."""
        if state == self.state or state not in STATES:
            return
        if self.state is not None:
            self._us[self.state] = self._us.get(self.state, 0) + max(0, us - self._since_us)
            change = self.state, state
            self._changes[change] = self._changes.get(change, 0) + 1
        self._entered[state] = self._entered.get(state, 0) + 1
        self.state, self._since_us = state, us

    def report(self, until_us: int) -> States:
        """Return what is known up to a moment."""
        times = dict(self._us)
        if self.state is not None and self.state not in OVER:
            times[self.state] = times.get(self.state, 0) + max(0, until_us - self._since_us)
        total = sum(times.values())
        leaving: dict[str, int] = {}
        for (source, _), count in self._changes.items():
            leaving[source] = leaving.get(source, 0) + count
        return States(
            transitions=[
                Transition(source, target, count, round(count / leaving[source], 4))
                for (source, target), count in sorted(self._changes.items(), key=lambda item: -item[1])
            ],
            time=[
                StateTime(state, count, times.get(state, 0) / 1000, _share(times.get(state, 0), total))
                for state, count in sorted(self._entered.items(), key=lambda item: -times.get(item[0], 0))
            ],
        )


def _share(part: float, whole: float) -> float:
    return round(part / whole, 4) if whole else 0.0
