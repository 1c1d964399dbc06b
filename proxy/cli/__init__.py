"""The command line: ``claude-proxy [OPTIONS] [--] COMMAND ...`` and the subcommands.

This module is what every wrapped command waits for, so the few options of the wrapper are read by hand; the
subcommands have ``argparse`` (see ``app``).
"""

from __future__ import annotations

import os
import sys

from proxy.cli.errors import UsageError, complain, say
from proxy.cli.options import USAGE, listed, resolve, split_options
from proxy.cli.subcommands import SUBCOMMANDS
from proxy.nearest import nearest

TYPE_CHECKING = False  # `typing` and `signal` (for its `enum`) take long to import, and the command waits
if TYPE_CHECKING:
    import signal
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any, NoReturn, TextIO

    from proxy.following import launch
    from proxy.relay import supervisor
    from proxy.relay.command import Plan
else:
    import _signal as signal


def main() -> NoReturn:
    """Run the program and exit with its status: the console script's entry point."""
    # Until the command has started, Ctrl-C ends this process as it would end the command: without a traceback.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    status = run(sys.argv[1:], sys.stdin, sys.stdout, sys.stderr)
    import gc  # noqa: PLC0415 - a wrapped command does not get here

    gc.freeze()  # else the interpreter looks through all modules once more as it ends: a tenth of a subcommand's time
    sys.exit(status)


def run(arguments: Sequence[str], stdin: TextIO | None, stdout: TextIO | None, stderr: TextIO | None) -> int:
    """Do what the command line says, and return the exit status.

    A subcommand uses the given streams; one that is None is closed. A COMMAND takes the place of this process, with
    its standard streams, and is never returned from.
    """
    try:
        options, rest, separated = split_options(arguments)
        if rest and (separated or rest[0] not in SUBCOMMANDS):
            wrap(rest, options, hint=not separated)
        from proxy.cli import app  # noqa: PLC0415 - see the module's docstring

        return app.run(options, rest, stdin, stdout, stderr)
    except UsageError as error:
        say(error, stderr)
        return 2


def refuse(why: object, status: int) -> NoReturn:
    """Say in one line why the command is not run, and end this process."""
    os._exit(complain(why, status))


def wrap(
    command: Sequence[str], options: Mapping[str, str], *, hint: bool = False, is_claude: bool = False
) -> NoReturn:
    """Run COMMAND behind the wrapper, or become it.

    ``hint``: it may be a mistyped subcommand. ``is_claude``: it is one, whatever its name.
    """
    from proxy.relay.command import plan  # noqa: PLC0415 - each path imports no more than it needs
    from proxy.relay.execute import CannotRunError, execute  # noqa: PLC0415

    if "help" in options or "version" in options:
        raise UsageError(f"--help and --version take no COMMAND; {USAGE}")
    chosen = resolve(options)
    environment = original_environment()
    decided = plan(
        command,
        stdin_is_terminal=os.isatty(0),  # False for a closed descriptor too
        stdout_is_terminal=os.isatty(1),
        is_claude=is_claude,
    )
    session = _Session(command, chosen)
    try:
        if decided.relayed:
            session.relay(decided, environment)
        if decided.followed and chosen["interactive"] != "off":
            session.leave_recorder(environment)
        execute(command, environment)
    except CannotRunError as error:
        session.give_up()
        # Less like it, any short command is like a subcommand.
        near = nearest(command[0], SUBCOMMANDS, cutoff=0.7) if hint else None
        refuse(f"{error}; did you mean the subcommand {near}?" if near else error, error.status)


class _Session:
    """What is recorded of a command, as the user chose it."""

    def __init__(self, command: Sequence[str], chosen: Mapping[str, str]) -> None:
        self._command = command
        self._chosen = chosen
        self._id = ""
        self._is_reserved = False
        self._failed = -1

    def relay(self, decided: Plan, environment: dict[bytes, bytes]) -> NoReturn:
        """Run the command behind the wrapper; raise `CannotRunError`, or UsageError for an id that is taken."""
        from proxy.relay.supervisor import supervise  # noqa: PLC0415

        chosen = self._chosen
        policy = self._policy(decided) if "policy" in chosen else None
        self._begin(environment)

        def prepare() -> Callable[[supervisor.Session, int, int], NoReturn]:
            from proxy.relay import relay  # noqa: PLC0415 - after the command has started

            settings = relay.Settings(
                **self._settings(), validation=chosen["validation"], act=chosen["act"], policy=policy
            )
            return lambda session, news, done: relay.run(settings, session, news, done, self._ensure_server)

        supervise(self._command, decided, environment, prepare, self._on_unrecorded)

    def leave_recorder(self, environment: dict[bytes, bytes]) -> None:
        """Leave a recorder beside what this process is about to become; raise UsageError for an id that is taken."""
        from proxy.following import launch  # noqa: PLC0415

        self._begin(environment)

        def record(command: launch.Command) -> NoReturn:
            from proxy.following import begin  # noqa: PLC0415 - in the process that is left behind
            from proxy.sessions import beginning  # noqa: PLC0415 - as above

            settings = beginning.Settings(**self._settings())
            begin.record(settings, self._chosen["interactive"], command, self._ensure_server)

        try:
            self._failed = launch.leave_recorder(self._command, record)
        except OSError as error:
            self._on_unrecorded(error)

    def give_up(self) -> None:
        """Leave nothing of the session: the command cannot be run."""
        if self._failed >= 0:
            os.write(self._failed, b".")
        self._give_back()

    def _begin(self, environment: dict[bytes, bytes]) -> None:
        from proxy.sessions.identity import new_session_id, reserve  # noqa: PLC0415

        data_dir, given = self._chosen["data-dir"], self._chosen.get("session-id")
        try:
            if given is not None:
                reserve(data_dir, given)
                self._is_reserved = True
        except FileExistsError:
            raise UsageError(
                f"--session-id is {given!r}, which is the id of a session in {data_dir}; give another"
            ) from None
        except OSError:
            pass  # a data directory that cannot be used disturbs nothing
        self._id = given or new_session_id()
        environment[b"CLAUDE_PROXY_SESSION_ID"] = self._id.encode()

    def _policy(self, decided: Plan) -> dict[str, Any]:
        """Return the policy for the session. UsageError: it cannot be used, or not in such a session."""
        from proxy.cli.configuration import policy_from  # noqa: PLC0415 - few sessions have one

        policy = policy_from(self._chosen["policy"])
        if not (decided.stdin_messages and decided.stdout_messages) and not policy["shadow"]:
            raise UsageError(
                "a policy can be put in force only in a session with --input-format stream-json and"
                " --output-format stream-json; with `shadow: true` it is only reported"
            )
        return {**policy, "on_failure": self._chosen.get("policy.on_failure", "stop")}

    def _settings(self) -> dict[str, Any]:
        chosen = self._chosen
        return {
            "session_id": self._id,
            "data_dir": chosen["data-dir"],
            "name": chosen.get("session-name"),
            "redact": chosen["redact"],
            "patterns": listed(chosen, "redaction.patterns"),
            "fields": listed(chosen, "redaction.fields"),
            "is_reserved": self._is_reserved,
            "seal": chosen["seal"],
        }

    def _ensure_server(self) -> None:
        chosen = self._chosen
        if chosen["server"] == "auto":
            from proxy.server import background  # noqa: PLC0415

            background.ensure_server(
                chosen["data-dir"], chosen["host"], int(chosen["port"]), chosen.get("config")
            )

    def _on_unrecorded(self, error: OSError) -> None:
        from proxy.sessions.unrecorded import note_unrecorded  # noqa: PLC0415 - hardly ever

        self._give_back()
        note_unrecorded(self._chosen["data-dir"], self._command[0], error)

    def _give_back(self) -> None:
        """Take away the log that was made to reserve an id: there will be no session."""
        if self._is_reserved:
            from proxy.sessions.identity import log_path  # noqa: PLC0415 - as above

            try:  # noqa: SIM105 - contextlib takes long to import
                os.unlink(log_path(self._chosen["data-dir"], self._id))
            except OSError:
                pass


def original_environment() -> dict[bytes, bytes]:
    """Return the environment as the caller gave it.

    In the C locale Python sets ``LC_CTYPE`` for itself when it starts (PEP 538); the command must not see that.
    """
    # A name that is empty, which the kernel allows, cannot be passed on by Python.
    environment = {name: value for name, value in os.environb.items() if name}
    if environment.get(b"LC_CTYPE", b"").lower() in (b"c.utf-8", b"c.utf8", b"utf-8"):
        from proxy.sessions import process  # noqa: PLC0415 - only in the C locale

        given = process.environment(os.getpid())
        if given is not None and b"LC_CTYPE" in given:
            environment[b"LC_CTYPE"] = given[b"LC_CTYPE"]
        elif given is not None:  # else nobody can tell who set it
            del environment[b"LC_CTYPE"]
    return environment
