"""The configuration, for subcommands; ``claude-proxy config``: whether it is right, and where each value comes from."""

import argparse
import json
import os
from typing import Any

from proxy.cli.arguments import add_verb, option
from proxy.cli.errors import complain
from proxy.cli.options import resolve
from proxy.cli.terminal import print_json, printable
from proxy.config import KEYS, Settings
from proxy.sessions.identity import default_data_dir
from proxy.sources import Configuration, ConfigurationError, read

_WIDEST = 40
"""Columns: a value that is longer moves its source to the right."""


def config_options(parser: argparse.ArgumentParser) -> None:
    """Read options, environment and the file of --config, as every command does.

    Examples:
        claude-proxy config check --config server.yaml
        claude-proxy config show --json
    """
    verbs = parser.add_subparsers(metavar="check|show", required=True)
    check = add_verb(verbs, "check: print everything that is wrong; exit status 2 if anything is", _check)
    check.set_defaults(resolves=False)
    show = add_verb(verbs, "show: print every key, its value and its source", _show)
    option(show, "--json: print JSON")
    show.set_defaults(resolves=False)


def settings_of(arguments: argparse.Namespace) -> Settings:
    """Return the settings that the command line names. ConfigurationError: they cannot be read, or are wrong."""
    return read(arguments.config, os.environ).settings


def _check(arguments: argparse.Namespace) -> int:
    if (found := _read(arguments)) is None:
        return 2
    resolve(arguments.options)  # the options that have no key
    count = len(found.given)
    keys = "1 key is" if count == 1 else f"{count or 'no'} keys are"
    print(f"The configuration is right: {keys} set, the others have their defaults.")
    return 0


def _show(arguments: argparse.Namespace) -> int:
    if (found := _read(arguments)) is None:
        return 2
    names = [*KEYS, *(f"rules.{name}" for name in found.settings.rules.named)]
    shown = {name: {"value": _value(found, name), "source": found.origin(name)} for name in names}
    if arguments.json:
        print_json(shown)
        return 0
    rows = [("key", "value", "source")]
    for name, one in shown.items():
        value = one["value"] if isinstance(one["value"], str) else json.dumps(one["value"])
        rows.append((name, printable(value), printable(one["source"])))
    widths = [min(_WIDEST, max(len(row[at]) for row in rows)) for at in range(2)]
    for name, value, source in rows:
        print(f"{name:{widths[0]}}  {value:{widths[1]}}  {source}")
    return 0


def _value(found: Configuration, name: str) -> Any:
    value = found.value(name)
    if name == "storage.data_directory" and value is None:
        return default_data_dir(os.environ)
    if name in KEYS and KEYS[name].is_secret and value:
        return f"({len(value)} hidden)" if isinstance(value, tuple) else "(hidden)"
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _read(arguments: argparse.Namespace) -> Configuration | None:
    """Read everything that a server reads when it starts; None: the configuration is wrong, as was said."""
    options = arguments.options
    path = options.get("config") or os.environ.get("CLAUDE_PROXY_CONFIG") or None
    try:
        found = read(path, os.environ, options)
    except ConfigurationError as error:
        for fault in error.faults:
            complain(fault, 2)
        return None
    if found.settings.security.tls_certificate is not None:
        from proxy.server.process.tls import Certificate  # noqa: PLC0415 - TLS takes long to import

        Certificate.of(found.settings.security)
    if found.settings.schemas.directory is not None:
        from proxy.custom_schemas import read_folder  # noqa: PLC0415 - few have any

        read_folder(found.settings.schemas.directory)
    if found.settings.policy.file is not None:
        from proxy.policy.rules import load  # noqa: PLC0415 - few have one

        load(found.settings.policy.file)
    return found
