"""Which sessions are listed: by state, outcome, time, name and folder, the cheap questions first.

What a session is called, where and when it ran stands at the two ends of its log; its state and outcome follow from
all of it. So logs are read whole only when they fit otherwise, and no more of them than are to be listed.
"""

import argparse
import fnmatch
import os
import re
import time
from datetime import UTC, datetime
from typing import Any, get_args

from proxy.cli.arguments import option, some_of
from proxy.events.outcome import OUTCOMES
from proxy.events.timestamps import parse_timestamp
from proxy.events.vocabulary import OVER, State
from proxy.sessions.catalogue import SessionInfo

STATES = (*get_args(State), "running", "over")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that select."""
    some_states = f"--state STATE,...: only in one of these states: {', '.join(STATES)}"
    option(parser, some_states, some_of(STATES), frozenset())
    over = (
        f"--outcome OUTCOME,...: only those that are over with one of these outcomes: {', '.join(OUTCOMES)}"
    )
    option(parser, over, some_of(OUTCOMES), frozenset())
    since = "only those that started within or after: 2h, 3d, a date, or a time as in records (UTC)"
    option(parser, f"--since TIME: {since}", past_time)
    option(parser, "--name NAME: only those whose name contains NAME; * and ? are wildcards")
    option(parser, "--cwd DIR: only those that ran in this folder, or below it", os.path.realpath)


def may_fit(wanted: argparse.Namespace, info: SessionInfo) -> bool:
    """Tell whether a session fits those options by what its log's ends say."""
    since_us = wanted.since
    if since_us is not None and (info.started_at is None or parse_timestamp(info.started_at) < since_us):
        return False
    if wanted.name is not None and not _fits(info.name or "", wanted.name):
        return False
    if wanted.cwd is not None:
        folder = wanted.cwd.rstrip(os.sep) + os.sep
        if info.cwd is None or not f"{info.cwd}{os.sep}".startswith(folder):
            return False
    # Whose log nobody holds is over; of the others not all go on: what they started may hold their streams.
    return not wanted.state or info.state == "running" or not wanted.state.isdisjoint({*OVER, "over"})


def fits(wanted: argparse.Namespace, described: dict[str, Any]) -> bool:
    """Tell whether a session of which all is known fits."""
    state = described["state"]
    if wanted.state and not wanted.state & {state, "over" if state in OVER else "running"}:
        return False
    return not wanted.outcome or described["outcome"] in wanted.outcome


def past_time(text: str) -> int:
    """Return a time in microseconds since 1970: so long ago, or a date or time, for argparse."""
    if match := re.fullmatch(r"(\d{1,6})\s*([smhdw])", text):
        return time.time_ns() // 1000 - int(match[1]) * _UNITS[match[2]] * 1_000_000
    try:
        given = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r}; it takes a time such as 30m, 2h, 3d, 2026-11-22 or 2026-11-22T09:45Z"
        ) from None
    return parse_timestamp((given if given.tzinfo else given.replace(tzinfo=UTC)).isoformat())


def _fits(name: str, wanted: str) -> bool:
    pattern = wanted if set("*?[") & set(wanted) else f"*{wanted}*"
    return fnmatch.fnmatchcase(name.lower(), pattern.lower())
