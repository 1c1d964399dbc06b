"""Finds the Claude Code that an installed Agent SDK carries, for whoever has no other."""

import glob
import os
from collections.abc import Iterator
from importlib.util import find_spec

_PYTHON = "claude_agent_sdk/_bundled/claude"
"""In the Python SDK's wheels."""
_NODE = "node_modules/@anthropic-ai/claude-agent-sdk-*/claude"
"""The TypeScript SDK's optional packages, one a platform: ``npm`` installs those that fit."""


def bundled(folder: str) -> str | None:
    """Return the path of a Claude Code that an Agent SDK carries, None where there is none.

    Looked for beside this program, in the virtual environment that is active, and in those of the folder and of the
    ones above it, as `python` and `node` find their packages from there.
    """
    for pattern in _places(folder):
        for path in sorted(glob.glob(pattern)):
            if os.path.isfile(path) and os.access(path, os.X_OK):
                return path
    return None


def _places(folder: str) -> Iterator[str]:
    spec = find_spec("claude_agent_sdk")
    if spec is not None and spec.origin is not None:
        yield os.path.join(glob.escape(os.path.dirname(os.path.dirname(spec.origin))), _PYTHON)
    if active := os.environ.get("VIRTUAL_ENV"):
        yield os.path.join(glob.escape(active), "lib/python3*/site-packages", _PYTHON)
    while True:
        here = glob.escape(folder)
        yield os.path.join(here, _NODE)
        for name in (".venv", "venv"):
            yield os.path.join(here, name, "lib/python3*/site-packages", _PYTHON)
        above = os.path.dirname(folder)
        if above == folder:
            return
        folder = above
