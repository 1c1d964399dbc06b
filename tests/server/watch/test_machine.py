"""What the machine and the server take."""

import json
import subprocess
import sys
from pathlib import Path

from proxy.server.watch.machine import system_figures

PARENT = """
import json, subprocess, sys
from proxy.server.watch.machine import processes
told = [processes()]
with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
    told.append(processes())
    child.kill()
print(json.dumps([*told, processes()]))
"""


def test_the_figures_are_of_this_machine(tmp_path: Path) -> None:
    """Each figure is there and within what is possible."""
    found = system_figures(str(tmp_path))
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
    assert "disk_free_bytes" not in system_figures(str(tmp_path / "none"))
