"""The fixtures of pytest: one line gives a test its `claude`, and what diverges makes it fail."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.replay.causal import causal

DOCS = (Path(__file__).parent.parent / "docs/replay.md").read_text()
WAIT_S = 240


def pytest_run(folder: Path, text: str, *, by_itself: bool = False) -> subprocess.CompletedProcess[str]:
    """Run pytest on a test file, in a project of its own.

    ``by_itself``: with all plugins that are installed, as people run it. Without those of others it starts in a
    quarter of the processor time.
    """
    (folder / "test_it.py").write_text(text)
    (folder / "pytest.ini").write_text("[pytest]\n")
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", "test_it.py"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    if not by_itself:
        command += ["-p", "proxy.testing"]
        environment["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=WAIT_S, check=False
    )


def test_the_example_of_the_page_runs(tmp_path: Path) -> None:
    """What is to be copied works: the Python Agent SDK against a recorded and a scripted session.

    Where claude-proxy is installed, pytest finds the fixtures by itself.
    """
    (tmp_path / "tests/sessions").mkdir(parents=True)
    (tmp_path / "tests/sessions/question.jsonl").write_bytes(causal("api_retry"))
    example = DOCS.partition("```python\n")[2].partition("```")[0]
    done = pytest_run(tmp_path, example.replace("An answer.", "An answer at last."), by_itself=True)
    assert "2 passed" in done.stdout, done.stdout + done.stderr


STARTING = """
import subprocess
USER = b'{"type":"user","message":{"role":"user","content":"hi"}}\\n'
REPLY = [{"expect": "user"}, {"reply": "Hello."}]


def run(claude, given=USER):
    return subprocess.run([claude], input=given, capture_output=True, timeout=120)

"""


def test_divergences_fail_a_test_when_it_is_over(tmp_path: Path) -> None:
    """A program that does not say what is expected, never starts `claude`, kills it, or starts it too seldom."""
    tests = """
def test_silent(claude_script): run(claude_script(REPLY), b"")
def test_idle(claude_script): claude_script(REPLY)
def test_once(claude_script): run(claude_script(REPLY, REPLY))
def test_other(claude_replay): run(claude_replay("a.jsonl"), b'{"type":"control_cancel_request","request_id":"x"}\\n')
def test_killed(claude_script):
    with subprocess.Popen([claude_script([{"line": "x"}, "hang"])], stdout=subprocess.PIPE) as process:
        process.stdout.read(1)
        process.kill()
"""
    (tmp_path / "a.jsonl").write_bytes(causal("raw_simple"))
    done = pytest_run(tmp_path, STARTING + tests)
    assert "5 passed, 5 errors" in done.stdout, done.stdout
    for sentence in (
        "the input ended where the script expects user",
        "claude was started 0 times instead of 1",
        "claude was started 1 times instead of 2",
        "a user message did not come (record 1",
        "a control_cancel_request is not in the record",
        "claude was killed before its end",
    ):
        assert sentence in done.stdout


def test_what_goes_well_passes_and_can_be_looked_at(tmp_path: Path) -> None:
    """Several starts in turn, two stand-ins in one test, and divergences that a test looks at itself."""
    tests = """
def test_two_starts(claude_script):
    claude = claude_script(REPLY, [{"line": "second"}])
    assert b"Hello." in run(claude).stdout
    assert run(claude).stdout == b"second\\n"
    assert claude.received[0]["type"] == "user"

def test_two_kinds(claude_script, claude_replay):
    assert run(claude_replay("a.jsonl"), USER * 2).returncode == 0
    assert run(claude_script(REPLY)).returncode == 0

def test_unchecked(claude_replay):
    claude = claude_replay("a.jsonl", check=False, match="exact")
    assert run(claude).returncode == 76
    assert len(claude.divergences()) == 2
    assert claude.reports[0]["divergences"][0]["path"] == "/message/content"
"""
    (tmp_path / "a.jsonl").write_bytes(causal("raw_simple"))
    done = pytest_run(tmp_path, STARTING + tests)
    assert "3 passed" in done.stdout, done.stdout


def test_a_wrong_argument_is_said_where_it_stands(tmp_path: Path) -> None:
    """A script that cannot be used and a log that is none fail the test at the line that names them."""
    tests = """
def test_script(claude_script): claude_script([{"sned": 1}])
def test_log(claude_replay): claude_replay("none.jsonl")
"""
    done = pytest_run(tmp_path, STARTING + tests)
    assert "did you mean send" in done.stdout
    assert "claude_replay takes the logs" in done.stdout
    assert "2 failed" in done.stdout
    assert "proxy/" not in done.stdout  # the traceback ends in the test


def test_no_run_outlives_its_test(tmp_path: Path) -> None:
    """A `claude` that nobody has ended, and that would stay for ever, is said and killed."""
    tests = """
def test_it(monkeypatch, claude_script):
    monkeypatch.setattr("proxy.testing._END_WAIT_S", 0.1)
    global process
    process = subprocess.Popen([claude_script([{"line": "x"}, "hang"])], stdout=subprocess.PIPE)
    process.stdout.read(1)

def test_after():
    assert process.wait(120) == -9
    process.stdout.close()
"""
    done = pytest_run(tmp_path, STARTING + tests)
    assert "2 passed, 1 error" in done.stdout, done.stdout
    assert "claude is still running" in done.stdout


def test_the_module_imports_nothing_but_pytest() -> None:
    """Whoever has claude-proxy installed pays for the fixtures in every run of pytest."""
    code = "import sys, pytest; old = set(sys.modules); import proxy.testing; print(sorted(set(sys.modules) - old))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['proxy', 'proxy.testing']"
