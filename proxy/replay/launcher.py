"""Executables that become a stand-in for ``claude``, for programs that take one path and no arguments.

An executable is a small script of this very Python. It says where the packages are, so that it needs neither the
``site`` module nor the caller's ``PYTHONPATH``: it starts faster, and nothing around the caller can break it.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # `typing` takes long to import
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, NoReturn

MARK = b"claude-proxy stand-in"
"""In the first lines of every executable that is written here."""

_SCRIPT = """\
{interpreter}
# {mark}: plays a script or a recorded session in place of `claude`. Delete it to undo.
import sys
sys.path[:0] = {path!r}
from proxy.replay.launcher import main
main({settings!r})
"""


def write_stand_in(path: str, settings: Mapping[str, Any]) -> None:
    """Write an executable that plays what ``settings`` say: see `main`. OSError when it cannot be written."""
    text = _SCRIPT.format(
        interpreter=interpreter_line(),
        mark=MARK.decode(),
        path=package_path("proxy", "msgspec", "yaml"),
        settings=dict(settings),
    )
    write_executable(path, text)


def main(settings: dict[str, Any]) -> NoReturn:
    """Be the stand-in, with the arguments of this process.

    ``settings``: ``script`` (a path), ``journal`` (a path or nothing).
    """
    from proxy.replay.script import ScriptError  # noqa: PLC0415 - writing an executable does without

    try:
        play(settings, sys.argv[1:])
    except (ScriptError, OSError) as error:
        sys.stderr.write(f"claude-proxy: {error}\n")
        sys.exit(2)


def play(settings: Mapping[str, Any], arguments: list[str]) -> NoReturn:
    """Play what the settings say, as a ``claude`` that was given these arguments.

    Raises:
        ScriptError: the script cannot be used.
        OSError: the journal cannot be written.
    """
    from proxy.replay.acting import perform  # noqa: PLC0415 - as above
    from proxy.replay.script import load  # noqa: PLC0415
    from proxy.replay.wire import Journal  # noqa: PLC0415

    perform(load(settings["script"]), arguments, Journal(settings.get("journal")))


def write_executable(path: str, text: str) -> None:
    """Write a script that can be run, whole or not at all; its folder is made. OSError when that fails."""
    os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
    fresh = f"{path}.{os.getpid()}"
    with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o755), "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(fresh, path)


def interpreter_line() -> str:
    """Return the first line of a script: this Python, isolated, without ``site``."""
    import shlex  # noqa: PLC0415 - writing needs it, starting does not

    line = f"#!{sys.executable} -IS"
    if len(line) <= 127 and " " not in sys.executable:  # what every kernel takes
        return line
    # A line for the shell which is a string literal for Python.
    return f"#!/bin/sh\n'''exec' {shlex.quote(sys.executable)} -IS \"$0\" \"$@\"\n' '''"


def package_path(*names: str) -> list[str]:
    """Return the folders that hold these packages."""
    from importlib.util import find_spec  # noqa: PLC0415 - as above

    files = [find_spec(name) for name in names]
    return list(
        dict.fromkeys(os.path.dirname(os.path.dirname(spec.origin)) for spec in files if spec and spec.origin)
    )
