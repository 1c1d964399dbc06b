"""Checks of wrappers over HTTP: begun, followed and stopped by clients, where the configuration lets them."""

import asyncio
import contextlib

import msgspec
from aiohttp import web

from proxy.api.checks import Check
from proxy.compliance import scenario
from proxy.compliance.request import CheckRequest
from proxy.server.base.errors import NotAllowedError, UnprocessableError
from proxy.server.routes.parameters import LONGEST_WAIT_S, any_text, number
from proxy.server.routes.requests import body
from proxy.server.routes.route import Routes
from proxy.server.shared import of
from proxy.server.work.checks import GRACE_S, Checks

routes = Routes("/api/v1/compliance/runs")
RUN = any_text("run_id", "A check.", "path")
WAIT = number("wait", "Seconds to wait for something new.", 0, LONGEST_WAIT_S, 0)
SEEN = number("seen", "Scenarios that the client has seen: `wait` is for more.", 0, 1_000_000, 0)
_request = msgspec.json.Decoder(CheckRequest)


@routes.add("POST", "", request=CheckRequest, answer=Check)
async def start(request: web.Request) -> Check:
    """Check a program that stands in for claude (off unless `compliance.enabled`)."""
    checks = _checks(request)
    asked = await body(request, _request)
    if not asked.wrapper.strip() or "\0" in "".join((asked.wrapper, *asked.arguments)):
        raise UnprocessableError("wrapper is the path of a program, or a name on PATH.")
    if not 0 <= asked.threshold <= 100:
        raise UnprocessableError(f"threshold is {asked.threshold:g}; it takes a number from 0 to 100.")
    if asked.scenarios:
        try:
            await asyncio.to_thread(lambda: scenario.choose(scenario.shipped(), asked.scenarios))
        except scenario.ScenarioError as error:
            raise UnprocessableError(f"scenarios: {error}") from None
    return checks.start(asked).check


@routes.add("GET", "/{run_id}", RUN, WAIT, SEEN, answer=Check)
async def run(request: web.Request) -> Check:
    """A check: its progress, and in the end its report."""
    found = _checks(request).find(request.match_info["run_id"])
    wait_s, seen = WAIT.of(request), SEEN.of(request)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(wait_s):
            while not found.check.has_ended and found.check.completed <= seen:
                await found.news.wait()
    return found.check


@routes.add("POST", "/{run_id}/cancel", RUN, answer=Check)
async def cancel(request: web.Request) -> Check:
    """Stop a check.

    The answer comes when its processes are gone.
    """
    found = _checks(request).find(request.match_info["run_id"])
    if found.task is not None and not found.task.done():
        found.task.cancel()
        await asyncio.wait([found.task], timeout=2 * GRACE_S)
    return found.check


def _checks(request: web.Request) -> Checks:
    checks = of(request).checks
    if checks is None:
        raise NotAllowedError(
            "Checks run programs, so they are off; compliance.enabled: true lets clients ask for them."
        )
    return checks
