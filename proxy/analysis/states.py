"""Which states a session was in, for how long, and what it changed to from there."""

from collections import Counter

from proxy.analysis.distribution import share
from proxy.analysis.report import States, StateTime, Transition
from proxy.events.vocabulary import OVER, STATES, State


class StateTimes:
    """Takes the state after each event."""

    def __init__(self) -> None:
        self.state: State | None = None
        self._since_us = 0
        self._us: Counter[str] = Counter()
        self._entered: Counter[str] = Counter()
        self._changes: Counter[tuple[str, str]] = Counter()

    def take(self, state: str | None, us: int) -> None:
        """Take the state after an event; None or an unknown one says nothing."""
        if state == self.state or state not in STATES:
            return
        if self.state is not None:
            self._us[self.state] += max(0, us - self._since_us)
            self._changes[self.state, state] += 1
        self._entered[state] += 1
        self.state, self._since_us = state, us

    def report(self, until_us: int) -> States:
        """Return what is known up to a moment."""
        times = self._us.copy()
        if self.state is not None and self.state not in OVER:
            times[self.state] += max(0, until_us - self._since_us)
        leaving: Counter[str] = Counter()
        for (source, _), count in self._changes.items():
            leaving[source] += count
        return States(
            transitions=[
                Transition(source, target, count, share(count, leaving[source]))
                for (source, target), count in self._changes.most_common()
            ],
            time=[
                StateTime(state, count, times[state] / 1000, share(times[state], times.total()))
                for state, count in sorted(self._entered.items(), key=lambda item: -times[item[0]])
            ],
        )
