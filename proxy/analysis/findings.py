"""What detectors of anomalies share: how they see an event, and where they put what they found."""

import heapq
import math
from collections import Counter
from typing import Any, Generic, TypeVar

import msgspec

from proxy.analysis.report import Anomaly, Evidence, Severity
from proxy.analysis.spans import Span
from proxy.events import Event
from proxy.events.timestamps import format_timestamp

MOST_OF_A_KIND = 50  # so that one kind cannot crowd out the others
MOST_RECORDS = 20  # evidence to look at; counts say the rest
_T = TypeVar("_T")
Place = tuple[int | None, int]
"""A record, and its timestamp in microseconds since 1970."""


class EventContext(msgspec.Struct):
    """An event with what surrounds it."""

    event: Event
    seq: int | None
    closed: list[Span]
    """What ends with it."""

    @property
    def at(self) -> Place:
        """Its record and its timestamp, as `Findings.add` takes them."""
        return self.seq, self.event.timestamp_us


class Findings(msgspec.Struct):
    """Anomalies: the first of each kind, and counts of all."""

    anomalies: list[Anomaly] = []
    counts: Counter[str] = msgspec.field(default_factory=Counter)

    def add(
        self,
        kind: str,
        severity: Severity,
        at: Place,
        sentence: str,
        *records: int | None,
        **facts: Any,
    ) -> None:
        """Write one down that shows at a place; ``records``: further evidence."""
        self.counts[kind] += 1
        if self.counts[kind] > MOST_OF_A_KIND:
            return
        seq, us = at
        shown = [one for one in dict.fromkeys((seq, *records)) if one is not None][:MOST_RECORDS]
        evidence = Evidence(shown, facts)
        self.anomalies.append(Anomaly(kind, severity, seq, format_timestamp(us), sentence, evidence))


class Detector:
    """What looks for anomalies of some kinds. Those that are certain go into ``over``."""

    TYPES: frozenset[str] = frozenset()
    """Types of events that are looked at even when they end nothing."""

    def __init__(self) -> None:
        self.over = Findings()

    def take(self, context: EventContext) -> None:
        """Take an event that ends something, or is of one of the `TYPES`."""
        raise NotImplementedError

    def find(self, findings: Findings) -> None:
        """Write down what was found, and what stands out by now of what goes on."""
        findings.anomalies += self.over.anomalies
        findings.counts.update(self.over.counts)


class Largest(Generic[_T]):
    """Keeps the things with the largest values."""

    def __init__(self, most: int = 20) -> None:
        self._most = most
        self._heap: list[tuple[float, int, _T]] = []
        self._count = 0

    @property
    def least(self) -> float:
        """What a value must be above for its thing to be kept."""
        return self._heap[0][0] if len(self._heap) >= self._most else -math.inf

    def add(self, value: float, thing: _T) -> None:
        """Take one."""
        self._count += 1
        item = (value, -self._count, thing)  # of equal ones the earlier; things are never compared
        if len(self._heap) < self._most:
            heapq.heappush(self._heap, item)
        elif value > self._heap[0][0]:
            heapq.heapreplace(self._heap, item)

    def items(self) -> list[tuple[float, _T]]:
        """Return them in the order in which they came."""
        return [(value, thing) for value, _, thing in sorted(self._heap, key=lambda item: -item[1])]
