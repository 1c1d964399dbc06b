"""How long the analysis of a long session takes, and how much memory: ``python -m benchmarks.analysis [EVENTS]``.

A session is made up, of turns with tool calls, permissions and subagents, and shown to the analysis event by event;
nothing of it is kept. Printed are events a second, the time of a report, and what Python's memory grew by at a tenth
of the events and at all of them: that it is bounded shows in the two being alike.
"""

import itertools
import random
import sys
import time
import tracemalloc
from collections.abc import Iterator

import msgspec

from proxy.analysis import SessionAnalysis
from proxy.events import Event
from proxy.events.timestamps import TimestampCodec

__all__ = ["long_session"]

_START_US = 1_767_323_045_000_000
_TOOLS = ("Bash", "Read", "Edit", "Grep", "Write")


def long_session(seed: int = 1) -> Iterator[Event]:
    """Yield the events of a session that never ends."""
    dice, codec = random.Random(seed), TimestampCodec()
    us, seq = _START_US, itertools.count()

    def event(kind: str, state: str, ms: float, **fields: object) -> Event:
        nonlocal us
        us += round(ms * 1000) + 1
        head = {"event": kind, "timestamp": codec.format(us), "state": state, "seq": next(seq)}
        return Event(kind, us, {**head, **fields})

    yield event("session_started", "starting", 0, command=["claude"])
    cost = 0.0
    for turn in itertools.count(1):
        yield event("command_received", "idle", dice.expovariate(1e-4), command={"action": "prompt"})
        yield event("run_started", "executing", 0, run_id=f"run-{turn}", prompt=f"Do thing {turn}")
        for number in range(dice.randrange(1, 40)):
            key, tool = f"t{turn}.{number}", dice.choice(_TOOLS)
            yield event("assistant_message", "executing", dice.expovariate(1e-3), text="I shall.")
            given = {"command": f"run {dice.randrange(10**6)}", "content": "x" * 200}
            yield event("tool_started", "executing", 1, tool=tool, tool_use_id=key, input=given)
            if dice.random() < 0.1:
                about = {"request_id": key, "tool": tool, "tool_use_id": key}
                yield event("permission_requested", "waiting", 1, **about)
                yield event("permission_resolved", "executing", 2000, decision="allow", **about)
            kind = "tool_failed" if dice.random() < 0.05 else "tool_completed"
            yield event(kind, "executing", dice.expovariate(1e-3), tool_use_id=key, result=f"{number} " * 50)
        paid = dice.expovariate(10)
        cost += paid
        usage = {"input_tokens": 1000, "output_tokens": 200}
        models = {"some-model": {"input": 1000 * turn, "output": 200 * turn, "cost_usd": cost}}
        yield event("run_completed", "idle", 5, cost_usd=paid, usage=usage, model_usage=models)


def main(events: int) -> None:
    """Measure and print."""
    made = list(itertools.islice(long_session(), min(events, 50_000)))
    analysis = SessionAnalysis("made")
    began = time.perf_counter()
    for one in made:
        analysis.take(one)
    took = time.perf_counter() - began
    print(f"{len(made) / took:,.0f} events a second, {events / len(made) * took:.1f} s for {events:,}")
    del made
    tracemalloc.start()
    analysis, began_at = SessionAnalysis("made"), tracemalloc.get_traced_memory()[0]
    for number, one in enumerate(itertools.islice(long_session(), events), 1):
        analysis.take(one)
        if number in (events // 10, events):
            grown = (tracemalloc.get_traced_memory()[0] - began_at) / 1e6
            print(f"{number:,} events: {grown:.1f} MB")
    tracemalloc.stop()
    began = time.perf_counter()
    size = len(msgspec.json.encode(analysis.report()))
    print(f"a report: {(time.perf_counter() - began) * 1000:.0f} ms, {size / 1e3:.0f} kB")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 500_000)
