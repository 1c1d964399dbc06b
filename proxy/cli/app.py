"""The subcommands: everything but wrapping a command. One is imported when it is called."""

import argparse
import contextlib
import gc
import io
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import TextIO

from proxy.cli.arguments import Parser, parser_of
from proxy.cli.errors import UsageError, complain
from proxy.cli.options import listed, resolve
from proxy.cli.subcommands import GROUPS, LOCAL, READING
from proxy.options import LISTS, OPTIONS

_READ_S = 10.0
"""As long a command waits for what is left in a transcript; that is more than a hundred megabytes take."""
_AT_A_CENTRE = (
    "this configuration is a centre's (storage.url), whose sessions are in its database: read them on its page or over"
    " its API, take their logs out with `claude-proxy export --since TIME --to DIR`, back the database up with pg_dump"
)

ERRORS = {
    "proxy.cli.errors.FailedError": 1,
    "proxy.server.access.tokens.TokenError": 1,
    "proxy.server.process.run.CannotServeError": 1,
    "proxy.upkeep.backup.BackupError": 1,
    "proxy.upkeep.signatures.SignatureError": 1,
    "proxy.compliance.scenario.ScenarioError": 2,
    "proxy.compliance.target.TargetError": 2,
    "proxy.custom_schemas.schemas.UnusableSchemaError": 2,
    "proxy.policy.rules.PolicyError": 2,
    "proxy.protocol.specifications.UnknownSpecificationError": 2,
    "proxy.replay.launcher.CannotPlayError": 2,
    "proxy.replay.script.ScriptError": 2,
    "proxy.server.process.tls.CannotUseCertificateError": 2,
    "proxy.sessions.catalogue.SessionLookupError": 2,
    "proxy.sources.ConfigurationError": 2,
    "proxy.telemetry.collector.MissingLibraryError": 2,
}
"""Errors whose sentence ends a subcommand, by name as most commands import few of them, with the exit status."""


def run(
    options: Mapping[str, str],
    words: Sequence[str],
    stdin: TextIO | None,
    stdout: TextIO | None,
    stderr: TextIO | None,
) -> int:
    """Run a subcommand, or print what was asked for instead of one; return the exit status.

    ``options`` are those before the subcommand. Raises UsageError.
    """
    with _streams(stdin, stdout, stderr):
        try:
            try:
                status = _run(options, words)
            except SystemExit as error:  # argparse has printed help
                status = int(error.code or 0)
            sys.stdout.flush()
            return status
        except BrokenPipeError:  # `claude-proxy show latest | head`
            for stream in (sys.stdout, sys.stderr):  # so that nothing is tried again at the end
                with contextlib.suppress(OSError):
                    stream.close()
            return 141
        except OSError as error:
            from proxy.events.formatting import error_message  # noqa: PLC0415 - most commands end well

            try:
                sys.stdout.flush()
            except OSError:  # its disk is full: tried again at the end, it would change the status
                with contextlib.suppress(OSError):
                    sys.stdout.close()
            return complain(error_message(error))
        except KeyboardInterrupt:
            return 130
        except Exception as error:
            names = (f"{kind.__module__}.{kind.__name__}" for kind in type(error).__mro__)
            if (known := next(filter(ERRORS.get, names), None)) is None:
                raise
            return complain(error, ERRORS[known])


def _run(options: Mapping[str, str], words: Sequence[str]) -> int:
    if not words and not options.keys() & {"help", "version"}:
        from proxy.cli.manual import help_text  # noqa: PLC0415 - for whoever asked for nothing

        sys.stderr.write(help_text())
        return 2
    words = ["version"] if "version" in options else ["help", *words] if "help" in options else words
    # Imports and a short run leave nothing to collect: looking for it would take a tenth of the processor time.
    gc.set_threshold(100_000, 50, 100)
    name = words[0]
    if name not in GROUPS["Get help"]:
        import proxy.protocol  # noqa: F401, PLC0415 - first, as it imports msgspec at less than half its price
    parser = parser_of(name)
    ours, words, behind = split(words[1:], parser)
    arguments = parser.parse_words(words)
    arguments.arguments = behind
    arguments.options = {**options, **ours}
    if arguments.resolves:
        chosen = resolve_into(arguments)
        if name in LOCAL and "storage.url" in chosen:
            raise UsageError(f"{name}: {_AT_A_CENTRE}")
        if name in READING:
            _go_on_recording(arguments.data_dir)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # whatever a terminal's encoding cannot show
    return int(arguments.run(arguments) or 0)


def _go_on_recording(data_dir: str) -> None:
    """Have read, before it is shown, what recorders that were killed have left in transcripts."""
    from proxy.sessions import catalogue  # noqa: PLC0415 - most of these commands need it anyway
    from proxy.sessions.identity import log_path  # noqa: PLC0415

    with contextlib.suppress(OSError):  # the command says what is wrong with the data directory
        for session_id in catalogue.list_unattended(data_dir):
            from proxy.following.resumption import resume  # noqa: PLC0415 - hardly ever

            resume(log_path(data_dir, session_id), _READ_S)


def resolve_into(arguments: argparse.Namespace) -> dict[str, str]:
    """Give the arguments the values of the wrapper's options that subcommands use, and have no option of their own for.

    Return all that was chosen. UsageError: one is wrong.
    """
    chosen = resolve(arguments.options)
    arguments.data_dir = chosen["data-dir"]
    if os.path.exists(arguments.data_dir) and not os.path.isdir(arguments.data_dir):
        raise UsageError(f"the data directory {arguments.data_dir} is a file; give a folder with --data-dir")
    used: dict[str, object] = {name: chosen.get(name) for name in ("config", "redact", "host")}
    used |= {key.rpartition(".")[2]: listed(chosen, key) for key in LISTS}
    for name, value in {**used, "port": int(chosen["port"])}.items():
        vars(arguments).setdefault(name, value)
    return chosen


@contextlib.contextmanager
def _streams(stdin: TextIO | None, stdout: TextIO | None, stderr: TextIO | None) -> Iterator[None]:
    """Let the given streams be this process's; a closed one takes everything, and gives nothing."""
    before = sys.stdin, sys.stdout, sys.stderr
    with open(os.devnull, "r+") as nothing:
        sys.stdin, sys.stdout, sys.stderr = stdin or nothing, stdout or nothing, stderr or nothing
        try:
            yield
        finally:
            sys.stdin, sys.stdout, sys.stderr = before


def split(words: Sequence[str], parser: Parser) -> tuple[dict[str, str], list[str], list[str]]:
    """Return the wrapper's options that stand behind the subcommand, the other words, and those behind ``--``.

    These are another program's; for a subcommand that takes none, they are words like the others. An option of the
    subcommand's own is no option of the wrapper, though it has the same name.
    """
    takes_arguments = parser.get_default("arguments") is not None
    own = parser.option_names()
    options: dict[str, str] = {}
    rest: list[str] = []
    left = iter(words)
    for word in left:
        if word == "--":
            return options, rest if takes_arguments else [*rest, word, *left], list(left)
        name, given, value = word.removeprefix("--").partition("=")
        if not word.startswith("--") or name not in OPTIONS or f"--{name}" in own:
            rest.append(word)
            continue
        options[name] = value if given else next(left, "")
    return options, rest, []
