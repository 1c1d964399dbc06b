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
)
from tests.rig.scenarios.registry import Scenario, all_scenarios

__all__ = [
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
]
