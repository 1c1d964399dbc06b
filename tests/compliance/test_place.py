"""Stand-ins are written and run by many threads at once."""

import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from proxy.compliance.caller import Caller
from proxy.compliance.place import Place

BOUND_S = 60


@pytest.mark.slow  # with fewer runs it misses the fault
def test_an_executable_that_was_written_can_be_run_at_once(tmp_path: Path) -> None:
    """Regression: a process started while another thread wrote made the written program "busy" for a moment."""

    def write_and_run(number: int) -> int:
        place = Place(str(tmp_path / str(number)))
        place.build([{"exit": 3}])
        caller = Caller([place.claude], {}, place, patience_s=BOUND_S)
        try:
            return caller.process.wait(BOUND_S)
        finally:
            caller.close()

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(write_and_run, range(200))) == {3}


def test_a_stand_in_that_never_ran_saw_nothing(tmp_path: Path) -> None:
    """No journal is no proof of a start, and a call of --version is none either."""
    place = Place(str(tmp_path / "place"))
    place.build({"steps": [], "version": "9 (Claude Code)"})
    subprocess.run([place.claude, "--version"], check=True, stdout=subprocess.DEVNULL, timeout=BOUND_S)
    seen = place.seen()
    assert seen is not None
    assert not seen.started
