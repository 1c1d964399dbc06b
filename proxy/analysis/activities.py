"""Where the time goes: what a session waits for, exactly one thing at each moment, and which states it is in."""

import copy
from collections import Counter
from typing import get_args

from proxy.analysis.distribution import Distribution, share
from proxy.analysis.report import Activity, ActivityTime, States, StateTime, Transition
from proxy.analysis.spans import Span
from proxy.events.vocabulary import OVER, STATES, State


class Activities:
    """Follows one activity after the other."""

    def __init__(self) -> None:
        self.activity: Activity | None = None
        self._since_us = 0
        self._seq: int | None = None
        self._parent: str | None = None
        self._spans: dict[Activity, Distribution] = {name: Distribution() for name in get_args(Activity)}

    def turn_to(self, activity: Activity | None, us: int, seq: int | None, parent: str | None) -> Span | None:
        """Go over to another activity; return the stretch that ends, if it is to be drawn."""
        if activity == self.activity and parent == self._parent:
            return None
        ended = self.current(us)
        if self.activity is not None:
            self._spans[self.activity].add((us - self._since_us) / 1000)
        self.activity, self._since_us, self._seq, self._parent = activity, us, seq, parent
        if ended is not None:
            ended.end_us, ended.end_seq, ended.outcome = us, seq, "completed"
        return ended

    def current(self, us: int) -> Span | None:
        """Return the stretch that goes on, if it is to be drawn and has lasted at all."""
        since_us = self._since_us
        match self.activity:
            # The others show as the bars of what is waited for.
            case "model" | "user" | "background" | "compacting" as kind if us > since_us:
                return Span(kind, f"{kind}@{since_us}", since_us, self._seq, kind, self._parent)
        return None

    def times(self, until_us: int, total_ms: float) -> list[ActivityTime]:
        """Return the time of each activity that took any, with the stretch that goes on, the longest first."""
        found = []
        for activity, stretches in self._spans.items():
            spans = stretches
            if activity == self.activity and until_us > self._since_us:
                spans = copy.deepcopy(stretches)  # it has not ended, and the next report sees more of it
                spans.add((until_us - self._since_us) / 1000)
            if ms := spans.total:
                found.append(ActivityTime(activity, round(ms, 3), share(ms, total_ms), spans.statistics()))
        return sorted(found, key=lambda one: -one.ms)


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
        changes = self._changes.most_common()
        leaving: Counter[str] = Counter()
        for (source, _), count in changes:
            leaving[source] += count
        return States(
            [Transition(*ends, count, share(count, leaving[ends[0]])) for ends, count in changes],
            [
                StateTime(state, count, times[state] / 1000, share(times[state], times.total()))
                for state, count in sorted(self._entered.items(), key=lambda item: -times[item[0]])
            ],
        )
