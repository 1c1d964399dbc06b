"""The wrapper that is checked, and how it is told where its `claude` is.

The stand-in is handed over in every way that wrappers know: it is the first `claude` on `PATH`, variables hold its
path, and, for a wrapper that takes the original command line, it is the first argument.
"""

import errno
import os
import secrets
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import closing

import msgspec

from proxy.compliance.caller import Caller, StuckError, excerpt
from proxy.compliance.place import Place
from proxy.compliance.processes import MARK

VARIABLES = ("CLAUDE_PROXY_CLAUDE", "CLAUDE_CODE_EXECUTABLE", "CLAUDE_PATH", "CLAUDE_BIN", "REAL_CLAUDE")
"""Variables that hold the stand-in's path, besides `PATH`."""
_PREFLIGHT_S = 20.0  # a wrapper may start a container first


class TargetError(Exception):
    """The wrapper cannot be checked; the sentence says why and what to change."""


class Target(msgspec.Struct, frozen=True):
    """A wrapper."""

    command: tuple[str, ...] = ()
    """Program and arguments of its own; empty is the bare stand-in."""
    as_argument: bool | None = None
    """Whether the stand-in is its first argument; None: that is found out."""
    variables: tuple[str, ...] = ()
    """Further variables that hold the stand-in's path."""

    def argv(self, claude: str, arguments: Sequence[str]) -> list[str]:
        """Return the command line that stands for ``claude ARGUMENTS``."""
        if not self.command:
            return [claude, *arguments]
        return [*self.command, *([claude] if self.as_argument else []), *arguments]

    def environment(self, place: Place) -> dict[str, str]:
        """Return the caller's environment. Whatever a wrapped session would record goes to the place."""
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith("CLAUDE_PROXY_")
        }
        folder = os.path.dirname(place.claude)
        environment["PATH"] = f"{folder}{os.pathsep}{environment.get('PATH', os.defpath)}"
        environment.update(dict.fromkeys((*VARIABLES, *self.variables), place.claude))
        environment["CLAUDE_PROXY_DATA_DIR"] = os.path.join(place.folder, "data")
        environment["CLAUDE_PROXY_SERVER"] = "off"
        environment[MARK] = place.mark
        return environment


def found(words: Sequence[str]) -> tuple[str, ...]:
    """Return the wrapper's command line with its program's whole path.

    Raises:
        TargetError: it cannot be run.
    """
    program = shutil.which(words[0])
    if program is None:
        if os.path.isfile(words[0]):
            raise TargetError(f"{words[0]} is not executable; chmod +x it")
        raise TargetError(f"there is no program {words[0]}; WRAPPER is a path, or a name on PATH")
    return (os.path.abspath(program), *words[1:])


def reached(target: Target, claude: str | None) -> Target:
    """Return the target as it reaches the ``claude`` that it is given, found out with a call of ``--version``.

    Nothing else is run before: a wrapper that has the path of the real `claude` in it never gets a prompt.

    Raises:
        TargetError: it does not reach it.
    """
    with tempfile.TemporaryDirectory(prefix="claude-proxy-check-") as folder:
        place = Place(os.path.join(folder, "0"), claude)
        version = f"{secrets.token_hex(4)} (Claude Code)"
        place.build({"steps": [], "version": version})
        if claude is not None:
            version = _answer([place.claude, "--version"], dict(os.environ), place)[0].strip()
        tried = []
        for as_argument in (False, True) if target.as_argument is None else (target.as_argument,):
            candidate: Target = msgspec.structs.replace(target, as_argument=as_argument)
            environment = candidate.environment(place)
            answer, sentence = _answer(candidate.argv(place.claude, ["--version"]), environment, place)
            if version and version in answer:
                return candidate
            tried.append(sentence)
    raise TargetError(_sentence(target, tried))


def _answer(argv: Sequence[str], environment: Mapping[str, str], place: Place) -> tuple[str, str]:
    """Return what a call writes, and a sentence about it."""
    try:
        caller = Caller(argv, environment, place, patience_s=_PREFLIGHT_S)
    except OSError as error:
        raise TargetError(f"{argv[0]} cannot be run: {_reason(error)}") from None
    with closing(caller):
        try:
            caller.finish()
        except StuckError:
            return "", f"it did not answer within {_PREFLIGHT_S:g} s"
    stdout, stderr = bytes(caller.stdout), bytes(caller.stderr)
    said = f"it wrote {excerpt(stdout)}" if stdout.strip() else "it wrote nothing to stdout"
    complaint = f", to stderr {excerpt(stderr)}" if stderr.strip() else ""
    status = caller.process.returncode
    return stdout.decode(errors="replace"), f"{said}{complaint}, with status {status}"


def _reason(error: OSError) -> str:
    """Return what keeps an executable file from being run, which `found` has found."""
    reasons = {
        errno.ENOENT: "the program that its first line names, or a library that it needs, is not there",
        errno.ENOEXEC: "it is no program for this machine; a script begins with a line such as #!/bin/sh",
    }
    return reasons.get(error.errno or 0, str(error.strerror))


def _sentence(target: Target, tried: Sequence[str]) -> str:
    tries = tried[0] if len(tried) == 1 else f"{tried[0]}; given the path as its first argument, {tried[1]}"
    ways = f"first on PATH as `claude`, in {', '.join((*VARIABLES, *target.variables))}, or as first argument"
    return (
        f"`{' '.join(target.command)} --version` does not give what the stand-in answers: {tries}. "
        f"The wrapper is told where the stand-in is in these ways: {ways}; --variable NAME adds another. "
        "A wrapper with a fixed path of `claude` must take it from one of them"
    )
