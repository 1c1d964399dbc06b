"""``claude-proxy shim DIR``: an executable that stands in for ``claude`` where only a path can be given.

The shim is a small script of this very Python. It says where the packages are, so that it needs neither the ``site``
module nor the caller's ``PYTHONPATH``: it starts faster, and nothing around the caller can break it.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # every start of a shim imports this module
if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping
    from typing import NoReturn

MARK = b"claude-proxy shim"
"""In the first lines of every shim, so that no shim takes another for the real thing."""

_SCRIPT = """\
{interpreter}
# {mark}: runs the real `claude` behind claude-proxy. Written by `claude-proxy shim`; delete it to undo.
import sys
sys.path[:0] = {path!r}
from claude_proxy import shim
shim({claude!r})
"""


def shim_options(parser: argparse.ArgumentParser) -> None:
    """Write DIR/claude, an executable that records, for tools that take one path and no arguments.

    Exit status 1 where there is no claude that it could wrap.

    Examples:
        claude-proxy shim ~/.claude-proxy/bin
        claude-proxy shim ~/.claude-proxy/bin --claude ~/.local/bin/claude
        claude-proxy shim fake --replay latest                  # a claude that plays a recorded session
    """
    from proxy.cli.arguments import option  # noqa: PLC0415 - starting a shim does without
    from proxy.cli.replay import add_options  # noqa: PLC0415

    option(parser, "dir DIR: folder to write to; made if it does not exist")
    default = "CLAUDE_PROXY_CLAUDE, else the first claude on PATH, looked up at each start"
    option(parser, f"--claude PATH: the real claude (default: {default})")
    plays = "DIR/claude plays instead of wrapping: see `claude-proxy replay`"
    stand_in = parser.add_argument_group("a stand-in", plays)
    option(stand_in, "--script FILE ...: what it does")
    plays = "the recorded session that it plays; several are for one start each"
    option(stand_in, f"--replay SESSION ...: {plays}")
    add_options(stand_in)


def run_shim(arguments: argparse.Namespace) -> int:
    """Write the shim; return the exit status."""
    from proxy.cli.errors import complain  # noqa: PLC0415 - starting a shim does without
    from proxy.escaping import escape_controls  # noqa: PLC0415

    claude = arguments.claude and os.path.abspath(arguments.claude)
    target = os.path.join(os.path.abspath(arguments.dir), "claude")
    try:
        plays = bool(arguments.script or arguments.replay)
        if wrong := _what_is_wrong(claude, target, stand_in=plays):
            return complain(wrong, 2)
        wraps = None if plays else _wrapped(claude)
        _write(target, claude, arguments)
    except OSError as error:
        if error.errno is None:  # of `find_claude`
            return complain(f"{error}{_carried(arguments.dir)}")
        return complain(f"cannot write {target}: {error.strerror}")
    print(escape_controls(target) if sys.stdout.isatty() else target, flush=True)
    if wraps is not None:
        sys.stderr.write(f"It wraps {escape_controls(wraps)}.\n")
    return 0


def _wrapped(claude: str | None) -> str:
    """Return what the shim wraps, and why that. FileNotFoundError: there is nothing."""
    if claude is not None:
        return claude
    found = find_claude(os.environ)
    if "CLAUDE_PROXY_CLAUDE" not in os.environ:
        return f"{found}, at each start the first claude on PATH that is no shim"
    if not (os.path.isfile(found) and os.access(found, os.X_OK)):
        raise FileNotFoundError(
            f"CLAUDE_PROXY_CLAUDE is {found}, which is no program; set it to the real claude"
        )
    return f"{found}, which CLAUDE_PROXY_CLAUDE names"


def _carried(folder: str) -> str:
    """Return how to wrap the Claude Code that an installed Agent SDK carries, if there is one."""
    import shlex  # noqa: PLC0415 - only where nothing else is found

    from proxy.cli.agent_sdk import bundled  # noqa: PLC0415

    carried = bundled(os.getcwd())
    if carried is None:
        return ""
    return (
        f". An Agent SDK carries one: claude-proxy shim {shlex.quote(folder)} --claude {shlex.quote(carried)}"
    )


def _what_is_wrong(claude: str | None, target: str, *, stand_in: bool) -> str | None:
    if claude and stand_in:
        return "--claude says what to wrap; a stand-in wraps nothing"
    if claude and _is_shim(claude):
        return f"{claude} is a shim itself; --claude takes the real one"
    if claude and not (os.path.isfile(claude) and os.access(claude, os.X_OK)):
        return f"{claude} is not a program that can be run; --claude takes its path"
    if os.path.lexists(target) and not _is_ours(target):
        return f"{target} exists and is not a shim; choose another folder"
    return None


def _write(target: str, claude: str | None, arguments: argparse.Namespace) -> None:
    import contextlib  # noqa: PLC0415 - starting a shim does without

    from proxy.cli.replay import log_of, settings_from  # noqa: PLC0415
    from proxy.replay import launcher, script  # noqa: PLC0415

    plays = [os.path.abspath(path) for path in arguments.script]
    for path in plays:
        script.load(path)
    plays += [log_of(arguments.data_dir, session) for session in arguments.replay]
    with contextlib.suppress(FileNotFoundError):
        os.unlink(f"{target}.starts")  # of a stand-in that was here before
    if plays:
        counted = {"starts": f"{target}.starts"} if len(plays) > 1 else {}
        launcher.write_stand_in(target, {"plays": plays, **counted, **settings_from(arguments)})
        return
    text = _SCRIPT.format(
        interpreter=launcher.interpreter_line(),
        mark=MARK.decode(),
        path=launcher.package_path("proxy", "msgspec"),
        claude=claude,
    )
    launcher.write_executable(target, text)


def main(claude: str | None) -> NoReturn:
    """Be the shim: wrap the real ``claude`` with the arguments of this process."""
    from proxy.cli import refuse, wrap  # noqa: PLC0415 - the subcommand does without
    from proxy.cli.errors import UsageError  # noqa: PLC0415 - the subcommand does without

    try:
        wrap([claude or find_claude(os.environ), *sys.argv[1:]], {}, is_claude=True)
    except UsageError as error:
        refuse(error, 2)
    except FileNotFoundError as error:
        refuse(error, 127)


def find_claude(environ: Mapping[str, str]) -> str:
    """Return the path of the real ``claude``.

    Raises:
        FileNotFoundError: there is none; says what to set.
    """
    if given := environ.get("CLAUDE_PROXY_CLAUDE"):
        if _is_shim(given):
            raise FileNotFoundError(
                f"CLAUDE_PROXY_CLAUDE is {given}, a shim itself; set it to the real claude"
            )
        return given
    for folder in environ.get("PATH", os.defpath).split(os.pathsep):
        candidate = os.path.join(folder or ".", "claude")
        if os.path.isfile(candidate) and os.access(candidate, os.X_OK) and not _is_shim(candidate):
            return candidate
    raise FileNotFoundError("no claude on PATH but shims; install it, or set CLAUDE_PROXY_CLAUDE to its path")


def _is_shim(path: str) -> bool:
    return MARK in _beginning(path)


def _is_ours(path: str) -> bool:
    from proxy.replay.launcher import MARK as STAND_IN  # noqa: PLC0415 - as above

    return MARK in _beginning(path) or STAND_IN in _beginning(path)


def _beginning(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(1024)
    except OSError:
        return b""
