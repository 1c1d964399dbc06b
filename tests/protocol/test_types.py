"""The schemas as a Node package."""

import importlib.util
import json
import pathlib
import shutil
import subprocess
from types import ModuleType

import pytest

from proxy.protocol import library, specifications

SCHEMAS = pathlib.Path(library.SCHEMA_DIR)


@pytest.fixture
def generator() -> ModuleType:
    """Return the script that makes the types."""
    spec = importlib.util.spec_from_file_location("generate_types", SCHEMAS / "generate_types.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_types_are_current(generator: ModuleType) -> None:
    """Whoever changes a schema runs ``python schemas/generate_types.py``."""
    assert generator.TARGET.read_text() == generator.generate()


def test_every_schema_has_a_type(generator: ModuleType) -> None:
    """And each name is a name of its own."""
    declared = [
        line.split()[2] for line in generator.generate().splitlines() if line.startswith("export type ")
    ]
    assert len(declared) == len(set(declared)) == len(specifications.names())


def test_what_picks_a_row_tells_the_rows_apart() -> None:
    """TypeScript narrows a union by a property only where no member takes any string for it."""
    picked = 0
    for name in specifications.names():
        choice = library.table(library.load(f"{name}.json"))
        if choice is None:
            continue
        for value in (value for value, row in choice.rows.items() if "$ref" in row):
            tag = library.follow(choice.rows[value], f"{name}.json")[0]["properties"][choice.tag]
            assert value in tag.get("enum", [tag.get("const")]), (name, value)
            picked += 1
    assert picked > 100


@pytest.mark.skipif(shutil.which("npm") is None, reason="needs Node and npm")
def test_node_can_install_and_read_the_schemas(tmp_path: pathlib.Path) -> None:
    """``npm install ./schemas`` works offline and gives every schema."""
    (tmp_path / "package.json").write_text('{"private": true, "type": "module"}')
    install = ["npm", "install", "--offline", "--no-audit", "--no-fund", "--silent", str(SCHEMAS)]
    subprocess.run(install, cwd=tmp_path, check=True, capture_output=True, timeout=120)
    program = """
import { names, schema, schemas } from "claude-proxy-schemas";
console.log(JSON.stringify([names, schema("stdout").title, schemas().length]));
"""
    (tmp_path / "use.js").write_text(program)
    done = subprocess.run(["node", "use.js"], cwd=tmp_path, check=True, capture_output=True, timeout=120)
    assert json.loads(done.stdout) == [specifications.names(), "Standard output", len(specifications.names())]
