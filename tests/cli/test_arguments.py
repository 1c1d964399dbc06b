"""What is said of wrong words: one line, with the nearest word that is right and where help is."""

from __future__ import annotations

from importlib import import_module

import pytest

from proxy.cli.app import ERRORS, split
from proxy.cli.arguments import parser_of
from proxy.options import OPTIONS
from proxy.server.access.tokens import SCOPES
from tests.command_line import claude_proxy

WRONG = {
    ("--dta-dir", "x"): "unknown option --dta-dir; did you mean --data-dir?",
    (
        "sessions",
        "--jsn",
    ): "sessions: unknown option --jsn; did you mean --json? (claude-proxy sessions --help)",
    ("sessions", "--state", "wating"): (
        "sessions: --state: 'wating' is unknown; did you mean waiting? (claude-proxy sessions --help)"
    ),
    (
        "config",
        "chekc",
    ): "config: check|show: 'chekc' is unknown; did you mean check? (claude-proxy config --help)",
    ("config",): "config: the following arguments are required: check|show (claude-proxy config --help)",
    ("token", "create", "x", "--scope", "all"): (
        f"token create: --scope: 'all' is unknown; it takes {', '.join(SCOPES)} (claude-proxy token create --help)"
    ),
    ("ship", "--centre", "x"): "ship: unknown option --centre (claude-proxy ship --help)",
    ("policy", "--fail-onn", "x", "check"): "policy: unknown option --fail-onn; did you mean --fail-on?",
    ("show", "a", "b"): "show: there is no place for b (claude-proxy show --help)",
    ("help", "shwo"): "help: SUBCOMMAND: 'shwo' is unknown; did you mean show? (claude-proxy help --help)",
    ("tail", "-n", "-1"): "tail: -n: '-1'; it takes a whole number from 0 (claude-proxy tail --help)",
    ("completion", "csh"): "completion: bash|zsh|fish: 'csh' is unknown; did you mean zsh?",
}


@pytest.mark.parametrize("words", WRONG, ids=" ".join)
def test_wrong_words(words: tuple[str, ...]) -> None:
    """Status 2, nothing on standard output, and one line in one style."""
    ran = claude_proxy(*words)
    assert (ran.status, ran.stdout) == (2, "")
    assert ran.stderr.startswith(f"claude-proxy: {WRONG[words]}")
    assert ran.stderr.count("\n") == 1


@pytest.mark.parametrize("name", ERRORS)
def test_errors_that_end_a_subcommand_exist(name: str) -> None:
    """One that is renamed or moved would be a traceback."""
    module, _, kind = name.rpartition(".")
    error = getattr(import_module(module), kind)
    assert issubclass(error, Exception)
    assert f"{error.__module__}.{error.__name__}" == name


def test_an_option_of_the_subcommands_own_is_its_own() -> None:
    """Regression: `policy check --policy FILE` lost its option to the wrapper's of the same name."""
    parser = parser_of("policy")
    assert "policy" in OPTIONS
    ours, words, behind = split(
        ["check", "latest", "--policy", "p.yaml", "--data-dir", "d", "--", "x"], parser
    )
    assert (ours, behind) == ({"data-dir": "d"}, [])
    assert words == ["check", "latest", "--policy", "p.yaml", "--", "x"]
