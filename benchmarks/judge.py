"""What a verdict costs, beside what it costs Python to read the same line.

    python -m benchmarks.judge

Judges recorded lines of typical sizes one by one and in batches of 64, and reads them with ``json.loads``. Prints
the best of several runs, in microseconds a line, because noise only ever adds.
"""

import json
import pathlib
import timeit
from collections.abc import Callable
from functools import partial

from proxy.protocol import Judge
from proxy.protocol.drift import Finder

_SCENARIOS = pathlib.Path(__file__).parents[1] / "fixtures" / "scenarios"
_SIZES = (120, 250, 500, 900, 2_000, 25_000)
_BATCH = 64
_RUNS = 5


def main() -> None:
    """Print the table."""
    lines = [
        line for file in _SCENARIOS.glob("*/stdout.jsonl") for line in file.read_bytes().split(b"\n") if line
    ]
    judge, finder = Judge("stdout"), Finder()
    print(f"{'bytes':>6} {'kind':24} {'judge':>7} {'batch':>7} {'drift':>7} {'json.loads':>11}")
    for size in _SIZES:
        line = min(lines, key=lambda one: abs(len(one) - size))
        batch = [line] * _BATCH
        kind = json.loads(line)["type"]
        row = (
            _cost(partial(judge.judge, line)),
            _cost(partial(judge.judge_lines, batch)) / _BATCH,
            _cost(partial(finder.find, "stdout", line)),
            _cost(partial(json.loads, line)),
        )
        print(f"{len(line):6} {kind:24} {row[0]:7.2f} {row[1]:7.2f} {row[2]:7.2f} {row[3]:11.2f}")
    total = sum(map(len, lines))
    cost = _cost(partial(judge.judge_lines, lines), 1)
    print(f"all {len(lines)} recorded lines: {cost / len(lines):.2f} us a line, {total / cost:.0f} MB/s")


def _cost(call: Callable[[], object], number: int = 500) -> float:
    """Return the microseconds that a call takes, at best."""
    call()
    return min(timeit.repeat(call, number=number, repeat=_RUNS)) / number * 1e6


if __name__ == "__main__":
    main()
