"""Check a release of Claude Code against the specification, with one command.

    python -m tools.check_release                          the one that the installed Agent SDK carries
    python -m tools.check_release --claude PATH            any other
    python -m tools.check_release --npm 1.0.128            a release, old or new, installed for the check alone
    python -m tools.check_release --pip 0.2.189            the one that a release of the Agent SDK carries
    python -m tools.check_release --record                 and keep what passed as fixtures/scenarios
    python -m tools.check_release --npm 1.0.128 --record   and keep a few scenarios as fixtures/releases/1.0.128

Every scenario of `tests/rig/scenarios` is played with that Claude Code and a stand-in for the Messages API, and one
conversation is held at a terminal (`interactive`, see `tools.check_interactive`); no
key is needed and nothing leaves the machine. Each line that passes is judged, and searched for what the
specification does not have (drift). The exit status is 1 when a line is invalid or unknown that should not be,
when there is drift, or when a scenario did not run its course.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import traceback
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import msgspec

from proxy.protocol import Judge
from proxy.protocol.drift import Drift, Finder
from proxy.protocol.grammar import is_blank
from tests.rig.environment import Surroundings, find_claude, release_of, surroundings_unset
from tests.rig.messages_api import MessagesApi
from tests.rig.recording import Recording, recorded, recordings
from tests.rig.scenarios import DESERVED, DESERVED_DRIFT, Scenario, all_scenarios
from tests.rig.scenarios.registry import is_since
from tests.rig.stage import Stage
from tools.check_interactive import NAME, Interactive, check_interactive, recorded_release, sentence

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

FIXTURES = Path(__file__).parents[1] / "fixtures"
# Recordings are made in a home that is nobody's, so that nothing in them has to be replaced afterwards.
NEUTRAL_HOME = Path("/home/dev")
SCENARIO_WAIT_S = 120
_TELLS_RELEASE = re.compile(rb'"claude_code_version": ?"([\d.]+)"')


class Finding(msgspec.Struct):
    """A line that the specification does not call valid although it should."""

    scenario: str
    stream: str
    verdict: str
    errors: list[str]
    line: str


class Sighting(msgspec.Struct):
    """One thing that the specification does not have, and where it was first seen."""

    stream: str
    kind: str
    type: str
    subtype: str | None
    path: str
    value: str | None
    scenario: str
    count: int = 1


class Played(msgspec.Struct):
    """What came of one scenario."""

    scenario: str
    lines: int
    findings: list[Finding]
    drift: list[Sighting]
    failure: str | None


class Report(msgspec.Struct):
    """What came of all of them."""

    claude_code: str
    played: list[Played]
    interactive: Interactive | None = None
    """What came of the conversation at a terminal; None: there was none."""

    @property
    def is_clean(self) -> bool:
        """Whether every scenario ran its course and every line is what it should be."""
        return not any(one.findings or one.drift or one.failure for one in self.played) and (
            self.interactive is None or self.interactive.is_clean
        )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    options = _parser().parse_args(arguments)
    is_installed = not (options.claude or options.npm or options.pip)
    wanted = [one for one in _chosen(options.scenario) if is_installed or one.across or not options.record]
    with tempfile.TemporaryDirectory(prefix="check-release-") as folder, surroundings_unset():
        claude = _claude(options, Path(folder))
        release = release_of(claude)
        chosen = [one for one in wanted if one.is_for(release)]
        print(f"Claude Code {release}: {len(chosen)} scenarios", file=sys.stderr)
        for scenario in wanted:
            if scenario not in chosen:
                print(
                    f"skipped  {scenario.name}: it is for Claude Code {scenario.since} and later",
                    file=sys.stderr,
                )
        report = Report(release, [])
        place = FIXTURES / ("scenarios" if is_installed else f"releases/{release}")
        with MessagesApi() as api:
            for scenario in chosen:
                keep_in = place if options.record else None
                report.played.append(check(scenario, claude, api, Path(folder), keep_in=keep_in))
                print(_sentence(report.played[-1]), file=sys.stderr)
            if NAME in (options.scenario or ()) or _is_compared(release, options, is_installed=is_installed):
                with home_of_its_own(Path(folder) / "homes" / NAME, neutral=options.record) as home:
                    report.interactive = check_interactive(claude, api, home, record=options.record)
                print(sentence(report.interactive), file=sys.stderr)
    print(_summary(report), file=sys.stderr)
    if options.record and is_installed:
        write_index()
    if options.json:
        print(msgspec.json.encode(report).decode())
    return 0 if report.is_clean else 1


def _is_compared(release: str, options: argparse.Namespace, *, is_installed: bool) -> bool:
    """Tell whether the interactive conversation is part of a check in which it is not named."""
    if options.scenario or (options.record and not is_installed):
        return False
    oldest = recorded_release()
    if not is_since(release, oldest):
        print(f"skipped  {NAME}: it is compared for Claude Code {oldest} and later", file=sys.stderr)
    return is_since(release, oldest)


def _chosen(names: Sequence[str] | None) -> list[Scenario]:
    """Return the scenarios of those names, all for none."""
    if not names:
        return all_scenarios()
    by_name = {one.name: one for one in all_scenarios()}
    if unknown := [name for name in names if name not in by_name and name != NAME]:
        sys.exit(f"no scenario is named {', '.join(unknown)}: see tests/rig/scenarios")
    return [by_name[name] for name in names if name != NAME]


def check(
    scenario: Scenario, claude: Path, api: MessagesApi, folder: Path, *, keep_in: Path | None
) -> Played:
    """Play one scenario, judge every line, and keep the recording where a folder for it is given."""
    recording_folder = folder / "recordings" / scenario.name
    command = recorded(folder / "launchers" / scenario.name / "claude", recording_folder, [str(claude)])
    failure = None
    with home_of_its_own(folder / "homes" / scenario.name, neutral=keep_in is not None) as home:
        stage = Stage(api, command, Surroundings(home))
        stage.surroundings.build()
        try:
            anyio.run(_play, scenario, stage)
        except Exception:  # whatever it is, it belongs into the report, and the other scenarios go on
            failure = traceback.format_exc()
    runs = recordings(recording_folder)
    findings = [finding for run in runs for finding in judge(scenario.name, run)]
    drift = find_drift(scenario.name, runs)
    if keep_in is not None and scenario.fixture and failure is None:
        keep(scenario.name, recording_folder, keep_in)
    lines = sum(run.stdin.count(b"\n") + run.stdout.count(b"\n") for run in runs)
    return Played(scenario.name, lines, findings, drift, failure)


def judge(scenario: str, run: Recording) -> list[Finding]:
    """Return the lines of a run that have another verdict than they should have."""
    deserved = list(DESERVED.get(scenario, []))
    found = []
    for stream, data in (("stdin", run.stdin), ("stdout", run.stdout)):
        judging = Judge("stdin" if stream == "stdin" else "stdout")
        for line in data.split(b"\n")[:-1]:
            if is_blank(line):
                continue
            judgement = judging.judge(line)
            if judgement.verdict == "valid":
                continue
            if (stream, judgement.verdict) in deserved:
                deserved.remove((stream, judgement.verdict))
                continue
            errors = [f"{error.path}: {error.message}" for error in judgement.errors]
            found.append(
                Finding(scenario, stream, judgement.verdict, errors, line[:2000].decode(errors="replace"))
            )
    return found


def find_drift(scenario: str, runs: Sequence[Recording]) -> list[Sighting]:
    """Return what the lines of these runs have that the specification does not, each thing once."""
    seen: dict[tuple[str, Drift], Sighting] = {}
    for run in runs:
        finder = Finder()
        lines = [("stdin", line) for line in run.stdin.split(b"\n")]
        lines += [("stdout", line) for line in run.stdout.split(b"\n")]
        # A reply is understood by its request; which of the two streams came first is not in a recording.
        for stream, line in sorted(lines, key=lambda entry: b'"control_request"' not in entry[1]):
            for drift in finder.find("stdin" if stream == "stdin" else "stdout", line):
                if (stream, drift) in seen:
                    seen[stream, drift].count += 1
                elif (stream, drift.kind) not in DESERVED_DRIFT.get(scenario, []):
                    seen[stream, drift] = Sighting(
                        stream, drift.kind, drift.type, drift.subtype, drift.path, drift.value, scenario
                    )
    return list(seen.values())


def keep(name: str, recording_folder: Path, place: Path) -> None:
    """Write a scenario's recording to the fixtures: its last run by its name, earlier ones as NAME-1, NAME-2, ..."""
    runs = sorted(recording_folder.iterdir(), key=lambda run: int(run.name))
    for number, run in enumerate(runs, 1):
        target = place / (name if number == len(runs) else f"{name}-{number}")
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(run, target)


def write_index() -> None:
    """Write the list of the recordings, with what happens in each."""
    rows = [
        f"| {scenario.name} | {scenario.summary} | {_recorded_with(scenario.name)} |"
        for scenario in all_scenarios()
        if scenario.fixture
    ]
    table = "\n".join(["| scenario | what happens | Claude Code |", "| --- | --- | --- |", *rows])
    note = "A folder NAME-1 holds an earlier process of the scenario NAME.\n"
    head = "Recorded by `python -m tools.check_release --record`.\n"
    (FIXTURES / "scenarios/INDEX.md").write_text(
        f"# Scenarios\n\n{head}\n{table}\n\n{note}", encoding="utf-8"
    )


def _recorded_with(name: str) -> str:
    """Return the release that a recording was made with, as its own lines tell; nothing where none does."""
    told = _TELLS_RELEASE.search((FIXTURES / "scenarios" / name / "stdout.jsonl").read_bytes())
    return told[1].decode() if told else ""


async def _play(scenario: Scenario, stage: Stage) -> None:
    with anyio.fail_after(SCENARIO_WAIT_S):
        await scenario.play(stage)


@contextmanager
def home_of_its_own(folder: Path, *, neutral: bool) -> Iterator[Path]:
    """Yield a home: a folder of the check's own, or one at a neutral place that is removed afterwards."""
    if not neutral:
        yield folder
        return
    try:
        NEUTRAL_HOME.mkdir()
    except OSError as error:
        sys.exit(
            f"recording needs {NEUTRAL_HOME} for itself ({error.strerror}): use a container or another machine"
        )
    try:
        yield NEUTRAL_HOME
    finally:
        shutil.rmtree(NEUTRAL_HOME)


def _claude(options: argparse.Namespace, folder: Path) -> Path:
    """Return the Claude Code to check, installed into `folder` where a release was named."""
    if options.claude:
        return Path(options.claude).absolute()
    if options.pip:
        target = folder / "pip"
        package = f"claude-agent-sdk=={options.pip}"
        _install(
            [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(target), package]
        )
        return target / "claude_agent_sdk/_bundled/claude"
    if options.npm:
        package = f"@anthropic-ai/claude-code@{options.npm}"
        _install(["npm", "install", "--prefix", str(folder / "npm"), "--no-audit", "--no-fund", package])
        return folder / "npm/node_modules/.bin/claude"
    found = find_claude()
    if found is None:
        sys.exit("no Claude Code: neither in the installed Agent SDK nor on PATH; name one with --claude")
    return found


def _install(command: list[str]) -> None:
    if (
        subprocess.run(
            command, stdout=sys.stderr, env={**os.environ, "NO_COLOR": "1"}, check=False
        ).returncode
        != 0
    ):
        sys.exit(f"could not install: {' '.join(command)}")


def _summary(report: Report) -> str:
    """Return what came of all scenarios together: the line to read when there is time for one."""
    lines = sum(one.lines for one in report.played)
    what = f"Claude Code {report.claude_code}, {len(report.played)} scenarios, {lines} lines"
    if report.is_clean:
        return f"{what}: nothing invalid or unknown, nothing that the specification does not have."
    counts = {
        "invalid or unknown lines": sum(len(one.findings) for one in report.played),
        "new on the wire": len(
            {
                (d.stream, d.kind, d.type, d.subtype, d.path, d.value)
                for one in report.played
                for d in one.drift
            }
        ),
        "scenarios that did not run their course": sum(one.failure is not None for one in report.played),
    }
    if report.interactive is not None:
        changes = [*report.interactive.new, *report.interactive.gone, *report.interactive.events]
        counts["changes of interactive sessions"] = len(changes)
        counts["scenarios that did not run their course"] += report.interactive.failure is not None
    return f"{what}: " + ", ".join(f"{count} {name}" for name, count in counts.items() if count) + "."


def _sentence(played: Played) -> str:
    if played.failure:
        return f"FAILED   {played.scenario}\n{played.failure}"
    lines = [
        f"{'FOUND' if played.findings or played.drift else 'ok':8} {played.scenario}: {played.lines} lines"
    ]
    for finding in played.findings:
        lines.append(f"         {finding.verdict} on {finding.stream}: {finding.line[:200]}")
        lines += [f"             {error}" for error in finding.errors]
    for drift in played.drift:
        value = f" = {drift.value!r}" if drift.value is not None else ""
        of = "/".join(filter(None, (drift.type, drift.subtype)))
        lines.append(
            f"         new {drift.kind} in {drift.stream} {of}: {drift.path}{value} ({drift.count} times)"
        )
    return "\n".join(lines)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tools.check_release", description=__doc__.partition("\n")[0]
    )
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--claude", metavar="PATH", help="the executable to check")
    source.add_argument("--npm", metavar="VERSION", help="install this release of @anthropic-ai/claude-code")
    source.add_argument("--pip", metavar="VERSION", help="install this release of claude-agent-sdk")
    parser.add_argument("--scenario", metavar="NAME", action="append", help="only this one; may be repeated")
    parser.add_argument(
        "--record",
        action="store_true",
        help="rewrite fixtures/scenarios, or for another release than the installed one fixtures/releases/VERSION",
    )
    parser.add_argument("--json", action="store_true", help="print the report as JSON on standard output")
    return parser


if __name__ == "__main__":
    sys.exit(main())
