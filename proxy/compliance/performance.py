"""Measures a wrapper beside the bare stand-in: both in turn, so that a machine whose speed drifts does so for both."""

import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any

import psutil

from proxy.compliance import processes
from proxy.compliance.caller import Caller, StuckError, user_message
from proxy.compliance.place import Place
from proxy.compliance.report import Measured
from proxy.compliance.scenario import Measurement, Scenario
from proxy.compliance.target import Target

_ROUNDS = 200  # for a stable median
_WARM = 20  # the first ones find cold caches
_LINE_BYTES = 1000  # a usual message
_UNITS = {"start": "ms", "latency": "ms", "throughput": "MB/s", "memory": "MB"}


Call = Callable[[Target, Place, Scenario], AbstractContextManager[Caller]]
"""Starts a wrapper for a scenario, with the patience of a check."""


def measure(target: Target, scenario: Scenario, call: Call, scratch: str) -> Measured:
    """Return the medians of both sides, and their ratio. ``scratch``: a folder for what the runs need.

    Raises:
        StuckError: a run came to no end; the sentence says which side, and where.
    """
    assert scenario.measure is not None
    how = scenario.measure
    sides: dict[str, tuple[Target, list[float]]] = {
        "the bare stand-in": (Target(), []),
        "a run": (target, []),
    }
    for _ in range(how.runs):
        for name, (side, figures) in sides.items():
            try:
                figures.append(_once(side, scenario, how, call, scratch))
            except (StuckError, OSError) as error:
                raise StuckError(f"{name}: {error}") from None
    bare, wrapped = (statistics.median(figures) for _, figures in sides.values())
    ratio = round(wrapped / max(bare, 1e-9), 3)
    return Measured(round(bare, 3), round(wrapped, 3), _UNITS[how.what], ratio, how.limit)


def within(measured: Measured, how: Measurement) -> bool:
    """Tell whether the ratio is within its limit."""
    return measured.ratio >= how.limit if how.what == "throughput" else measured.ratio <= how.limit


def _once(target: Target, scenario: Scenario, how: Measurement, call: Call, scratch: str) -> float:
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        place = Place(f"{folder}/0")
        place.build(scenario.stand_in, journal=False)
        started = time.perf_counter()
        with call(target, place, scenario) as caller:
            figure: float = _FIGURES[how.what](caller, started, place)
            caller.finish()
            return figure


def _start(caller: Caller, started: float, _: Place) -> float:
    caller.wait_for({})
    return (time.perf_counter() - started) * 1000


def _latency(caller: Caller, _: float, __: Place) -> float:
    """Return the median of one message there and back, which the stand-in echoes."""
    rounds = []
    line = user_message(_LINE_BYTES, 0)
    for _number in range(_WARM + _ROUNDS):
        began = time.perf_counter()
        caller.write(line)
        caller.wait_for({"type": "user"})
        rounds.append(time.perf_counter() - began)
    return statistics.median(rounds[_WARM:]) * 1000


def _throughput(caller: Caller, _: float, __: Place) -> float:
    """Return the speed of a flood, from the message that sets it off to its last line."""
    caller.wait_for({})
    before = len(caller.stdout)
    began = time.perf_counter()
    caller.write(user_message(_LINE_BYTES, 0))
    caller.wait_for_bytes(b'"type":"result"')
    return (len(caller.stdout) - before) / (time.perf_counter() - began) / 1e6


def _memory(caller: Caller, _: float, place: Place) -> float:
    """Return what all processes together hold, after a message in each direction."""
    caller.wait_for({})
    for _number in range(_WARM):
        caller.write(user_message(_LINE_BYTES, 0))
        caller.wait_for({"type": "user"})
    return sum(map(_held, processes.find(place.mark, caller.process.pid))) / 1e6


def _held(process: processes.Found) -> float:
    """Return the memory of a process in bytes: what it shares with others counts by shares, where the system tells."""
    try:
        memory = psutil.Process(process.pid).memory_full_info()
    except psutil.Error:
        return 0
    return int(getattr(memory, "pss", memory.uss))


_FIGURES: Mapping[str, Callable[[Caller, float, Place], Any]] = {
    "start": _start,
    "latency": _latency,
    "throughput": _throughput,
    "memory": _memory,
}
