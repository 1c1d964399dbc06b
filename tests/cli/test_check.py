"""`claude-proxy check` as people, programs and CI meet it."""

import ctypes
import json
import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import psutil
import pytest

from proxy.compliance import scenario

PROXY = str(Path(sys.executable).with_name("claude-proxy"))
BOUND_S = 100
FEW = ["--scenario", "exit-status", "--scenario", "output-tail", "--scenario", "schema/unknown-fields"]


def check(*words: str, **options: object) -> subprocess.CompletedProcess[str]:
    """Run the command."""
    command = [PROXY, "check", *words]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=BOUND_S, **options)  # type: ignore[call-overload,no-any-return]


@pytest.fixture
def swallows(tmp_path: Path) -> str:
    """A wrapper that loses the exit status."""
    return wrapper(tmp_path, 'claude "$@"; exit 0')


def wrapper(folder: Path, script: str) -> str:
    """Return the path of a shell script."""
    path = folder / "wrapper"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


def test_a_report_says_what_was_expected_what_came_and_why_it_matters(swallows: str) -> None:
    """A failure is told in a few lines, without colours where there is no terminal, and gives status 1."""
    done = check(swallows, *FEW)
    assert done.returncode == 1, done.stderr
    assert "✗ behaviour/exit-status" in done.stdout
    assert (
        "    expected  the wrapper ends with exit status 7\n    came      exit status 0\n    why       Scripts"
        in done.stdout
    )
    assert "✓ behaviour/output-tail" in done.stdout
    assert re.search(r"behaviour +50 +2 +5 +40 %", done.stdout)
    assert "failed" in done.stdout.splitlines()[-1]
    assert "\x1b" not in done.stdout
    assert done.stderr == ""


def test_the_threshold_decides_the_status(swallows: str) -> None:
    """Below it 1, from it on 0."""
    report = json.loads(check(swallows, *FEW, "--json").stdout)
    assert (report["score"], report["passed"], report["threshold"]) == (62.5, False, 100.0)
    assert check(swallows, *FEW, "--threshold", "62.5").returncode == 0
    assert check(swallows, *FEW, "--threshold", "62.6").returncode == 1


def test_the_json_has_everything(swallows: str) -> None:
    """A program finds each scenario with title, reason, points, verdict and problems, and the groups with scores."""
    report = json.loads(check(swallows, *FEW, "--json").stdout)
    by_name = {one["name"]: one for one in report["scenarios"]}
    assert by_name["behaviour/exit-status"]["problems"] == [
        {"expected": "the wrapper ends with exit status 7", "came": "exit status 0"}
    ]
    assert by_name["behaviour/exit-status"]["verdict"] == "failed"
    assert {group["group"]: group["score"] for group in report["groups"]} == {
        "schema": 100.0,
        "behaviour": 40.0,
        "performance": None,
    }
    assert report["wrapper"] == swallows


def test_documents_for_ci_are_written(swallows: str, tmp_path: Path) -> None:
    """JUnit and SARIF come in files beside the report, or alone on standard output."""
    junit, sarif = tmp_path / "junit.xml", tmp_path / "report.sarif"
    check(swallows, *FEW, "--junit", str(junit), "--sarif", str(sarif))
    assert ET.parse(junit).getroot().get("failures") == "1"
    assert json.loads(sarif.read_text())["version"] == "2.1.0"
    alone = check(swallows, *FEW, "--junit", "-").stdout
    assert ET.fromstring(alone.encode()).tag == "testsuites"


def test_arguments_of_the_wrapper_stand_behind_a_dash(tmp_path: Path) -> None:
    """A wrapper with arguments of its own can be checked, and options before WRAPPER or behind it are ours."""
    path = wrapper(tmp_path, '[ "$1" = --data-dir ] || exit 9; shift 2; exec claude "$@"')
    done = check("--scenario", "exit-status", path, "--json", "--", "--data-dir", "x")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["wrapper"] == f"{path} --data-dir x"


def test_a_wrapper_that_runs_something_else_gets_no_prompt(tmp_path: Path) -> None:
    """One with a fixed path is asked for its version and for nothing else, and its author told what to change."""
    calls = tmp_path / "calls"
    done = check(wrapper(tmp_path, f'echo "$@" >> {calls}; echo "2.1.0 (Claude Code)"'))
    assert done.returncode == 2
    assert "does not give what the stand-in answers: it wrote `2.1.0 (Claude Code)" in done.stderr
    assert "--variable NAME" in done.stderr
    assert all(line.endswith("--version") for line in calls.read_text().splitlines())


def test_a_variable_of_ones_own_leads_to_the_stand_in(tmp_path: Path) -> None:
    """A wrapper that reads its claude from a variable of its own can be told."""
    path = wrapper(tmp_path, 'exec "$MY_CLAUDE" "$@"')
    assert check(path, "--scenario", "exit-status").returncode == 2
    assert check(path, "--scenario", "exit-status", "--variable", "MY_CLAUDE").returncode == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "takes either a WRAPPER or --bare"),
        (["--bare", "/bin/true"], "takes either a WRAPPER or --bare"),
        (["/no/such/wrapper"], "there is no program /no/such/wrapper"),
        (["/etc/passwd"], "chmod +x"),
        (["/bin/true", "--threshold", "101"], "0 to 100"),
        (["/bin/true", "--jobs", "0"], "above 0"),
        (["/bin/true", "--patience", "nan"], "above 0"),
        (["/bin/true", "--json", "--sarif", "-"], "only one of"),
        (["/bin/true", "--scenario", "sigtrem"], "did you mean behaviour/sigterm"),
        (["/bin/true", "--scenarios", "/no/such/file"], "cannot read"),
        (["/bin/true", "--claude", "/no/such/claude"], "path of a program"),
        (["--bare", "--claude", "/bin/true"], "give one of them"),
    ],
)
def test_what_is_wrong_is_told_before_anything_runs(words: list[str], said: str) -> None:
    """Status 2 and one line that says what to change."""
    done = check(*words)
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_scenarios_can_be_listed_and_added(tmp_path: Path) -> None:
    """The list has each name; a file of one's own joins it, and its failure is reported with its own words."""
    own = tmp_path / "own.yaml"
    own.write_text(
        "{name: behaviour/mine, title: Mine holds, why: Because., stand_in: [{exit: 3}], expect: [{status: 4}]}"
    )
    listed = check("--list", "--scenarios", str(own)).stdout
    assert all(one.name in listed for one in scenario.shipped())
    done = check("--bare", "--scenarios", str(own), "--scenario", "mine")
    assert done.returncode == 1
    assert "Mine holds" in done.stdout
    assert "exit status 3" in done.stdout


FORKING = """
import os, time
end = time.monotonic() + 100
while time.monotonic() < end:
    os.fork() and os._exit(0)
"""


@pytest.mark.linux("orphans can be adopted")
@pytest.mark.parametrize(
    "orphan",
    [
        pytest.param(["sleep", "100"], id="sleeps"),
        pytest.param([sys.executable, "-ISc", FORKING], id="goes on forking", marks=pytest.mark.slow),
    ],
)
def test_an_orphan_that_hides_is_found_and_ended(orphan: list[str], tmp_path: Path) -> None:
    """A process in a session of its own, with an empty environment, is told of in its own scenario, and killed."""
    groups = tmp_path / "groups"
    hidden = shlex.quote(f"echo $$ >> {groups}; exec {shlex.join(orphan)}")
    hide = f"setsid -f env -i /bin/sh -c {hidden} </dev/null >/dev/null 2>&1"
    path = wrapper(tmp_path, f'[ "$1" = --version ] || {hide}\nexec claude "$@"')
    words = ("--scenario", "end-leaves-nothing", "--scenario", "exit-status", "--json")
    report = json.loads(check(path, *words).stdout)
    problems = {one["name"]: one["problems"] for one in report["scenarios"]}
    assert problems["behaviour/exit-status"] == []
    (problem,) = problems["behaviour/end-leaves-nothing"]
    assert " lived on: " in problem["came"]
    for group in groups.read_text().split():
        with pytest.raises(ProcessLookupError):
            os.killpg(int(group), 0)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("echo hello\n", "begins with a line such as #!/bin/sh"),
        ("#!/no/such/shell\n", "program that its first line names"),
    ],
)
def test_a_file_that_is_no_program_is_told_of(content: str, said: str, tmp_path: Path) -> None:
    """Whoever forgot the first line, or named what is not there, reads what to change."""
    path = tmp_path / "wrapper"
    path.write_text(content)
    path.chmod(0o755)
    done = check(str(path))
    assert done.returncode == 2
    assert said in done.stderr


@pytest.mark.parametrize(
    "to_a_scenario",
    [False, pytest.param(True, marks=pytest.mark.linux("a signal is sent to one thread by tgkill"))],
)
def test_an_interrupt_ends_it_and_what_it_started(to_a_scenario: bool, tmp_path: Path) -> None:
    """Ctrl-C in the middle of a wrapper that hangs: status 130, and the wrapper is gone.

    It may reach a thread that runs a scenario, or the main thread just before it waits: nothing wakes that then.
    """
    pid_file = tmp_path / "pid"
    os.mkfifo(pid_file)
    path = wrapper(
        tmp_path, f'[ "$1" = --version ] && exec claude "$@"\necho $$ > {pid_file}\nexec sleep 600'
    )
    with subprocess.Popen([PROXY, "check", path, "--scenario", "exit-status", "--patience", "60"]) as process:
        pid = int(pid_file.read_text())  # waits until it is there
        if to_a_scenario:
            thread = next(
                thread for thread in psutil.Process(process.pid).threads() if thread.id != process.pid
            )
            assert ctypes.CDLL(None).tgkill(process.pid, thread.id, signal.SIGINT) == 0
        else:
            process.send_signal(signal.SIGINT)
        assert process.wait(BOUND_S) == 130
        assert not Path(f"/proc/{pid}").exists()
