"""The console script, as an installation has it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

ROOT = Path(__file__).parents[1]
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


def test_a_start_imports_what_it_needs(tmp_path: Path) -> None:
    """What a command waits for, and a session of text, comes without the modules that take longest to import."""
    places = os.pathsep.join((str(ROOT), str(Path(msgspec.__file__).parents[1])))
    script = [sys.executable, "-S", "-X", "importtime", str(ROOT / "scripts/claude-proxy")]
    done = subprocess.run(
        [*script, "--server", "off", "--data-dir", str(tmp_path / "data"), "--", "echo", "passed on"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": places},
        check=True,
    )
    assert done.stdout == "passed on\n"
    imported = re.findall(r"^import time:.*\| +(\S+)$", done.stderr, re.MULTILINE)
    relay = imported.index("proxy.relay.relay")  # which is named when all that it imports is there
    assert not set(imported[:relay]) & {
        "re",
        "enum",
        "json",
        "typing",
        "signal",
        "msgspec",
        "argparse",
        "subprocess",
    }
    command_waits_for = imported[: imported.index("proxy.relay.supervisor")]
    assert not set(command_waits_for) & {"contextlib", "collections", "functools", "threading", "warnings"}
