"""The way in of the console script and of shims: our own ``proxy``, whatever else of that name there is.

A module ``proxy`` on the caller's ``PYTHONPATH`` does not get in the way. A package ``proxy`` that another project has
installed over ours does (PyPI has some): then the command runs, unrecorded, and a line on stderr says why.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # `typing` takes long to import, and the command waits
if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType
    from typing import NoReturn

__all__ = ["main", "shim"]

_HERE = os.path.dirname(os.path.abspath(__file__))
_PACKAGE = os.path.join(_HERE, "proxy")
_INIT = os.path.join(_PACKAGE, "__init__.py")
_MARK = b'"""claude-proxy'
"""How our package begins."""


def main() -> NoReturn:
    """Run the program."""
    if _is_foreign():
        _run_unrecorded(sys.argv[1:])
    _import_ours()
    from proxy.cli import main as run  # noqa: PLC0415 - from where it was found

    run()


def shim(claude: str | None) -> NoReturn:
    """Be a shim: wrap ``claude``, or the first on PATH that is no shim, with the arguments of this process."""
    if _is_foreign():
        sys.stderr.write(f"claude-proxy: {_why()}; claude runs unrecorded\n")
        _become([claude or _load("cli/shim").find_claude(os.environ), *sys.argv[1:]])
    _import_ours()
    from proxy.cli.shim import main as run  # noqa: PLC0415 - as above

    run(claude)


def _is_foreign() -> bool:
    """Whether the package beside this file is not ours, or another one has been imported already."""
    imported = getattr(sys.modules.get("proxy"), "__file__", _INIT)
    if imported != _INIT:
        return True
    try:
        with open(_INIT, "rb") as file:
            return file.read(len(_MARK)) != _MARK
    except OSError:  # an installation without sources
        return False


def _import_ours() -> None:
    """Import ``proxy`` from beside this file: from now on its modules come from there."""
    sys.path.insert(0, _HERE)
    import proxy  # noqa: F401, PLC0415 - see above

    sys.path.remove(_HERE)


def _run_unrecorded(words: Sequence[str]) -> NoReturn:
    """Run the COMMAND of a command line; a subcommand cannot be run."""
    subcommands = _load("cli/subcommands").SUBCOMMANDS
    left = list(words)
    while left and left[0].startswith("--") and left[0] != "--":
        del left[: 1 if "=" in left[0] else 2]
    separated = left[:1] == ["--"]
    command = left[separated:]
    if not command or (command[0] in subcommands and not separated) or command[0].startswith("-"):
        sys.stderr.write(f"claude-proxy: {_why()}\n")
        sys.exit(1)
    sys.stderr.write(f"claude-proxy: {_why()}; {command[0]} runs unrecorded\n")
    _become(command)


def _become(command: Sequence[str]) -> NoReturn:
    """Replace this process by a command."""
    execute = _load("relay/execute")
    try:
        execute.execute(command, dict(os.environb))
    except execute.CannotRunError as error:
        sys.stderr.write(f"claude-proxy: {error}\n")
        sys.exit(error.status)
    raise AssertionError("the command has taken this process's place")


def _load(name: str) -> ModuleType:
    """Return a module of ours by its file, without the package that it is in: these import nothing of it."""
    from importlib.util import module_from_spec, spec_from_file_location  # noqa: PLC0415 - for what is wrong alone

    spec = spec_from_file_location(name.replace("/", "_"), os.path.join(_PACKAGE, f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _why() -> str:
    """Return what is wrong, and what to do."""
    imported = getattr(sys.modules.get("proxy"), "__file__", _INIT)
    where = imported if imported != _INIT else _PACKAGE
    return (
        f"{_owner()} has its own package `proxy` in place of claude-proxy's ({where}): install claude-proxy"
        " in an environment of its own, as pipx and `uv tool` do"
    )


def _owner() -> str:
    """Return which project has installed the foreign package, as far as that can be told."""
    try:
        for name in sorted(os.listdir(_HERE)):
            if name.endswith(".dist-info") and not name.startswith("claude_proxy-"):
                with open(os.path.join(_HERE, name, "RECORD"), "rb") as record:
                    if b"\nproxy/__init__.py," in b"\n" + record.read():
                        return name.removesuffix(".dist-info").replace("-", " ")
    except OSError:
        pass  # one that was installed in another way
    return "another project"
