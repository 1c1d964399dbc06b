"""The wrapper's share of the configuration, read without making the wrapper any larger.

The settings model and YAML need more than the memory of a wrapped session: a process of its own reads
the file and the environment, and only the few values that the wrapper uses come back.
"""

from __future__ import annotations

import json
import os

from proxy.cli.errors import UsageError
from proxy.options import LISTS, OPTIONS, TEXTS, VARIABLES

TYPE_CHECKING = False  # `typing` takes long to import, and the command waits
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def options_from(path: str | None) -> dict[str, str]:
    """Return the wrapper's options that the file and the environment set; `UsageError` if anything there is wrong."""
    return _in_a_process_of_its_own(_options, path, f"the configuration {path or 'of the environment'}")


def _in_a_process_of_its_own(
    read_: Callable[[str | None], dict[str, Any]], path: str | None, what: str
) -> dict[str, Any]:
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            with os.fdopen(write, "wb") as pipe:
                pipe.write(json.dumps(read_(path)).encode())
        finally:
            os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        answer = pipe.read()
    os.waitpid(pid, 0)
    if not answer:
        raise UsageError(f"cannot read {what}: reading it failed")
    found: dict[str, Any] = json.loads(answer)
    if "error" in found:
        raise UsageError(found["error"])
    return found


def policy_from(path: str) -> dict[str, Any]:
    """Return a policy: its ``permissions``, ``sha256`` and ``shadow``; `UsageError` if the file cannot be used."""
    return _in_a_process_of_its_own(_policy, path, f"the policy {path}")


def _policy(path: str | None) -> dict[str, Any]:
    from proxy.policy.rules import PolicyError, load  # noqa: PLC0415 - see the module's docstring

    try:
        policy = load(path or "")
    except PolicyError as error:
        return {"error": str(error)}
    return {"permissions": policy.permissions, "sha256": policy.sha256, "shadow": policy.shadow}


def _options(path: str | None) -> dict[str, str]:
    from proxy.sources import ConfigurationError, read  # noqa: PLC0415 - see the module's docstring

    # The variables of the options are checked with them: see `proxy.cli.resolve`.
    environment = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    try:
        found = read(path, environment)
    except ConfigurationError as error:
        return {"error": str(error)}
    values = {option.name: found.value(option.key) for option in OPTIONS.values() if option.key}
    values |= {key: "\0".join(found.value(key)) for key in LISTS}
    values |= {key: found.value(key) for key in TEXTS}
    return {name: str(value) for name, value in values.items() if value is not None}
