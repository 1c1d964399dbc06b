"""Checks of wrappers that clients ask for: each in a process of its own, few at a time, and gone with the server."""

import asyncio
import contextlib
import os
import sys
from dataclasses import dataclass, field
from typing import Any, Literal
from uuid import uuid4

import msgspec

import proxy
from proxy.api.checks import Check
from proxy.compliance.request import CheckRequest
from proxy.server.base.journal import journal
from proxy.server.base.refusals import NotFoundError, TooManyError

_KEPT = 50
"""Runs that are remembered; the oldest that has ended is forgotten first."""
_MOST_WAITING = 8  # each takes seconds to minutes: who comes later is told to
GRACE_S = 5.0  # for processes that are told to end
_LIMIT_S = 1800.0  # far longer than a check in which every scenario runs out of patience
_LONGEST_LINE = 64 << 20  # far longer than a report
# Isolated, as the server itself is: nothing may put something before our packages.
_ROOT = os.path.dirname(os.path.dirname(os.path.abspath(proxy.__file__)))
_START = f"import runpy, sys; sys.path.insert(0, {_ROOT!r}); runpy.run_module('proxy.compliance', run_name='__main__')"


@dataclass
class Run:
    """One check, from the request to the report."""

    run_id: str
    request: CheckRequest
    state: Literal["waiting", "running", "completed", "failed", "cancelled"] = "waiting"
    total: int | None = None
    outcomes: list[Any] = field(default_factory=list)
    report: Any = None
    error: str | None = None
    task: "asyncio.Task[None] | None" = None
    news: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def has_ended(self) -> bool:
        """Whether nothing more will come."""
        return self.state in ("completed", "failed", "cancelled")

    def told(self) -> Check:
        """Return what a client is told."""
        return Check(
            run_id=self.run_id,
            state=self.state,
            wrapper=self.request.wrapper,
            total=self.total,
            completed=len(self.outcomes),
            scenarios=self.outcomes,
            report=self.report,
            error=self.error,
        )

    def wake(self) -> None:
        """Tell everybody who waits that there is something new."""
        self.news.set()
        self.news = asyncio.Event()


class Checks:
    """The checks of a server. For the event loop's thread."""

    def __init__(self, at_once: int) -> None:
        self._turn = asyncio.Semaphore(at_once)
        self._runs: dict[str, Run] = {}

    @property
    def busy(self) -> bool:
        """Whether a check runs or waits."""
        return any(not run.has_ended for run in self._runs.values())

    def start(self, request: CheckRequest) -> Run:
        """Begin a check, or let it wait for its turn. TooManyError when too many wait."""
        if sum(run.state == "waiting" for run in self._runs.values()) >= _MOST_WAITING:
            raise TooManyError("Too many checks wait for their turn; ask again later.", 10)
        run = Run(f"check-{uuid4().hex[:12]}", request)
        self._runs[run.run_id] = run
        for old in [one for one in self._runs.values() if one.has_ended][: max(0, len(self._runs) - _KEPT)]:
            del self._runs[old.run_id]
        run.task = asyncio.get_running_loop().create_task(self._perform(run))
        return run

    def find(self, run_id: str) -> Run:
        """Return a check. NotFoundError when there is none of that id."""
        if run_id not in self._runs:
            raise NotFoundError(
                f"There is no check {run_id!r}; the last {_KEPT} are kept while the server runs."
            )
        return self._runs[run_id]

    async def close(self) -> None:
        """Cancel what runs and wait until its processes are gone."""
        tasks = [run.task for run in self._runs.values() if run.task is not None and not run.task.done()]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=2 * GRACE_S)

    async def _perform(self, run: Run) -> None:
        try:
            async with self._turn:
                run.state = "running"
                journal.info("compliance.started", run_id=run.run_id, wrapper=run.request.wrapper)
                async with asyncio.timeout(_LIMIT_S):
                    await self._run(run)
            run.state = "completed" if run.report is not None else "failed"
            run.error = run.error or (None if run.report is not None else "The check ended without a report.")
        except TimeoutError:
            run.state, run.error = "failed", f"The check did not end within {_LIMIT_S:g} s."
        except asyncio.CancelledError:
            run.state, run.error = "cancelled", "The check was stopped."
        except OSError as error:
            run.state, run.error = "failed", f"The check cannot be started: {error.strerror}."
        finally:
            journal.info("compliance.ended", run_id=run.run_id, state=run.state)
            run.wake()

    async def _run(self, run: Run) -> None:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-I",
            "-c",
            _START,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=_LONGEST_LINE,
            start_new_session=True,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(msgspec.json.encode(run.request) + b"\n")
            async for line in process.stdout:
                self._take(run, msgspec.json.decode(line))
        finally:
            process.stdin.close()  # the end of its input makes it end what it has started
            try:
                async with asyncio.timeout(GRACE_S):
                    await process.wait()
            except TimeoutError:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()

    def _take(self, run: Run, told: dict[str, Any]) -> None:
        if "outcome" in told:
            run.outcomes.append(told["outcome"])
        run.total = told.get("total", run.total)
        run.report = told.get("report", run.report)
        run.error = told.get("error", run.error)
        run.wake()
