"""The table of options agrees with what else is known of them."""

from __future__ import annotations

import subprocess
import sys

import pytest

from proxy.config import KEYS
from proxy.options import OPTIONS, Option


@pytest.mark.parametrize("option", OPTIONS.values(), ids=lambda option: option.name)
def test_an_option_and_its_key_have_one_default(option: Option) -> None:
    """A session without a configuration file behaves as one with an empty file."""
    if option.key is not None:
        default = KEYS[option.key].default
        assert option.default == (None if default is None else str(default))


def test_nothing_is_imported_for_it() -> None:
    """The wrapped command waits for this table."""
    program = """
import sys
before = set(sys.modules)
import proxy.options, proxy.cli.subcommands
print(sorted(set(sys.modules) - before))
"""
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert set(found.strip("[]\n").replace("'", "").split(", ")) <= {
        *(
            "__future__",
            "_signal",
            "proxy",
            "proxy.cli",
            "proxy.cli.errors",
            "proxy.cli.options",
            "proxy.cli.subcommands",
            "proxy.nearest",
            "proxy.options",
        )
    }
