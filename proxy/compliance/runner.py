"""Runs scenarios against a wrapper: side by side where they only watch, one after the other where they measure.

Whatever the wrapper does, each run ends: every wait is bounded, and all processes of a run are killed at its end.
"""

import contextlib
import os
import shlex
import tempfile
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager
from datetime import UTC, datetime

import msgspec

from proxy import __version__
from proxy.compliance import performance, processes, scenario
from proxy.compliance.caller import Caller, StuckError
from proxy.compliance.evidence import Evidence
from proxy.compliance.expectations import problems
from proxy.compliance.place import Place
from proxy.compliance.report import Measured, Outcome, Problem, Report, Verdict, grouped, overall
from proxy.compliance.request import DEFAULT_JOBS, DEFAULT_PATIENCE_S, DEFAULT_THRESHOLD
from proxy.compliance.scenario import Scenario
from proxy.compliance.target import Target, reached

_STUCK_GRACE_S = 1.0  # it had its time already
_LEFT_S = 5.0
"""A process that lives on for so long after the end is left behind."""
_SIGNALS_S = 0.1
"""The longest wait of the main thread: Python runs a signal's handler in it, and the wait for a lock does not end for a
signal that came just before. A tenth of a second is not felt after Ctrl-C.
"""


class CancelledError(Exception):
    """The check was stopped before its end."""


UNSEEN = (
    ()
    if processes.CAN_ADOPT
    else (
        "A process that has a session of its own and has emptied its environment: orphans cannot be adopted.",
        "The memory that processes have in common: what each has for itself is counted.",
    )
)
"""What this system does not let a check see."""


class Check(msgspec.Struct):
    """One check of one wrapper. `run` it once; `cancel` may be called from anywhere."""

    target: Target
    scenarios: Sequence[Scenario]
    claude: str | None = None
    """A real one, in place of the stand-in."""
    threshold: float = DEFAULT_THRESHOLD
    jobs: int = DEFAULT_JOBS
    patience_s: float = DEFAULT_PATIENCE_S
    on_outcome: Callable[[Outcome], None] = lambda _: None
    """Hears of each scenario as it ends."""
    orphans: processes.Orphans | None = None
    """Of a process that does nothing but check; finds those that hide."""
    _alone: bool = False  # whether one scenario runs, so that an orphan can only be from it
    _cancelled: threading.Event = msgspec.field(default_factory=threading.Event)
    _scratch: str = ""

    def cancel(self) -> None:
        """Stop soon: what runs is killed, what waits is not begun."""
        self._cancelled.set()

    def run(self) -> Report:
        """Run all scenarios and return the report.

        Raises:
            TargetError: the wrapper does not reach the `claude` that it is given.
            CancelledError: the check was stopped.
        """
        started_at, began = datetime.now(UTC), time.monotonic()
        if self.target.command:
            self.target = reached(self.target, self.claude)
        by_name: dict[str, Outcome] = {}
        with tempfile.TemporaryDirectory(prefix="claude-proxy-check-", ignore_cleanup_errors=True) as folder:
            self._scratch = folder
            try:
                with contextlib.closing(self._outcomes()) as outcomes:
                    for outcome in outcomes:
                        self.on_outcome(outcome)
                        by_name[outcome.name] = outcome
            finally:
                self._end_orphans()
        groups = grouped(by_name.values())
        score = overall(groups)
        return Report(
            wrapper=os.fsencode(shlex.join(self.target.command)).decode(errors="replace"),
            as_argument=bool(self.target.as_argument),
            claude=self.claude,
            version=__version__,
            started_at=started_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
            duration_ms=_ms_since(began),
            threshold=self.threshold,
            score=score,
            passed=score >= self.threshold,
            groups=groups,
            scenarios=tuple(by_name[one.name] for one in self.scenarios),
            unseen=UNSEEN,
        )

    def _outcomes(self) -> Generator[Outcome]:
        """Yield the outcome of each scenario, as they end."""
        watched = [one for one in self.scenarios if one.measure is None]
        leaving = [one for one in watched if _asks_what_is_left(one)]
        yield from self._watch([one for one in watched if one not in leaving])
        self._end_orphans()
        left = list(self._watch(leaving))
        if self._end_orphans():  # nobody can tell whose they were: anew, one by one
            left = [self._watched_alone(one) for one in leaving]
        yield from left
        yield from (self._outcome(one) for one in self.scenarios if one.measure)

    def _end_orphans(self) -> bool:
        return self.orphans is not None and self.orphans.end()

    def _watched_alone(self, one: Scenario) -> Outcome:
        self._alone = True
        try:
            return self._outcome(msgspec.structs.replace(one, at_once=1))
        finally:
            self._alone = False
            self._end_orphans()

    def _watch(self, scenarios: Sequence[Scenario]) -> Iterator[Outcome]:
        """Run what does not measure, several at a time."""
        with ThreadPoolExecutor(self.jobs, thread_name_prefix="scenario") as pool:
            futures = [pool.submit(self._outcome, one) for one in scenarios]
            running = set(futures)
            try:
                while running:
                    done, running = wait(running, _SIGNALS_S, FIRST_COMPLETED)
                    yield from (future.result() for future in done)
            except BaseException:
                self.cancel()
                for future in futures:
                    future.cancel()
                raise

    def _outcome(self, one: Scenario) -> Outcome:
        about = (one.name, one.group, one.title, one.why, one.weight)
        if self.claude is not None and (one.measure or not one.real):
            return Outcome(*about, "skipped")
        self._check_cancelled()
        began = time.monotonic()
        measured, problems = self._measured(one) if one.measure else (None, self._watched(one))
        self._check_cancelled()  # what was seen until then says nothing
        verdict: Verdict = "failed" if problems else "passed"
        return Outcome(*about, verdict, _ms_since(began), problems, measured)

    def _check_cancelled(self) -> None:
        if self._cancelled.is_set():
            raise CancelledError

    def _watched(self, one: Scenario) -> tuple[Problem, ...]:
        with ThreadPoolExecutor(one.at_once) as pool:
            instances = [scenario.instance(one, number) for number in range(1, one.at_once + 1)]
            return next(filter(None, list(pool.map(self._problems, instances))), ())

    def _problems(self, one: Scenario) -> tuple[Problem, ...]:
        with tempfile.TemporaryDirectory(dir=self._scratch, ignore_cleanup_errors=True) as folder:
            evidence = self._play(one, Place(os.path.join(folder, "0"), self.claude))
        return tuple(problems(evidence, one.expect))

    def _play(self, one: Scenario, place: Place) -> Evidence:
        """Run a scenario once and return what was seen."""
        place.build(one.stand_in)
        environment = self.target.environment(place) | one.environment
        evidence = Evidence(one.arguments, environment, place.directory)
        try:
            running = self._call(self.target, place, one)
        except OSError as error:
            evidence.stuck = f"the wrapper cannot be started: {error.strerror}"
            return evidence
        with running as caller:
            try:
                caller.play(one.caller)
            except StuckError as error:
                evidence.stuck = str(error)
            try:
                caller.finish(_STUCK_GRACE_S if evidence.stuck else None)
            except StuckError as error:
                evidence.stuck = evidence.stuck or str(error)
            evidence.status = caller.process.returncode
            if _asks_what_is_left(one) and not evidence.stuck:
                evidence.left = self._left(place.mark, caller.process.pid)
            for entry in place.entries():  # its last words may still be on their way to the journal
                if entry["event"] == "started":
                    processes.ended(entry["pid"], _STUCK_GRACE_S)
        evidence.stdout, evidence.stderr = bytes(caller.stdout), bytes(caller.stderr)
        evidence.sent = bytes(caller.sent)
        evidence.seen = place.seen()
        return evidence

    def _call(self, target: Target, place: Place, one: Scenario) -> AbstractContextManager[Caller]:
        """Start a wrapper for a scenario, and kill all of its processes at the end. OSError: it cannot be started."""
        argv, given = target.argv(place.claude, one.arguments), target.environment(place) | one.environment
        patience_s, cancelled = self.patience_s, self._cancelled.is_set
        return contextlib.closing(Caller(argv, given, place, patience_s=patience_s, cancelled=cancelled))

    def _left(self, mark: str, started: int) -> list[processes.Found]:
        """Wait until no process of a scenario is left; return those that live on."""

        def left() -> list[processes.Found]:
            orphans = self.orphans.find(started) if self.orphans and self._alone else []
            return [*{found.pid: found for found in (*processes.find(mark, started), *orphans)}.values()]

        return processes.gone(left, min(self.patience_s, _LEFT_S))

    def _measured(self, one: Scenario) -> tuple[Measured | None, tuple[Problem, ...]]:
        assert one.measure is not None
        try:
            measured = performance.measure(self.target, one, self._call, self._scratch)
        except StuckError as error:
            return None, (Problem("it can be measured", str(error)),)
        if performance.within(measured, one.measure):
            return measured, ()
        word = "at least" if one.measure.what == "throughput" else "at most"
        bare = f"{measured.bare:g} {measured.unit}"
        expected = f"{word} {measured.limit:g} times the bare stand-in's {bare}"
        came = f"{measured.wrapped:g} {measured.unit}, {measured.ratio:g} times"
        return measured, (Problem(expected, came),)


def _asks_what_is_left(one: Scenario) -> bool:
    return any(expectation.nothing_left for expectation in one.expect)


def _ms_since(began: float) -> int:
    return round((time.monotonic() - began) * 1000)
