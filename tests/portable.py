"""Runs tests once more with the Linux-only parts taken away: ``python -m tests.portable [PYTEST ARGUMENTS]``.

Every Python process of the run finds a system that lacks what macOS lacks (see ``without_linux``). Tests of what only
Linux gives are marked ``linux``, each with its reason, and skipped; so they are on another system.
"""

import os
import sys
import sysconfig
from pathlib import Path

import pytest

PARTS = [
    "tests/relay",
    "tests/cli",
    "tests/server",
    "tests/following",
    "tests/sessions",
    "tests/store/embedded",
    "tests/upkeep",
]
LEFT_OUT = [
    "tests/server/routes/test_accessibility.py",
    "tests/server/routes/test_dashboard.py",
    "tests/server/routes/test_generated.py",
    "tests/server/routes/test_reading_page.py",
    "tests/server/routes/test_slow_link.py",
]
"""What a page does in a browser, and invented requests: long, and the same on every system."""
HOOK = Path(sysconfig.get_path("purelib")) / "claude_proxy_tests_without_linux.pth"
# By a variable that the wrapper hands on to the processes that it leaves behind (see `proxy/sessions/detached.py`).
# What isolated interpreters read, too.
LINE = (
    'import os; path = os.environ.get("XDG_CLAUDE_PROXY_WITHOUT_LINUX"); '
    'path and exec(compile(open(path).read(), path, "exec"), {"__name__": "without_linux"})\n'
)


def main() -> int:
    """Run the tests and return the exit status."""
    os.environ["XDG_CLAUDE_PROXY_WITHOUT_LINUX"] = str(Path(__file__).with_name("without_linux.py").resolve())
    HOOK.write_text(LINE)
    try:
        arguments = sys.argv[1:]
        if not any(argument.startswith("tests") for argument in arguments):
            arguments += [*PARTS, *(f"--ignore={path}" for path in LEFT_OUT)]
        return pytest.main(["-n", "4", "--dist", "worksteal", *arguments])
    finally:
        HOOK.unlink()


if __name__ == "__main__":
    sys.exit(main())
