"""The scenarios: what a client does with Claude Code, one function each.

Importing this package registers them all; `all_scenarios` lists them.
"""

from tests.rig.scenarios import (
    control,
    conversation,
    failures,
    gateways,
    hooks,
    mcp,
    permissions,
    sessions,
    tasks,
    tour,
)
from tests.rig.scenarios.registry import Scenario, all_scenarios

# Lines that no specification can call valid, sent on purpose: stream and the verdict that they deserve.
DESERVED = {"control_errors": [("stdin", "unknown")]}

# What is drift by intention, sent to be turned down or to be passed on: stream and kind.
_ODD_ANSWERS = [("stdout", "field"), ("stdout", "value")]
DESERVED_DRIFT = {
    "control_errors": [("stdin", "subtype")],
    "gateway_fields": _ODD_ANSWERS,
    "gateway_tools": _ODD_ANSWERS,
    "gateway_usage": _ODD_ANSWERS,
    "permission_modes": [("stdin", "value"), ("stdout", "value")],  # old releases say the mode back
}

__all__ = [
    "DESERVED",
    "DESERVED_DRIFT",
    "Scenario",
    "all_scenarios",
    "control",
    "conversation",
    "failures",
    "gateways",
    "hooks",
    "mcp",
    "permissions",
    "sessions",
    "tasks",
    "tour",
]
