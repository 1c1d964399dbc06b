"""Whether a store was derived by this very code."""

import shutil
from pathlib import Path

import pytest

from proxy.protocol import library
from proxy.store import version


def test_another_code_or_schema_is_another_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever changes in what derives, or in the schemas, changes it; it needs no time, place or order of files."""
    package = tmp_path / "proxy"
    for place in version._CODE:
        source = Path(version._PACKAGE) / place
        (package / place).parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, package / place, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, package / place)
    schemas = tmp_path / "schemas"
    shutil.copytree(library.SCHEMA_DIR, schemas, ignore=shutil.ignore_patterns("node_modules"))
    expected = version.derivation_version()
    monkeypatch.setattr(version, "_PACKAGE", str(package))
    monkeypatch.setattr(library, "SCHEMA_DIR", str(schemas))
    compute = version.derivation_version.__wrapped__
    assert compute() == expected
    assert 0 < expected < 2**31
    seen = {expected}
    for path in (
        package / "events" / "interpreter.py",
        package / "sessions" / "reader.py",
        package / "store" / "embedded" / "database.py",
        package / "store" / "embedded" / "schema.sql",
        schemas / "stdout.json",
    ):
        with path.open("a") as file:
            file.write("\n")
        seen.add(compute())
    (package / "events" / "interpreter.py").rename(package / "events" / "other.py")
    seen.add(compute())
    assert len(seen) == 7
