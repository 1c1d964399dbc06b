"""The configuration, for subcommands; ``claude-proxy config``: whether it is right, and where each value comes from."""

import argparse
import json
import os
from typing import Any

from proxy.cli.arguments import option
from proxy.cli.errors import complain
from proxy.cli.options import resolve
from proxy.cli.terminal import print_json, printable
from proxy.config import KEYS, Security, Settings
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
    check = verbs.add_parser("check", help="print everything that is wrong; exit status 2 if anything is")
    check.set_defaults(run=_check, resolves=False)
    show = verbs.add_parser("show", help="print every key, its value and its source")
    option(show, "--json: print JSON")
    show.set_defaults(run=_show, resolves=False)


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
    options = arguments.options
    path = options.get("config") or os.environ.get("CLAUDE_PROXY_CONFIG") or None
    try:
        found = read(path, os.environ, options)
        if found.settings.security.tls_certificate is not None:
            _read_certificate(found.settings.security)
        if found.settings.schemas.directory is not None:
            _read_schemas(found.settings.schemas.directory)
        if found.settings.policy.file is not None:
            _read_policy(found.settings.policy.file)
        return found
    except ConfigurationError as error:
        for fault in error.faults:
            complain(fault, 2)
        return None


def _read_certificate(security: Security) -> None:
    """Read the certificate and its key as a server does. ConfigurationError: they cannot be used."""
    from proxy.server.process.tls import CannotUseCertificateError, Certificate  # noqa: PLC0415 - TLS takes long to import

    try:
        Certificate.of(security)
    except CannotUseCertificateError as error:
        raise ConfigurationError(str(error)) from None


def _read_schemas(folder: str) -> None:
    """Read the schemas of a folder as a server does. ConfigurationError: one cannot be used."""
    from proxy.custom_schemas import UnusableSchemaError, read_folder  # noqa: PLC0415 - few have any

    try:
        read_folder(folder)
    except UnusableSchemaError as error:
        raise ConfigurationError(str(error)) from None


def _read_policy(path: str) -> None:
    """Read a policy as a wrapped session does. ConfigurationError: it cannot be used."""
    from proxy.policy.rules import PolicyError, load  # noqa: PLC0415 - few have one

    try:
        load(path)
    except PolicyError as error:
        raise ConfigurationError(str(error)) from None
