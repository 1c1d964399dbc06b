"""`python -m tools.check_release`: a release that says something new does not pass unnoticed."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import msgspec
import pytest

from tests.rig.recording import write_launcher
from tests.tiers import first_in_short
from tools.check_release import Report, main

if TYPE_CHECKING:
    from pathlib import Path

# Changes what Claude Code says, as a release to come might: reads standard input, replaces, writes.
ALTER = """
import sys
old, new = (argument.encode() for argument in sys.argv[1:3])
for line in sys.stdin.buffer:
    sys.stdout.buffer.write(line.replace(old, new))
    sys.stdout.buffer.flush()
"""


def altered(claude: Path, folder: Path, old: str, new: str) -> Path:
    """Return an executable that is Claude Code with something else in its output."""
    script = folder / "alter.py"
    script.write_text(ALTER)
    alter = write_launcher(folder / "alter", [sys.executable, "-I", "-S", str(script), old, new])
    command = folder / "claude"
    command.write_text(f'#!/bin/sh\n"{claude}" "$@" | "{alter}"\n')
    command.chmod(0o755)
    return command


def check(
    claude: Path, capsys: pytest.CaptureFixture[str], scenario: str = "raw_simple"
) -> tuple[int, Report, str]:
    """Check one scenario; return the exit status, the report, and what was told to people."""
    status = main(["--claude", str(claude), "--scenario", scenario, "--json"])
    output = capsys.readouterr()
    return status, msgspec.json.decode(output.out, type=Report), output.err


def test_release_as_specified_is_clean(claude: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The release that the specification was made for has nothing that it does not have."""
    status, report, told = check(claude, capsys)

    assert (status, report.is_clean) == (0, True)
    assert told.splitlines()[-1].endswith(
        ": nothing invalid or unknown, nothing that the specification does not have."
    )
    assert [(played.scenario, played.lines) for played in report.played] == [("raw_simple", 8)]


@pytest.mark.parametrize(
    ("old", "new", "kind", "path"),
    first_in_short(
        [
            ('"subtype":"init"', '"subtype":"init","brand_new":1', "field", "/brand_new"),
            ('"permissionMode":"default"', '"permissionMode":"brand_new"', "value", "/permissionMode"),
            ('[{"type":"text"', '[{"type":"brand_new"},{"type":"text"', "block", "/message/content/*/type"),
        ]
    ),
    ids=["field", "value", "block"],
)
def test_news_are_reported(  # noqa: PLR0917 - parameters and fixtures
    old: str,
    new: str,
    kind: str,
    path: str,
    claude: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A new field, value or block is reported with its place and how often it came, and fails the check."""
    status, report, told = check(altered(claude, tmp_path, old, new), capsys)

    assert status == 1
    found = {(drift.kind, drift.path): drift.count for played in report.played for drift in played.drift}
    assert found == {(kind, path): 2}
    assert told.endswith(": 1 new on the wire.\n")
    assert report.played[0].findings == []


@pytest.mark.parametrize(
    ("old", "new", "verdict"),
    first_in_short(
        [
            ('"type":"assistant","message"', '"type":"brand_new","message"', "unknown"),
            ('"subtype":"success"', '"subtype":7', "invalid"),
        ]
    ),
    ids=["type", "invalid"],
)
def test_what_is_not_valid_is_reported(  # noqa: PLR0917 - parameters and fixtures
    old: str, new: str, verdict: str, claude: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A line of an unknown type, or one that breaks the specification, is reported and fails the check."""
    status, report, told = check(altered(claude, tmp_path, old, new), capsys)

    assert status == 1
    assert [finding.verdict for finding in report.played[0].findings] == [verdict, verdict]
    assert "2 invalid or unknown lines" in told


def test_scenario_that_breaks_off_is_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A program that is not up to a scenario fails the check, and does not stop it."""
    command = tmp_path / "claude"
    command.write_text('#!/bin/sh\ntest "$1" = --version && echo "0.0.1 (nothing)"\n')
    command.chmod(0o755)

    status, report, told = check(command, capsys)

    assert (status, report.claude_code) == (1, "0.0.1")
    assert told.endswith(": 1 scenarios that did not run their course.\n")
    assert "EOFError" in (report.played[0].failure or "") or "BrokenResource" in (
        report.played[0].failure or ""
    )


@pytest.mark.parametrize(
    ("old", "new", "path"),
    first_in_short(
        [
            ('"name":"MessageDisplay"', '"name":"BrandNew"', "/response/response/eventCatalog/*/name"),
            ('"ui_surface_v1"', '"brand_new_v1"', "/response/response/capabilities/*"),
        ]
    ),
    ids=["hook", "capability"],
)
def test_what_a_release_only_announces_is_reported(  # noqa: PLR0917 - parameters and fixtures
    old: str, new: str, path: str, claude: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A hook or a capability that no scenario knows to use is found in the lists that Claude Code gives of its own."""
    _, report, _ = check(altered(claude, tmp_path, old, new), capsys, "control_settings")

    assert path in {drift.path for played in report.played for drift in played.drift}


def test_scenario_for_a_later_release_is_passed_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What a release cannot do yet is not held against it, and it is said that it was not tried."""
    command = tmp_path / "claude"
    command.write_text('#!/bin/sh\necho "2.1.331 (Claude Code)"\n')
    command.chmod(0o755)

    status, report, told = check(command, capsys, "skill_shell_command")

    assert (status, report.played) == (0, [])
    assert "skipped  skill_shell_command: it is for Claude Code 2.1.332 and later" in told


def test_unknown_scenario_is_refused() -> None:
    """A misspelled name does not pass for a check without findings."""
    with pytest.raises(SystemExit, match="no scenario is named raw_simpel"):
        main(["--scenario", "raw_simpel"])
