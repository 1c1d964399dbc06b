"""Checks of wrappers that clients ask for: each in a process of its own, few at a time, and gone with the server."""

import asyncio
import contextlib
import os
import sys
from typing import Any
from uuid import uuid4

import msgspec
from msgspec.structs import replace

import proxy
from proxy.api.checks import Check
from proxy.compliance.request import CheckRequest
from proxy.server.base.errors import NotFoundError, TooManyError
from proxy.server.base.journal import journal

_KEPT = 50
"""Runs that are remembered; the oldest that has ended is forgotten first."""
_MOST_WAITING = 8  # each takes seconds to minutes: who comes later is told to
GRACE_S = 5.0  # for processes that are told to end
_LIMIT_S = 1800.0  # far longer than a check in which every scenario runs out of patience
_LONGEST_LINE = 64 << 20  # far longer than a report
# Isolated, as the server itself is: nothing may put something before our packages.
_ROOT = os.path.dirname(os.path.dirname(os.path.abspath(proxy.__file__)))
_START = f"import runpy, sys; sys.path.insert(0, {_ROOT!r}); runpy.run_module('proxy.compliance', run_name='__main__')"


class Run:
    """One check, from the request to the report."""

    def __init__(self, run_id: str, request: CheckRequest) -> None:
        self.request = request
        self.check = Check(run_id=run_id, state="waiting", wrapper=request.wrapper)
        """What a client is told."""
        self.task: asyncio.Task[None] | None = None
        self.news = asyncio.Event()

    def tell(self, **changes: Any) -> None:
        """Change what a client is told, and wake everybody who waits for something new."""
        self.check = replace(self.check, **changes)
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
        return any(not run.check.has_ended for run in self._runs.values())

    def start(self, request: CheckRequest) -> Run:
        """Begin a check, or let it wait for its turn. TooManyError when too many wait."""
        if sum(run.check.state == "waiting" for run in self._runs.values()) >= _MOST_WAITING:
            raise TooManyError("Too many checks wait for their turn; ask again later.", 10)
        run_id = f"check-{uuid4().hex[:12]}"
        run = self._runs[run_id] = Run(run_id, request)
        over = [name for name, one in self._runs.items() if one.check.has_ended]
        for name in over[: max(0, len(self._runs) - _KEPT)]:
            del self._runs[name]
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
                run.tell(state="running")
                journal.info("compliance.started", run_id=run.check.run_id, wrapper=run.check.wrapper)
                async with asyncio.timeout(_LIMIT_S):
                    await self._run(run)
            if run.check.report is not None:
                run.tell(state="completed")
            else:
                run.tell(state="failed", error=run.check.error or "The check ended without a report.")
        except TimeoutError:
            run.tell(state="failed", error=f"The check did not end within {_LIMIT_S:g} s.")
        except asyncio.CancelledError:
            run.tell(state="cancelled", error="The check was stopped.")
        except OSError as error:
            run.tell(state="failed", error=f"The check cannot be started: {error.strerror}.")
        finally:
            journal.info("compliance.ended", run_id=run.check.run_id, state=run.check.state)

    async def _run(self, run: Run) -> None:
        pipe, command = asyncio.subprocess.PIPE, (sys.executable, "-I", "-c", _START)
        process = await asyncio.create_subprocess_exec(
            *command, stdin=pipe, stdout=pipe, limit=_LONGEST_LINE, start_new_session=True
        )
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(msgspec.json.encode(run.request) + b"\n")
            async for line in process.stdout:
                told = msgspec.json.decode(line)
                if "outcome" in told:
                    done = [*run.check.scenarios, told.pop("outcome")]
                    told |= {"scenarios": done, "completed": len(done)}
                run.tell(**told)
        finally:
            process.stdin.close()  # the end of its input makes it end what it has started
            try:
                async with asyncio.timeout(GRACE_S):
                    await process.wait()
            except TimeoutError:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
