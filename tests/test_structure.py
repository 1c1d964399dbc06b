"""What holds for all sources: small functions, small modules, and tests where one looks for them.

That no modules import each other in a circle is held by the import contracts, types included.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MODULES = sorted(
    path.relative_to(ROOT) for path in (ROOT / "proxy").rglob("*.py") if path.name != "__init__.py"
)
LONGEST_FUNCTION = 60
"""Lines: what fits on a screen."""
LONGEST_MODULE = 450
"""Lines: beyond about 400 there is a second noun in a module."""

TESTED_ELSEWHERE = {
    "proxy/__main__.py": "server/process/test_lifetime.py",
    "proxy/analysis/period.py": "server/routes/test_analysis.py",
    "proxy/cli/alert.py": "server/watch/test_webhook.py",
    "proxy/cli/serve.py": "server/process/test_run.py",
    "proxy/compliance/__main__.py": "server/routes/test_compliance.py",
    "proxy/fleet.py": "server/routes/test_fleet.py",
    "proxy/following/__main__.py": "following/test_resumption.py",
    "proxy/formats/junit.py": "compliance/test_documents.py",
    "proxy/formats/sarif.py": "compliance/test_documents.py",
    "proxy/policy/documents.py": "cli/test_policy.py",
    "proxy/redaction/recorded.py": "cli/test_redact.py",
    "proxy/sessions/detached.py": "server/test_background.py",
    "proxy/sessions/drift.py": "server/routes/test_drift.py",
    "proxy/sessions/serving.py": "server/test_background.py",
    "proxy/store/postgres/centre.py": "server/routes/test_fleet.py",
    "proxy/telling/filters.py": "server/routes/test_conversation.py",
    "proxy/telling/page.py": "cli/test_sharing.py",
}
"""Modules that are reached in another way than by an import: through a process, or by their name in a table."""
OTHER_FOLDERS = {"tests", "tests/end_to_end", "tests/rig", "tests/store/contract"}
"""Folders of tests that mirror no folder of the sources: of the whole, of what tests use, and of the stores."""

ONE_THREAD = {
    "proxy/compliance/__main__.py",
    "proxy/config.py",
    "proxy/relay/acting.py",
    "proxy/rule_settings.py",
    "proxy/shipping/centre.py",
}
"""Modules whose messages one thread of a process decodes: the first thread, or that of an event loop."""


@cache
def parsed(module: Path) -> ast.Module:
    """Return a module's syntax tree."""
    return ast.parse((ROOT / module).read_text())


def own_test(module: Path) -> Path:
    """Return where the test of a module belongs."""
    name = module.name.removeprefix("__").replace("__.py", ".py")
    return ROOT / "tests" / module.parent.relative_to("proxy") / f"test_{name}"


def room(path: Path) -> str:
    """Return the room of a module or test: the first folder below `proxy` or `tests`, empty for none."""
    return path.parts[1] if len(path.parts) > 2 else ""


@cache
def imported(path: Path) -> frozenset[Path]:
    """Return the modules of its own room that a module or test imports."""
    names = set()
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.ImportFrom):
            names |= {node.module or "", *(f"{node.module}.{name.name}" for name in node.names)}
        elif isinstance(node, ast.Import):
            names |= {name.name for name in node.names}
    found = {Path(*name.split(".")).with_suffix(".py") for name in names if name.startswith("proxy.")}
    return frozenset(module for module in found & set(MODULES) if room(module) == room(path))


def test_no_function_is_long() -> None:
    """A function fits on a screen."""
    functions = (
        (module, node)
        for module in MODULES
        for node in ast.walk(parsed(module))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )
    lines = {f"{module}: {node.name}": (node.end_lineno or 0) - node.lineno + 1 for module, node in functions}
    assert {name: count for name, count in lines.items() if count > LONGEST_FUNCTION} == {}


def test_no_module_is_long() -> None:
    """A module has one reason to exist."""
    lines = {str(module): len((ROOT / module).read_text().splitlines()) for module in MODULES}
    assert {name: count for name, count in lines.items() if count > LONGEST_MODULE} == {}


def test_each_module_is_tested_where_one_looks() -> None:
    """A module has a test of its name, or a test of its room has it, by itself or as a part of what it tests."""
    tests = (path.relative_to(ROOT) for path in (ROOT / "tests").rglob("*.py"))
    tested = {module for module in MODULES if own_test(module).exists()}.union(*map(imported, tests))
    while more := {inner for module in tested for inner in imported(module)} - tested:
        tested |= more
    assert {str(module) for module in MODULES if module not in tested} == set(TESTED_ELSEWHERE)


@pytest.mark.parametrize("module", TESTED_ELSEWHERE)
def test_what_is_tested_elsewhere_is(module: str) -> None:
    """An exception names a module and a test that there are, and is needed."""
    assert (ROOT / module).exists()
    assert (ROOT / "tests" / TESTED_ELSEWHERE[module]).exists()
    assert not own_test(Path(module)).exists()


def test_folders_of_tests_mirror_the_rooms() -> None:
    """Each folder with tests has a folder of sources."""
    folders = {path.parent.relative_to(ROOT) for path in (ROOT / "tests").rglob("test_*.py")}
    strange = {
        str(folder) for folder in folders if not (ROOT / "proxy" / folder.relative_to("tests")).is_dir()
    }
    assert strange <= OTHER_FOLDERS


def test_one_machine_needs_no_database_driver() -> None:
    """All but the store of a centre is imported where its libraries are not installed."""
    modules = [
        ".".join(path.with_suffix("").parts).removesuffix(".__init__")
        for path in MODULES
        if not path.is_relative_to("proxy/store/postgres") and path.name != "__main__.py"
    ]
    code = (
        "import importlib, sys\n"
        "sys.modules.update(dict.fromkeys(['psycopg', 'psycopg_pool', 'zstandard']))\n"
        f"for name in {modules!r}: importlib.import_module(name)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120, cwd=ROOT)


def types_not_built(module: Path) -> set[str]:
    """Return the types that a module decodes or converts to without a decoder of its own for them."""
    asked, built = set(), set()
    for node in ast.walk(parsed(module)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            types = (
                [node.args[1]]
                if node.func.attr == "convert"
                else [one.value for one in node.keywords if one.arg == "type"]
            )
            if node.func.attr in ("convert", "decode"):
                asked |= {one.id for one in types if isinstance(one, ast.Name)}
            if node.func.attr == "Decoder":
                built |= {one.id for one in node.args if isinstance(one, ast.Name)}
    return asked - built - {"str", "picked"}  # `picked`: under a lock (`protocol/shapes.py`)


def test_threads_find_the_types_of_messages_built() -> None:
    """What msgspec knows of a class is built where the module is imported: two threads that do it at once may crash."""
    found = {str(module): types_not_built(module) for module in MODULES if str(module) not in ONE_THREAD}
    assert {module: types for module, types in found.items() if types} == {}
