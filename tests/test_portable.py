"""What macOS lacks is not needed to import anything; the tests under `./check --portable` show that it works, too."""

import pkgutil
import subprocess
import sys
from pathlib import Path

import proxy
from tests import without_linux

IMPORT = """
import importlib, sys
source, *names = sys.argv[1:]
exec(compile(open(source).read(), source, "exec"), {"__name__": "without_linux"})
for name in names:
    importlib.import_module(name)
"""


def test_every_module_is_imported_where_linux_is_missing() -> None:
    """No module of ours asks at import for something that only Linux has."""
    names = [
        one.name
        for one in pkgutil.walk_packages(proxy.__path__, "proxy.")
        if not one.name.endswith("__main__")
    ]
    assert len(names) > 200
    done = subprocess.run(
        [sys.executable, "-c", IMPORT, without_linux.__file__, *names],
        cwd=Path(without_linux.__file__).parents[1],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.stderr == ""
    assert done.returncode == 0
