"""For tests of programs that drive Claude Code: fixtures of pytest that stand in for ``claude``.

    def test_my_agent(claude_replay):
        answer = my_agent("A question?", cli_path=claude_replay("tests/sessions/question.jsonl"))
        assert answer == "An answer."

pytest finds them where claude-proxy is installed. When a test is over, what its program did otherwise than the record
or the script makes it fail. Imported in every run of pytest, so nothing is imported here that pytest does not import.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_END_WAIT_S = 10.0
"""A program may leave before the ``claude`` that it has told to end: so long is waited for that."""


class StandIn(str):
    """The path of an executable that stands in for ``claude``, and what has become of it."""

    __slots__ = ("_folder", "_runs")

    _folder: str
    _runs: int

    @property
    def journal(self) -> list[dict[str, Any]]:
        """What happened to it until now: see `The journal` in docs/replay.md."""
        return _lines(os.path.join(self._folder, "journal"))

    @property
    def received(self) -> list[Any]:
        """What the program has written to it until now, decoded; a line that is not JSON as text."""
        return [_decoded(note["line"]) for note in self.journal if note["event"] == "line"]

    @property
    def reports(self) -> list[dict[str, Any]]:
        """What it has to say about each run that has ended: see `Divergences` in docs/replay.md."""
        return _lines(os.path.join(self._folder, "report"))

    def divergences(self) -> list[str]:
        """Wait until no run is left, and return what the program did otherwise than it should have, as sentences."""
        alive = not self._wait_for_end()
        reports = self.reports
        found = [each["sentence"] for report in reports for each in report["divergences"]]
        started = sum(note["event"] == "started" for note in self.journal)
        if started < self._runs:
            found.append(f"claude was started {started} times instead of {self._runs}")
        if alive:
            found.append("claude is still running")
        elif len(reports) < started:
            found.append("claude was killed before its end")
        return found

    def end(self) -> None:
        """Kill the runs that are left: a test is over."""
        import psutil  # noqa: PLC0415 - see the module's docstring

        for pid in [note["pid"] for note in self.journal if note["event"] == "started"]:
            try:
                process = psutil.Process(pid)
                if os.fspath(self) in process.cmdline():
                    process.kill()
            except psutil.Error:  # it has ended
                continue

    def _wait_for_end(self) -> bool:
        deadline = time.monotonic() + _END_WAIT_S
        with open(os.path.join(self._folder, "starts"), "a+b") as file:
            while True:
                try:
                    fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except OSError:  # a run holds it
                    if time.monotonic() > deadline:
                        return False
                    time.sleep(0.01)
                else:
                    return True


@pytest.fixture
def claude_replay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., StandIn]]:
    """Return a function that makes a recorded ``claude``: ``claude_replay(LOG, ...)`` is a path for ``cli_path``.

    Several logs are for one start each. Keywords: ``match`` (``exact``, ``type``, ``any``), ``timing`` (0 is none, 1 as
    recorded), ``patience`` (seconds), ``check`` (False: divergences do not fail the test).
    """
    made = _Made(tmp_path_factory)

    def replay(
        *logs: str | os.PathLike[str],
        match: str = "type",
        timing: float = 0,
        patience: float = 30,
        check: bool = True,
    ) -> StandIn:
        __tracebackhide__ = True
        paths = [os.path.abspath(log) for log in logs]
        for path in paths:
            if not os.path.isfile(path):
                pytest.fail(f"there is no file {path}; claude_replay takes the logs of recorded sessions")
            if not path.endswith(".jsonl"):
                pytest.fail(f"claude_replay takes logs, the .jsonl files of recorded sessions; got {path}")
        if not paths:
            pytest.fail("claude_replay takes the log of a recorded session, or several")
        return made.stand_in(paths, check=check, match=match, scale=timing, patience=patience)

    yield replay
    made.finish()


@pytest.fixture
def claude_script(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., StandIn]]:
    """Return a function that makes a scripted ``claude``: ``claude_script(SCRIPT, ...)`` is a path for ``cli_path``.

    SCRIPT is the path of a file in YAML or JSON, or the script itself: ``[{"expect": "user"}, {"reply": "Hello."}]``.
    Several are for one start each. ``check=False``: divergences do not fail the test.
    """
    made = _Made(tmp_path_factory)

    def script(*scripts: str | os.PathLike[str] | list[Any] | dict[str, Any], check: bool = True) -> StandIn:
        __tracebackhide__ = True
        if not scripts:
            pytest.fail("claude_script takes a script, or several")
        paths = list(map(made.script, scripts))
        return made.stand_in(paths, check=check)

    yield script
    made.finish()


class _Made:
    """The stand-ins of one test."""

    def __init__(self, folders: pytest.TempPathFactory) -> None:
        self._folders = folders
        self._all: list[StandIn] = []
        self._checked: list[StandIn] = []

    def stand_in(self, plays: list[str], *, check: bool, **settings: Any) -> StandIn:
        from proxy.replay.launcher import write_stand_in  # noqa: PLC0415 - see the module's docstring

        folder = self._new_folder()
        made = StandIn(os.path.join(folder, "claude"))
        made._folder, made._runs = folder, len(plays)
        files = {name: os.path.join(folder, name) for name in ("starts", "report", "journal")}
        write_stand_in(made, {"plays": plays, **files, **settings})
        self._all.append(made)
        if check:
            self._checked.append(made)
        return made

    def script(self, given: str | os.PathLike[str] | list[Any] | dict[str, Any]) -> str:
        __tracebackhide__ = True
        from proxy.replay.script import ScriptError, load  # noqa: PLC0415

        if isinstance(given, list | dict):
            path = os.path.join(self._new_folder(), "script.json")
            with open(path, "w", encoding="utf-8") as file:
                json.dump(given, file)
        else:
            path = os.path.abspath(given)
        fault = None
        try:
            load(path)  # said here, and not by a program that wonders why its claude will not start
        except ScriptError as error:
            fault = str(error)
        if fault:
            pytest.fail(fault)
        return path

    def finish(self) -> None:
        """Leave no run behind, and fail the test if one diverged."""
        found = [sentence for made in self._checked for sentence in made.divergences()]
        for made in self._all:
            made.end()
        if found:
            pytest.fail("claude-proxy replay: " + "\n".join(found), pytrace=False)

    def _new_folder(self) -> str:
        return str(self._folders.mktemp("claude"))  # and not in the test's own, which its program may look at


def _lines(path: str) -> list[dict[str, Any]]:
    if not os.path.exists(path):
        return []
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file if line.endswith("\n")]


def _decoded(line: str) -> Any:
    try:
        return json.loads(line)
    except ValueError:
        return line
