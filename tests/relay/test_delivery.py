"""When a caller learns the status: after what the command wrote, and not after what others go on writing."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from proxy.relay.delivery import Delivery, Stalls
from proxy.relay.pump import READ_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator

CAPACITY = 65536


class StillPump:
    """What a delivery looks at, standing still between two pipes."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.source, self.writer = os.pipe()
        self.reader, self.sink = os.pipe()
        self.taken = 0
        self.delivered = 0
        self.ended = False
        self.is_idle = True


@pytest.fixture
def stdout() -> Iterator[StillPump]:
    """Standard output, all of it delivered."""
    yield from open_pump("stdout")


@pytest.fixture
def stdin() -> Iterator[StillPump]:
    """Standard input, all of it delivered."""
    yield from open_pump("stdin")


def open_pump(name: str) -> Iterator[StillPump]:
    """Yield a pump, and close what is left of it."""
    pump = StillPump(name)
    yield pump
    for fd in (pump.source, pump.writer, pump.reader, pump.sink):
        try:
            os.close(fd)
        except OSError:
            continue  # closed by the test


def delivery(*pumps: StillPump) -> Delivery:
    """Return what a relay makes when the command has exited."""
    return Delivery(pumps)  # type: ignore[arg-type]


def test_nothing_left_is_delivered(stdin: StillPump, stdout: StillPump) -> None:
    """Descendants may hold all streams: with nothing under way there is nothing to be waited for."""
    assert delivery(stdin, stdout).is_over(timed_out=False)


def test_what_waits_in_the_pipe_is_to_be_delivered(stdout: StillPump) -> None:
    """What the command wrote and nobody has read yet is waited for."""
    os.write(stdout.writer, b"x")
    end = delivery(stdout)
    assert not end.is_over(timed_out=False)
    os.read(stdout.source, 1)
    assert end.is_over(timed_out=False)


def test_what_was_taken_is_to_be_delivered(stdout: StillPump) -> None:
    """What the pump has read and not yet passed on is waited for."""
    stdout.is_idle = False
    end = delivery(stdout)
    assert not end.is_over(timed_out=False)
    stdout.is_idle = True
    assert end.is_over(timed_out=False)


def test_descendants_that_write_without_end(stdout: StillPump) -> None:
    """A stream that never runs dry is waited for as far as the command itself can have filled it."""
    stdout.taken, stdout.delivered, stdout.is_idle = 1000, 900, False
    os.write(stdout.writer, b"x")
    end = delivery(stdout)
    stdout.delivered = 1000 + CAPACITY + READ_BYTES - 1
    assert not end.is_over(timed_out=False)
    stdout.delivered += 1
    assert end.is_over(timed_out=False)


def test_a_caller_that_takes_nothing(stdout: StillPump) -> None:
    """A caller whose pipe stays full is not reading; one that took something meanwhile is."""
    stdout.is_idle = False
    os.write(stdout.sink, b"x" * CAPACITY)
    end = delivery(stdout)
    assert not end.is_over(timed_out=True)  # it may have taken something until now
    stdout.delivered += 1
    assert not end.is_over(timed_out=True)
    assert not end.is_over(timed_out=False)
    assert end.is_over(timed_out=True)


def test_a_caller_that_would_take(stdout: StillPump) -> None:
    """Where the delay is ours (a slow judgement, a busy machine) the status waits for the output, within a bound."""
    stdout.is_idle = False
    end = delivery(stdout)
    answers = [end.is_over(timed_out=True) for _ in range(21)]
    assert answers == [False] * 20 + [True]


def test_input_that_goes_on(stdin: StillPump) -> None:
    """What a caller goes on writing to descendants keeps the status from nobody."""
    stdin.is_idle = False
    assert delivery(stdin).is_over(timed_out=False)


@pytest.mark.parametrize("name", ["stdin", "stdout"])
def test_a_far_side_that_is_gone(name: str) -> None:
    """A pump that nobody reads from ends at once: its end, and the log's, come before the status."""
    pumps = open_pump(name)
    pump = next(pumps)
    os.close(pump.reader)
    end = delivery(pump)
    assert not end.is_over(timed_out=False)
    pump.ended = True
    assert end.is_over(timed_out=False)
    pumps.close()  # type: ignore[attr-defined]


def test_a_pump_that_has_ended(stdout: StillPump) -> None:
    """One that has closed its descriptors is asked nothing more."""
    stdout.ended = True
    os.close(stdout.source)
    os.close(stdout.sink)
    assert delivery(stdout).is_over(timed_out=False)


class HandClock:
    """A clock that a test sets by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """Return what it shows."""
        return self.now


def stalls(clock: HandClock, *pumps: StillPump, from_descendants: bool = False) -> Stalls:
    """Return what a relay makes when there is nobody to report to, with a patience of 5 s."""
    return Stalls(pumps, 5, from_descendants=from_descendants, clock=clock)  # type: ignore[arg-type]


def names(watch: Stalls) -> list[str]:
    """Return the names of the streams that nobody takes."""
    return [pump.name for pump in watch.stalled()]


def test_a_stream_that_nobody_takes(stdout: StillPump) -> None:
    """What waits for as long as the patience lasts is given up, and not a moment earlier."""
    stdout.is_idle = False
    os.write(stdout.sink, b"x" * CAPACITY)
    clock = HandClock()
    watch = stalls(clock, stdout)
    for now, expected in ((4.9, []), (5.0, ["stdout"])):
        clock.now = now
        assert names(watch) == expected


@pytest.mark.parametrize("moves", ["delivered", "is_idle", "room", "ended"])
def test_a_stream_that_somebody_takes(stdout: StillPump, moves: str) -> None:
    """Whatever moves begins the patience anew: a byte delivered, nothing left to deliver, room to deliver to."""
    stdout.is_idle = False
    os.write(stdout.sink, b"x" * CAPACITY)
    clock = HandClock()
    watch = stalls(clock, stdout)
    clock.now = 4.0
    if moves == "delivered":
        stdout.delivered += 1
    elif moves == "room":
        os.read(stdout.reader, CAPACITY)
    else:
        setattr(stdout, moves, True)
    assert names(watch) == []
    stdout.is_idle = False
    if moves == "room":
        os.write(stdout.sink, b"x" * CAPACITY)
    clock.now = 8.9
    assert names(watch) == []
    clock.now = 9.0
    assert names(watch) == ([] if moves == "ended" else ["stdout"])


@pytest.mark.parametrize("held", [True, False], ids=["by a descendant", "by nobody"])
def test_the_last_words_of_a_command(stdout: StillPump, held: bool) -> None:
    """They wait for as long as their reader is there; not so what a descendant may go on adding to."""
    stdout.is_idle = False
    os.write(stdout.sink, b"x" * CAPACITY)
    os.write(stdout.writer, b"last words")
    if not held:
        os.close(stdout.writer)
    clock = HandClock()
    watch = stalls(clock, stdout, from_descendants=True)
    clock.now = 5.0
    assert names(watch) == (["stdout"] if held else [])
