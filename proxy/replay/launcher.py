"""Executables that become a stand-in for ``claude``, for programs that take one path and no arguments.

An executable is a small script of this very Python. It says where the packages are, so that it needs neither the
``site`` module nor the caller's ``PYTHONPATH``: it starts faster, and nothing around the caller can break it.
"""

from __future__ import annotations

import os
import sys

from proxy.escaping import escape_controls

TYPE_CHECKING = False  # `typing` takes long to import
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, NoReturn

MARK = b"claude-proxy stand-in"
"""In the first lines of every executable that is written here."""


class CannotPlayError(Exception):
    """A script or a log cannot be played; the sentence says why."""


_SCRIPT = """\
{interpreter}
# {mark}: plays a script or a recorded session in place of `claude`. Delete it to undo.
import sys
sys.path[:0] = {path!r}
from proxy.replay.launcher import main
main({settings!r})
"""


def write_stand_in(path: str, settings: Mapping[str, Any]) -> None:
    """Write an executable that plays what ``settings`` say: see `play`. OSError when it cannot be written."""
    text = _SCRIPT.format(
        interpreter=interpreter_line(),
        mark=MARK.decode(),
        path=package_path("proxy", "msgspec", "yaml"),
        settings=dict(settings),
    )
    write_executable(path, text)


def main(settings: dict[str, Any]) -> NoReturn:
    """Be the stand-in, with the arguments of this process: see `play`."""
    try:
        play(settings, sys.argv[1:])
    except CannotPlayError as error:
        sys.stderr.write(f"claude-proxy: {escape_controls(str(error))}\n")
        sys.exit(2)


def play(settings: Mapping[str, Any], arguments: list[str]) -> NoReturn:
    """Play what the settings say, as a ``claude`` that was given these arguments.

    ``plays``: paths of scripts and of logs (the files whose names end in ``.jsonl``), one for each start, and from
    the first again. ``starts``: a file that counts the starts, and is locked while one of them lives. ``journal``,
    ``report``: files. ``match``, ``scale``, ``patience``: how a log is played (`playing.Player`).

    Raises:
        CannotPlayError: a file cannot be used.
    """
    try:
        counts = settings.get("starts") and not _asks_version(arguments)
        started = _count(settings["starts"]) if counts else 0
        _play(settings["plays"][started % len(settings["plays"])], settings, arguments)
    except OSError as error:
        raise CannotPlayError(f"cannot use {error.filename}: {error.strerror}") from error
    except ValueError as error:
        raise CannotPlayError(str(error)) from error


def _play(path: str, settings: Mapping[str, Any], arguments: list[str]) -> NoReturn:
    from proxy.replay.messages import VERSION  # noqa: PLC0415 - writing an executable does without
    from proxy.replay.wire import Journal  # noqa: PLC0415

    journal = Journal(settings.get("journal"))
    if path.endswith(".jsonl"):
        import proxy.protocol  # noqa: F401, PLC0415 - else msgspec takes twice as long to import
        from proxy.replay import playing, recording  # noqa: PLC0415 - a script does without

        played = recording.read(path)
        _answer(arguments, played.version or VERSION)
        playing.Player(played, arguments, settings, journal).play()
    from proxy.replay import acting, script  # noqa: PLC0415 - as above

    performed = script.load(path)
    _answer(arguments, performed.version)
    acting.Actor(performed, arguments, journal, settings.get("report")).perform()


def _asks_version(arguments: list[str]) -> bool:
    return arguments[:1] in (["-v"], ["--version"])


def _answer(arguments: list[str], version: str) -> None:
    """Say the version and end, where that is all that is asked."""
    if _asks_version(arguments):
        os.write(1, version.encode() + b"\n")
        os._exit(0)


def _count(path: str) -> int:
    """Return how many starts there were before, and hold the file's lock for as long as this process lives."""
    import fcntl  # noqa: PLC0415 - not every start counts

    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    # A lock of the process, which its descendants do not inherit.
    fcntl.lockf(fd, fcntl.LOCK_EX)
    before = int(os.pread(fd, 20, 0) or b"0")
    os.pwrite(fd, b"%d" % (before + 1), 0)
    fcntl.lockf(fd, fcntl.LOCK_SH)
    return before


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
