"""The wrapper's share of a configuration file, read without making the wrapper any larger.

The settings model needs pydantic and YAML, several times the memory of a wrapped session: a process of its own reads
the file, and only the few values that the wrapper uses come back.
"""

from __future__ import annotations

import json
import os

from proxy.cli import UsageError


def options_from(path: str) -> dict[str, str]:
    """Return the wrapper's options that the file sets; raise `UsageError` if it is unreadable or wrong."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.write(write, json.dumps(_options(path)).encode())
        finally:
            os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        answer = pipe.read()
    os.waitpid(pid, 0)
    if not answer:
        raise UsageError(f"cannot read the configuration {path}: reading it failed")
    options: dict[str, str] = json.loads(answer)
    if "error" in options:
        raise UsageError(options["error"])
    return options


def _options(path: str) -> dict[str, str]:
    from proxy.config import ConfigurationError, load  # noqa: PLC0415 - see the module's docstring

    try:
        settings = load(path)
    except ConfigurationError as error:
        return {"error": str(error)}
    options = {
        "validation": settings.validation.mode,
        "host": settings.api.host,
        "port": str(settings.api.port),
    }
    if settings.storage.data_directory is not None:
        options["data-dir"] = settings.storage.data_directory
    return options
