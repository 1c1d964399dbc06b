"""The scenarios say what the real Claude Code does: behind a shell wrapper it passes all that can be asked of it."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import pytest

from proxy.compliance import scenario
from proxy.compliance.runner import Check
from proxy.compliance.target import Target
from tests.rig.environment import Surroundings

if TYPE_CHECKING:
    from pathlib import Path

    from tests.rig.messages_api import MessagesApi


@pytest.mark.slow  # it starts the real Claude Code a dozen times
def test_the_real_claude_behind_a_shell_wrapper_has_all_points(
    api: MessagesApi, claude: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`exec claude "$@"` fails no scenario that applies, and those are a dozen."""
    surroundings = Surroundings(tmp_path / "home")
    surroundings.build()
    for name, value in surroundings.variables(api.play({}).base_url).items():
        monkeypatch.setenv(name, value)
    wrapper = tmp_path / "wrapper"
    wrapper.write_text(f'#!/bin/sh\nexec {shlex.quote(str(claude))} "$@"\n')
    wrapper.chmod(0o755)
    report = Check(
        Target((str(wrapper),)), scenario.shipped(), claude=str(claude), jobs=3, patience_s=60.0
    ).run()
    told = [f"{one.name}: {problem.came}" for one in report.scenarios for problem in one.problems]
    assert (report.score, told) == (100, [])
    passed = sum(one.verdict == "passed" for one in report.scenarios)
    assert passed == sum(one.real for one in scenario.shipped())
