"""Launchers: small executables that stand for one command line, as the Agent SDKs want them."""

from __future__ import annotations

import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Recording", "recorded", "recordings", "write_launcher"]

RECORDER = Path(__file__).with_name("recorder.py")


@dataclass(frozen=True, slots=True)
class Recording:
    """What passed between a client and one command: arguments, both streams, and the exit status."""

    argv: list[str]
    stdin: bytes
    stdout: bytes
    exit: int | None


def write_launcher(path: Path, command: Sequence[str]) -> Path:
    """Write an executable that becomes `command`, with the launcher's own arguments after it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n', encoding="utf-8")
    path.chmod(0o755)
    return path


def recorded(path: Path, folder: Path, command: Sequence[str]) -> Path:
    """Write a launcher that runs `command` and records each run below `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    # -I -S: the recorder needs the standard library only, and must not see the project it helps to check.
    return write_launcher(path, [sys.executable, "-I", "-S", str(RECORDER), str(folder), *command])


def recordings(folder: Path) -> list[Recording]:
    """Return what a recorder has written below a folder, in the order in which the runs began."""
    runs = sorted(folder.iterdir(), key=lambda run: int(run.name))
    return [_read(run) for run in runs]


def _read(run: Path) -> Recording:
    ended = run / "exit"
    return Recording(
        argv=(run / "argv").read_text(encoding="utf-8").splitlines(),
        stdin=(run / "stdin.jsonl").read_bytes(),
        stdout=(run / "stdout.jsonl").read_bytes(),
        exit=int(ended.read_text(encoding="ascii")) if ended.exists() else None,
    )
