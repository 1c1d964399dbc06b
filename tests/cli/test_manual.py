"""``claude-proxy help`` and ``version``."""

from __future__ import annotations

from pathlib import Path

import pytest

from proxy import __version__
from proxy.cli.manual import docs_folder
from proxy.cli.subcommands import GROUPS, SUBCOMMANDS
from proxy.options import OPTIONS
from tests.command_line import Finished, claude_proxy


def test_the_programs_help_names_everything() -> None:
    """Each group, subcommand and option, examples, exit statuses, and where more is said."""
    told = claude_proxy("--help")
    assert told.status == 0
    for name in (*SUBCOMMANDS, *(f"--{name}" for name in OPTIONS)):
        assert f"  {name} " in told.stdout
    for part in (
        *(f"\n{title}:\n" for title in GROUPS),
        "\nExamples:\n",
        "\nExit status: ",
        "\nDocumentation: ",
    ):
        assert part in told.stdout
    assert claude_proxy("help") == told
    assert claude_proxy() == Finished(2, "", told.stdout)


@pytest.mark.parametrize("name", SUBCOMMANDS)
def test_help_of_a_subcommand_is_what_it_says_itself(name: str) -> None:
    """Both ways that people try lead to the same."""
    told = claude_proxy("help", name)
    assert told.status == 0
    assert told.stdout.startswith(f"usage: claude-proxy {name}")
    assert claude_proxy(name, "--help").stdout.rstrip() == told.stdout.rstrip()


def test_nothing_is_wider_than_the_window(monkeypatch: pytest.MonkeyPatch) -> None:
    """Help is read in whatever window there is."""
    monkeypatch.setenv("COLUMNS", "60")
    lines = [line for name in SUBCOMMANDS for line in claude_proxy("help", name).stdout.splitlines()]
    too_long = [
        line for line in lines if len(line) > 60 and not line.startswith(("  claude-proxy", "usage: "))
    ]
    assert too_long == []


def test_the_version() -> None:
    """All ways to ask have one answer."""
    assert (
        claude_proxy("version")
        == claude_proxy("--version")
        == Finished(0, f"claude-proxy {__version__}\n", "")
    )


def test_the_documentation_is_where_it_is_said_to_be() -> None:
    """In a checkout it is beside the package; an installation has it inside."""
    folder = docs_folder()
    assert folder is not None
    assert (Path(folder) / "commands.md").exists()
