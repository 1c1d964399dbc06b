"""The documentation cannot drift: what the program takes and writes is in it."""

from __future__ import annotations

import ast
import json
import re
import shlex
from pathlib import Path

import pytest
import yaml

from proxy import __version__
from proxy.cli import app
from proxy.cli.arguments import parser_of
from proxy.cli.subcommands import SUBCOMMANDS
from proxy.config import KEYS, SECTIONS, Key
from proxy.sessions.reader import Record
from tools import command_reference
from tools.model_schemas import descriptions_of

ROOT = Path(__file__).parent.parent
PAGES = sorted(ROOT.glob("*.md")) + sorted(ROOT.glob("docs/*.md"))
LOG_FORMAT = (ROOT / "docs" / "log-format.md").read_text()
CONFIGURATION = (ROOT / "docs" / "configuration.md").read_text()
CHANGELOG = (ROOT / "CHANGELOG.md").read_text()


def commands() -> list[tuple[str, str]]:
    """Return every command line of a subcommand that the documentation shows, with its page."""
    found = []
    for page in PAGES:
        for block in re.findall(
            r"```\w*\n(.*?)```|((?:^ {4}.*\n)+)", page.read_text(), re.DOTALL | re.MULTILINE
        ):
            lines = re.findall(r"(?:^|[ $(|])claude-proxy( .*)$", "".join(block), re.MULTILINE)
            found += [(page.name, line.strip()) for line in lines]
    return [one for one in found if one[1].partition(" ")[0] in SUBCOMMANDS]


@pytest.mark.parametrize(("page", "line"), commands())
def test_a_command_line_can_be_typed(page: str, line: str) -> None:
    """What the documentation shows is what the program takes."""
    line = re.split(r"\s[|>]\s|\)$", line.replace("$(", ""))[0].replace("...", "")
    words = shlex.split(re.sub(r"\[[^]]*\]", "", line), comments=True)
    parser = parser_of(words[0])
    parser.parse_words(app.split(words[1:], parser)[1])


def test_the_command_reference_is_made_from_the_program() -> None:
    """Whoever changes what a subcommand takes runs ``python -m tools.command_reference``."""
    assert command_reference.TARGET.read_text() == command_reference.reference()


@pytest.mark.parametrize("page", ["clients.md", "configuration.md"])
def test_a_settings_file_can_be_pasted(page: str) -> None:
    """Blocks of JSON and YAML are that."""
    for language, text in re.findall(
        r"```(json|yaml)\n(.*?)```", (ROOT / "docs" / page).read_text(), re.DOTALL
    ):
        assert json.loads(text) if language == "json" else yaml.safe_load(text)


@pytest.mark.parametrize("field", Record.__struct_fields__)
def test_each_field_of_a_record_is_documented(field: str) -> None:
    """The log format is a document, not what the code happens to write."""
    assert f"`{field}`" in LOG_FORMAT


def test_each_lifecycle_record_is_documented() -> None:
    """The page of the log's format has a row for every record that the wrapper and the recorder write themselves."""
    written: set[str] = set()
    for room in ("relay", "following", "sessions"):
        for path in (ROOT / "proxy" / room).glob("*.py"):
            calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
            for call in calls:
                if ast.unparse(call.func).rpartition(".")[2] in ("lifecycle", "_record"):
                    names = [name for arg in call.args for name in _names(arg)]
                    written.update(names)
    assert len(written) > 10
    rows = "".join(re.findall(r"^\| (`.*?) \|", LOG_FORMAT, re.MULTILINE))
    assert {name for name in written if f"`{name}`" not in rows} == set()


def _names(argument: ast.expr) -> list[str]:
    """Return the names that an argument may be: a literal, or one of two."""
    if isinstance(argument, ast.IfExp):
        return [*_names(argument.body), *_names(argument.orelse)]
    return [argument.value] if isinstance(argument, ast.Constant) and isinstance(argument.value, str) else []


def test_each_view_of_a_session_is_documented() -> None:
    """The views of the dashboard are in the table of its page and among its keys, in their order."""
    static = ROOT / "proxy" / "server" / "static"
    tabs = re.search(r"const TABS = (.*);", (static / "session.js").read_text())
    assert tabs is not None
    names = re.findall(r'\["(\w+)", ', tabs[1])
    dashboard = (ROOT / "docs" / "dashboard.md").read_text()
    rows = re.findall(r"^\| (\w+) \|", dashboard, re.MULTILINE)
    assert [name for name in rows if name in names] == names
    assert f'["1 \N{EN DASH} {len(names)}", "{", ".join(names)}"]' in (static / "app.js").read_text()
    assert f"`1` to `{len(names)}` the views" in dashboard


@pytest.mark.parametrize("key", KEYS.values(), ids=lambda key: key.name)
def test_each_setting_is_documented_as_it_is(key: Key) -> None:
    """The settings' page says of each key what the model says: what it takes, its range, default and meaning."""
    default = key.default
    if isinstance(default, bool):
        default = str(default).lower()
    shown = "none" if default is None or default == () else f"`{default}`"
    meaning = descriptions_of(SECTIONS[key.section])[key.key]
    assert f"| `{key.name}` | {key.takes} | {shown} | {meaning} |" in CONFIGURATION.splitlines()


def test_no_setting_is_documented_that_does_not_exist() -> None:
    """A row that outlived its key would mislead."""
    assert re.findall(r"^\| `([a-z_]+\.[a-z_]+)` \|", CONFIGURATION, re.MULTILINE) == list(KEYS)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    """A link within the repository names a file that is there."""
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), target


def test_the_version_has_one_value() -> None:
    """The package and its metadata agree."""
    assert f'version = "{__version__}"' in (ROOT / "pyproject.toml").read_text()


def test_the_changelog_tells_each_thing_once() -> None:
    """A merge that brings old lines back is seen: no item begins like another, and none lacks its beginning."""
    items = CHANGELOG.split("\n- ")[1:]
    beginnings = [item[:40] for item in items]
    assert len(set(beginnings)) == len(beginnings)
    assert "\n\n  " not in CHANGELOG
