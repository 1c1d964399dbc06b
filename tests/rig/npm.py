"""Packages of npm for the tests, kept between runs outside the project."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
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
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Elsewhere first: another process may install the same at the same time, and nobody is to find half of it.
    with tempfile.TemporaryDirectory(dir=folder.parent) as made:
        _install(package, Path(made, "new"))
        if not (folder / "complete").exists():
            shutil.rmtree(folder, ignore_errors=True)  # what an earlier run left unfinished
        with contextlib.suppress(OSError):  # another process was first
            os.rename(Path(made, "new"), folder)
    return folder


def _install(package: str, folder: Path) -> None:
    folder.mkdir()
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
