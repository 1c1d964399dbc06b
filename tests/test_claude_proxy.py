"""The console script, as an installation has it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(sys.executable).with_name("claude-proxy")


@pytest.mark.skipif(not SCRIPT.exists(), reason="the package is not installed beside this interpreter")
def test_a_package_of_the_same_name_does_not_get_in_the_way(tmp_path: Path) -> None:
    """A project may have a module `proxy` of its own on its PYTHONPATH: commands are wrapped all the same."""
    (tmp_path / "proxy.py").write_text("raise SystemExit(99)")
    done = subprocess.run(
        [SCRIPT, "--server", "off", "--data-dir", tmp_path / "data", "--", "echo", "passed on"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "passed on\n", "")
    assert len(list((tmp_path / "data/sessions").iterdir())) == 2  # the log and the link to the newest
