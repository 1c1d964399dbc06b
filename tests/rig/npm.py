"""Packages of npm for the tests, kept between runs outside the project."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

__all__ = ["installed"]

INSTALL_WAIT_S = 200
_OPTIONS = ("--no-save", "--no-package-lock", "--ignore-scripts", "--no-audit", "--no-fund")


def installed(package: str) -> Path:
    """Return a folder with a package in its `node_modules`, as in ``name@version``; skip the test where that fails.

    Without optional packages: those of the Agent SDK carry another copy of Claude Code, which is not what is tested.
    """
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip(f"{package} needs node and npm")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = cache / "claude-proxy-tests" / package.rpartition("/")[2]
    if (folder / "complete").exists():
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    try:
        done = subprocess.run(
            ["npm", "install", "--prefix", folder, "--omit=optional", *_OPTIONS, package],
            capture_output=True,
            text=True,
            timeout=INSTALL_WAIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        pytest.skip(f"npm did not install {package} within {INSTALL_WAIT_S} s")
    if done.returncode != 0:
        pytest.skip(f"npm cannot install {package}: {done.stderr.strip()[-500:]}")
    (folder / "package.json").write_text("{}\n", encoding="ascii")
    (folder / "complete").touch()
    return folder
