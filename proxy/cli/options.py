"""The wrapper's options as they are given: which words are whose, and which value counts.

Imported before the wrapped command starts, so they are read by hand.
"""

from __future__ import annotations

import os

from proxy.cli.errors import UsageError
from proxy.nearest import meant
from proxy.options import OPTIONS, PREFIX, VARIABLES

TYPE_CHECKING = False  # `typing` takes long to import, and the command waits
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

USAGE = (
    "usage: claude-proxy [OPTIONS] [--] COMMAND [ARG...] | claude-proxy SUBCOMMAND ...  (claude-proxy --help)"
)


def split_options(arguments: Sequence[str]) -> tuple[dict[str, str], list[str], bool]:
    """Return the wrapper's options by name, the words that follow them, and whether ``--`` stood between.

    Raises:
        UsageError: an option is unknown, or has no value.
    """
    options: dict[str, str] = {}
    index = 0
    while index < len(arguments):
        word = arguments[index]
        index += 1
        if word == "--":
            return options, list(arguments[index:]), True
        if not word.startswith("-") or word == "-":
            return options, list(arguments[index - 1 :]), False
        name, given, value = word.removeprefix("--").partition("=")
        if word in ("-h", "--help", "--version"):
            options["help" if word != "--version" else "version"] = ""
            continue
        if not word.startswith("--") or name not in OPTIONS:
            known = [*(f"--{known}" for known in OPTIONS), "--help", "--version"]
            raise UsageError(f"unknown option {word}; {meant(word, known, USAGE)}")
        if not given:
            if index == len(arguments):
                raise UsageError(f"option --{name} needs a value")
            value = arguments[index]
            index += 1
        options[name] = value
    return options, [], False


def resolve(options: Mapping[str, str]) -> dict[str, str]:
    """Return each option's value by precedence: command line, environment, configuration file, default.

    Raises:
        UsageError: a value is not allowed, or the configuration cannot be used.
    """
    from proxy.sessions.identity import default_data_dir, is_session_id  # noqa: PLC0415

    chosen = {name: option.default for name, option in OPTIONS.items() if option.default is not None}
    for name, value in options.items():
        if not value and name in OPTIONS and name != "session-name":
            raise UsageError(f"option --{name} needs a value")
    given = {
        name: set_to
        for name, option in OPTIONS.items()
        if option.variable and (set_to := os.environ.get(option.variable))
    }
    given.update(options)
    config = given.get("config")
    if config or any(name.startswith(PREFIX) and name not in VARIABLES for name in os.environ):
        from proxy.cli.configuration import options_from  # noqa: PLC0415

        chosen.update(options_from(config))
    chosen.update(given)
    for name, option in OPTIONS.items():
        if option.choices and chosen[name] not in option.choices:
            raise UsageError(
                f"{_origin(name, options)} is {chosen[name]!r}; it takes {', '.join(option.choices)}"
            )
    if "session-id" in chosen and not is_session_id(chosen["session-id"]):
        raise UsageError(
            f"--session-id is {chosen['session-id']!r}; it takes up to 128 of the characters A-Z a-z 0-9 . _ -, and"
            " begins with a letter or digit (but is not `latest`)"
        )
    port = chosen["port"]
    if not (port.isascii() and port.isdigit() and int(port) < 65536):
        raise UsageError(
            f"{_origin('port', options)} is {port!r}; it takes a number from 0 (any free port) to 65535"
        )
    chosen["data-dir"] = chosen.get("data-dir") or default_data_dir(os.environ)
    try:  # noqa: SIM105 - contextlib takes long to import
        chosen["data-dir"] = os.path.abspath(chosen["data-dir"])
    except OSError:
        pass  # relative to a directory that was removed: it cannot be used, and that disturbs nothing
    return chosen


def listed(chosen: Mapping[str, str], key: str) -> list[str]:
    """Return a list among what was chosen, see `options.LISTS`."""
    value = chosen.get(key)
    return value.split("\0") if value else []


def _origin(option: str, options: Mapping[str, str]) -> str:
    return f"--{option}" if option in options else OPTIONS[option].variable
