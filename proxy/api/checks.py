"""Checks of programs that stand in for `claude`, begun and followed over HTTP."""

from typing import Literal

import msgspec

from proxy.compliance.report import Outcome, Report


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """A check as it is now: its progress, and in the end its report or the reason why there is none."""

    run_id: str
    state: Literal["waiting", "running", "completed", "failed", "cancelled"]
    wrapper: str
    """As it was asked for."""
    total: int | None = None
    """Scenarios in all; None until it runs."""
    completed: int = 0
    """Scenarios that have ended."""
    scenarios: list[Outcome] = []
    """Those that have ended, in the order in which they did."""
    report: Report | None = None
    error: str | None = None
    """Why there is no report."""

    @property
    def has_ended(self) -> bool:
        """Whether nothing more will come."""
        return self.state in ("completed", "failed", "cancelled")
