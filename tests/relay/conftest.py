"""The wrapper under test, with a data directory of its own."""

from pathlib import Path

import pytest

from tests.relay.wrapper import Wrapper


@pytest.fixture
def wrapper(tmp_path: Path) -> Wrapper:
    """The wrapper."""
    return Wrapper(tmp_path / "data")


@pytest.fixture
def claude(tmp_path: Path) -> Path:
    """A program by the name of ``claude`` that is a shell: what it does is given by ``-c``."""
    program = tmp_path / "bin" / "claude"
    program.parent.mkdir()
    program.symlink_to("/bin/sh")
    return program
