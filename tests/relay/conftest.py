"""The wrapper under test, with a data directory of its own."""

from pathlib import Path

import pytest

from tests.relay.acted import STAND_IN
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


@pytest.fixture
def stand_in(tmp_path: Path) -> Path:
    """A program by the name of ``claude`` that says what it got, and has a tool that leads a session of its own."""
    program = tmp_path / "bin" / "claude"
    program.parent.mkdir()
    program.write_text(STAND_IN)
    program.chmod(0o755)
    return program
