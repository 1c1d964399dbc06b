"""Measures a wrapper beside the bare stand-in: both in turn, so that a machine whose speed drifts does so for both."""

import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
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


class Bench(msgspec.Struct, frozen=True):
    """How to run one side once."""

    scenario: Scenario
    scratch: str
    patience_s: float
    cancelled: Callable[[], bool]


def measure(target: Target, scenario: Scenario, bench: Bench) -> Measured:
    """Return the medians of both sides, and their ratio.

    Raises:
        StuckError: a run came to no end; the sentence says which side, and where.
    """
    assert scenario.measure is not None
    how = scenario.measure
    sides: dict[str, tuple[Target, list[float]]] = {"bare": (Target(), []), "wrapped": (target, [])}
    for _ in range(how.runs):
        for name, (side, figures) in sides.items():
            try:
                figures.append(_once(side, how, bench))
            except (StuckError, OSError) as error:
                raise StuckError(f"{'the bare stand-in' if name == 'bare' else 'a run'}: {error}") from None
    bare, wrapped = (statistics.median(figures) for _, figures in sides.values())
    return Measured(
        round(bare, 3), round(wrapped, 3), _UNITS[how.what], round(wrapped / max(bare, 1e-9), 3), how.limit
    )


def within(measured: Measured, how: Measurement) -> bool:
    """Tell whether the ratio is within its limit."""
    return measured.ratio >= how.limit if how.what == "throughput" else measured.ratio <= how.limit


def _once(target: Target, how: Measurement, bench: Bench) -> float:
    with tempfile.TemporaryDirectory(dir=bench.scratch) as folder:
        place = Place(f"{folder}/0")
        place.build(bench.scenario.stand_in, journal=False)
        started = time.perf_counter()
        caller = Caller(
            target.argv(place.claude, bench.scenario.arguments),
            environment=target.environment(place.claude, place.mark, place.folder),
            directory=place.directory,
            patience_s=bench.patience_s,
            cancelled=bench.cancelled,
        )
        try:
            figure: float = _FIGURES[how.what](caller, started, place)
            caller.finish(bench.patience_s)
            return figure
        finally:
            caller.close()
            processes.end_all(place.mark, caller.process.pid)


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
