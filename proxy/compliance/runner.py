"""Runs scenarios against a wrapper: side by side where they only watch, one after the other where they measure.

Whatever the wrapper does, each run ends: every wait is bounded, and all processes of a run are killed at its end.
"""

import contextlib
import functools
import os
import shlex
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from datetime import UTC, datetime

import msgspec

from proxy import __version__
from proxy.compliance import performance, processes, scenario
from proxy.compliance.caller import StuckError, entries
from proxy.compliance.evidence import Evidence
from proxy.compliance.expectations import problems
from proxy.compliance.place import Place
from proxy.compliance.report import Measured, Outcome, Problem, Report, Verdict, grouped, overall
from proxy.compliance.request import DEFAULT_JOBS, DEFAULT_PATIENCE_S, DEFAULT_THRESHOLD
from proxy.compliance.scenario import Scenario
from proxy.compliance.target import Target, called, reached

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


class Check:
    """One check of one wrapper. `run` it once; `cancel` may be called from anywhere."""

    def __init__(
        self,
        target: Target,
        scenarios: Sequence[Scenario],
        *,
        claude: str | None = None,
        threshold: float = DEFAULT_THRESHOLD,
        jobs: int = DEFAULT_JOBS,
        patience_s: float = DEFAULT_PATIENCE_S,
        on_outcome: Callable[[Outcome], None] = lambda _: None,
        orphans: processes.Orphans | None = None,
    ) -> None:
        """``claude``: a real one, in place of the stand-in; ``on_outcome`` hears of each scenario as it ends.

        ``orphans``: of a process that does nothing but check; finds those that hide.
        """
        self._target = target
        self._scenarios = list(scenarios)
        self._claude = claude
        self._threshold = threshold
        self._jobs = jobs
        self._patience_s = patience_s
        self._on_outcome = on_outcome
        self._orphans = orphans
        self._alone = False  # whether one scenario runs, so that an orphan can only be from it
        self._cancelled = threading.Event()
        self._call = functools.partial(called, patience_s=patience_s, cancelled=self._cancelled.is_set)
        self._scratch = ""

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
        if self._target.command:
            self._target = reached(self._target, self._claude)
        with tempfile.TemporaryDirectory(prefix="claude-proxy-check-", ignore_cleanup_errors=True) as folder:
            self._scratch = folder
            try:
                outcomes = self._all()
            finally:
                if self._orphans:
                    self._orphans.end()
        by_name = {outcome.name: outcome for outcome in outcomes}
        groups = grouped(outcomes)
        score = overall(groups)
        return Report(
            wrapper=os.fsencode(shlex.join(self._target.command)).decode(errors="replace"),
            as_argument=bool(self._target.as_argument),
            claude=self._claude,
            version=__version__,
            started_at=started_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
            duration_ms=_ms_since(began),
            threshold=self._threshold,
            score=score,
            passed=score >= self._threshold,
            groups=groups,
            scenarios=tuple(by_name[one.name] for one in self._scenarios),
            unseen=UNSEEN,
        )

    def _all(self) -> list[Outcome]:
        watched = [one for one in self._scenarios if one.measure is None]
        outcomes = self._watch([one for one in watched if not _asks_what_is_left(one)], self._ended)
        if self._orphans:
            self._orphans.end()
        outcomes += self._watch_what_is_left([one for one in watched if _asks_what_is_left(one)])
        return outcomes + [self._ended(self._measured(one)) for one in self._scenarios if one.measure]

    def _watch_what_is_left(self, scenarios: Sequence[Scenario]) -> list[Outcome]:
        """Run those that ask for it: side by side, and anew one by one if nobody can tell whose an orphan is."""
        outcomes = self._watch(scenarios, lambda outcome: outcome)
        if self._orphans and self._orphans.end():
            outcomes = [self._watched_alone(one, self._orphans) for one in scenarios]
        return [self._ended(outcome) for outcome in outcomes]

    def _watched_alone(self, one: Scenario, orphans: processes.Orphans) -> Outcome:
        self._alone = True
        try:
            return self._watched(msgspec.structs.replace(one, at_once=1))
        finally:
            self._alone = False
            orphans.end()

    def _watch(self, scenarios: Sequence[Scenario], ended: Callable[[Outcome], Outcome]) -> list[Outcome]:
        """Run what does not measure, several at a time; return the outcomes in the order of the scenarios."""
        with ThreadPoolExecutor(self._jobs, thread_name_prefix="scenario") as pool:
            futures = [pool.submit(self._watched, one) for one in scenarios]
            running = set(futures)
            try:
                while running:
                    done, running = wait(running, _SIGNALS_S, FIRST_COMPLETED)
                    for future in done:
                        ended(future.result())
            except BaseException:
                self.cancel()
                for future in futures:
                    future.cancel()
                raise
        return [future.result() for future in futures]

    def _ended(self, outcome: Outcome) -> Outcome:
        self._on_outcome(outcome)
        return outcome

    def _watched(self, one: Scenario) -> Outcome:
        if self._claude is not None and not one.real:
            return _outcome(one, "skipped")
        began = time.monotonic()
        if one.at_once == 1:
            problems = self._problems(scenario.instance(one, 1))
        else:
            with ThreadPoolExecutor(one.at_once) as pool:
                instances = [scenario.instance(one, number) for number in range(1, one.at_once + 1)]
                several = list(pool.map(self._problems, instances))
            problems = next((problems for problems in several if problems), ())
        return _outcome(one, "failed" if problems else "passed", _ms_since(began), problems)

    def _problems(self, one: Scenario) -> tuple[Problem, ...]:
        if self._cancelled.is_set():
            raise CancelledError
        with tempfile.TemporaryDirectory(dir=self._scratch, ignore_cleanup_errors=True) as folder:
            evidence = self._play(one, Place(os.path.join(folder, "0"), self._claude))
        if self._cancelled.is_set():
            raise CancelledError
        return tuple(problems(evidence, one.expect))

    def _play(self, one: Scenario, place: Place) -> Evidence:
        """Run a scenario once and return what was seen."""
        place.build(one.stand_in)
        environment = {**self._target.environment(place), **one.environment}
        evidence = Evidence(one.arguments, environment, place.directory)
        with contextlib.ExitStack() as running:
            try:
                call = self._call(self._target, place, one.arguments, environment=one.environment)
                caller = running.enter_context(call)
            except OSError as error:
                evidence.stuck = f"the wrapper cannot be started: {error.strerror}"
                return evidence
            try:
                caller.play(one.caller)
            except StuckError as error:
                evidence.stuck = str(error)
            try:
                caller.finish(_STUCK_GRACE_S if evidence.stuck else None)
            except StuckError as error:
                evidence.stuck = evidence.stuck or str(error)
            evidence.status = caller.status
            if _asks_what_is_left(one) and not evidence.stuck:
                evidence.left = self._left(place.mark, caller.process.pid)
            for entry in entries(place.journal):  # its last words may still be on their way to the journal
                if entry["event"] == "started":
                    processes.ended(entry["pid"], _STUCK_GRACE_S)
        evidence.stdout, evidence.stderr = bytes(caller.stdout), bytes(caller.stderr)
        evidence.sent = bytes(caller.sent)
        evidence.seen = place.seen()
        return evidence

    def _left(self, mark: str, started: int) -> list[processes.Found]:
        """Wait until no process of a scenario is left; return those that live on."""

        def left() -> list[processes.Found]:
            orphans = self._orphans.find(started) if self._orphans and self._alone else []
            return [*{found.pid: found for found in (*processes.find(mark, started), *orphans)}.values()]

        return processes.gone(left, min(self._patience_s, _LEFT_S))

    def _measured(self, one: Scenario) -> Outcome:
        if self._cancelled.is_set():
            raise CancelledError
        if self._claude is not None:
            return _outcome(one, "skipped")
        assert one.measure is not None
        began = time.monotonic()
        try:
            measured = performance.measure(self._target, one, self._call, self._scratch)
        except StuckError as error:
            if self._cancelled.is_set():
                raise CancelledError from None
            problem = Problem("it can be measured", str(error))
            return _outcome(one, "failed", _ms_since(began), (problem,))
        problems: tuple[Problem, ...] = ()
        if not performance.within(measured, one.measure):
            word = "at least" if one.measure.what == "throughput" else "at most"
            expected = (
                f"{word} {measured.limit:g} times the bare stand-in's {measured.bare:g} {measured.unit}"
            )
            problems = (Problem(expected, f"{measured.wrapped:g} {measured.unit}, {measured.ratio:g} times"),)
        return _outcome(one, "failed" if problems else "passed", _ms_since(began), problems, measured)


def _asks_what_is_left(one: Scenario) -> bool:
    return any(expectation.nothing_left for expectation in one.expect)


def _outcome(
    one: Scenario,
    verdict: Verdict,
    duration_ms: int = 0,
    problems: tuple[Problem, ...] = (),
    measured: Measured | None = None,
) -> Outcome:
    about = (one.name, one.group, one.title, one.why, one.weight)
    return Outcome(*about, verdict, duration_ms, problems, measured)


def _ms_since(began: float) -> int:
    return round((time.monotonic() - began) * 1000)
