"""The scenarios: what a client does with Claude Code, one function each.

Importing this package registers them all; `all_scenarios` lists them.
"""

from tests.rig.scenarios import (
    control,
    conversation,
    failures,
    hooks,
    mcp,
    permissions,
    sessions,
    tasks,
    tour,
)
from tests.rig.scenarios.registry import Scenario, all_scenarios

# Lines that no specification can call valid, sent on purpose: stream and the verdict that they deserve.
DESERVED = {
    "control_errors": [("stdin", "unknown")],
    "lines_ignored": [("stdin", "malformed")],
}

__all__ = [
    "DESERVED",
    "Scenario",
    "all_scenarios",
    "control",
    "conversation",
    "failures",
    "hooks",
    "mcp",
    "permissions",
    "sessions",
    "tasks",
    "tour",
]
