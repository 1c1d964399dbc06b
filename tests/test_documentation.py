"""The documentation cannot drift: what the program takes and writes is in it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from proxy import __version__
from proxy.config import KEYS, Key
from proxy.options import OPTIONS, Option
from proxy.sessions.reader import Record

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
LOG_FORMAT = (ROOT / "docs" / "log-format.md").read_text()
CONFIGURATION = (ROOT / "docs" / "configuration.md").read_text()


@pytest.mark.parametrize("option", OPTIONS.values(), ids=lambda option: option.name)
def test_each_option_is_in_the_readme_as_it_is(option: Option) -> None:
    """README says of each option what the table of options says: what it takes, and its variable."""
    variable = f"`{option.variable}`" if option.variable else "none"
    takes = option.takes.replace("|", "\\|")
    row = f"| `--{option.name} {takes}` | {variable} | "
    assert row in README
    if option.default:
        assert f"{row}`{option.default}` | " in README


@pytest.mark.parametrize("field", Record.__struct_fields__)
def test_each_field_of_a_record_is_documented(field: str) -> None:
    """The log format is a document, not what the code happens to write."""
    assert f"`{field}`" in LOG_FORMAT


@pytest.mark.parametrize("key", KEYS.values(), ids=lambda key: key.name)
def test_each_setting_is_documented_as_it_is(key: Key) -> None:
    """The settings' page says of each key what the model says: what it takes, its range, default and meaning."""
    default = key.default
    if isinstance(default, bool):
        default = str(default).lower()
    shown = "none" if default is None or default == () else f"`{default}`"
    assert f"| `{key.name}` | {key.takes} | {shown} | {key.description} |" in CONFIGURATION.splitlines()


def test_no_setting_is_documented_that_does_not_exist() -> None:
    """A row that outlived its key would mislead."""
    assert re.findall(r"^\| `([a-z_]+\.[a-z_]+)` \|", CONFIGURATION, re.MULTILINE) == list(KEYS)


@pytest.mark.parametrize(
    "page", sorted(ROOT.glob("*.md")) + sorted(ROOT.glob("docs/*.md")), ids=lambda page: page.name
)
def test_links_lead_somewhere(page: Path) -> None:
    """A link within the repository names a file that is there."""
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), target


def test_the_version_has_one_value() -> None:
    """The package and its metadata agree."""
    assert f'version = "{__version__}"' in (ROOT / "pyproject.toml").read_text()
