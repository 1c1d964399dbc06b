"""What the machine and the server take."""

import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest

from proxy.server.watch.machine import Processors, system_figures

PARENT = """
import json, subprocess, sys
from proxy.server.watch.machine import processes
told = [processes()]
with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
    told.append(processes())
    child.kill()
print(json.dumps([*told, processes()]))
"""


class Times(NamedTuple):
    """What the system says of its processors."""

    user: float
    nice: float
    idle: float
    iowait: float
    guest: float
    """In ``user`` already."""


def test_the_figures_are_of_this_machine(tmp_path: Path) -> None:
    """Each figure is there and within what is possible."""
    found = system_figures(str(tmp_path), Processors())
    assert 0 <= found.get("cpu_percent", 0) <= 100
    assert 0 < found["memory_available_bytes"] <= found["memory_total_bytes"]
    assert 0 <= found["disk_free_bytes"] <= found["disk_total_bytes"]
    assert found["server_processes"] >= 1
    assert found["server_memory_bytes"] > 1_000_000
    assert found["server_open_files"] >= 3
    assert found["server_threads"] >= 1


def test_processes_that_it_has_started_are_added_up() -> None:
    """The server is all of its processes; here one that has nobody else's."""
    ran = subprocess.run([sys.executable, "-c", PARENT], check=True, timeout=120, capture_output=True)
    before, found, after = json.loads(ran.stdout)
    assert [one["server_processes"] for one in (before, found, after)] == [1, 2, 1]
    assert found["server_memory_bytes"] > before["server_memory_bytes"]


def test_a_disk_that_cannot_be_asked_is_left_out(tmp_path: Path) -> None:
    """The other figures are said all the same."""
    assert "disk_free_bytes" not in system_figures(str(tmp_path / "none"), Processors())


def test_processors_are_counted_from_one_asking_to_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    """Regression: each thread that asked had a beginning of its own, so what was logged was of no certain time."""
    times = [
        Times(10, 0, 90, 0, 5),
        Times(40, 0, 150, 10, 5),
        Times(40, 0, 150, 10, 5),
        Times(50, 0, 150, 10, 9),
    ]
    monkeypatch.setattr(psutil, "cpu_times", lambda: times.pop(0))
    processors = Processors()
    found: list[float | None] = []
    for _ in range(3):
        thread = threading.Thread(target=lambda: found.append(processors.percent()))
        thread.start()
        thread.join()
    assert found == [30.0, None, 100.0]
