"""The wrapper's share of the configuration, read without making the wrapper any larger.

The settings model and YAML need more than the memory of a wrapped session: a process of its own reads
the file and the environment, and only the few values that the wrapper uses come back.
"""

from __future__ import annotations

import json
import os

from proxy.cli import UsageError
from proxy.options import LISTS, OPTIONS, VARIABLES


def options_from(path: str | None) -> dict[str, str]:
    """Return the wrapper's options that the file and the environment set; `UsageError` if anything there is wrong."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            with os.fdopen(write, "wb") as pipe:
                pipe.write(json.dumps(_options(path)).encode())
        finally:
            os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        answer = pipe.read()
    os.waitpid(pid, 0)
    if not answer:
        raise UsageError(f"cannot read the configuration {path or 'of the environment'}: reading it failed")
    options: dict[str, str] = json.loads(answer)
    if "error" in options:
        raise UsageError(options["error"])
    return options


def _options(path: str | None) -> dict[str, str]:
    from proxy.sources import ConfigurationError, read  # noqa: PLC0415 - see the module's docstring

    # The variables of the options are checked with them: see `proxy.cli.resolve`.
    environment = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    try:
        found = read(path, environment)
    except ConfigurationError as error:
        return {"error": str(error)}
    values = {option.name: found.value(option.key) for option in OPTIONS.values() if option.key}
    lists = {key: "\0".join(found.value(key)) for key in LISTS}
    return {name: str(value) for name, value in (values | lists).items() if value is not None}
