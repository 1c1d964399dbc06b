"""What these tests share: one stand-in for the Messages API, and the real Claude Code."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.rig.environment import Surroundings, find_claude, surroundings_unset
from tests.rig.messages_api import MessagesApi
from tests.rig.stage import Stage
from tests.rig.wrapping import Wrapped

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def anyio_backend() -> str:
    """The event loop that the Agent SDK is mostly used with."""
    return "asyncio"


@pytest.fixture(scope="session", autouse=True)
def own_environment() -> Iterator[None]:
    """Nothing that configures the developer's own Claude Code reaches the tests."""
    with surroundings_unset():
        yield


@pytest.fixture(scope="session")
def api() -> Iterator[MessagesApi]:
    """The stand-in for the Messages API; each test has a path of its own on it."""
    with MessagesApi() as running:
        yield running


@pytest.fixture(scope="session")
def claude() -> Path:
    """The real Claude Code."""
    found = find_claude()
    if found is None:
        pytest.skip("Claude Code is neither in the installed Agent SDK nor on PATH")
    return found


@pytest.fixture
def wrapped(request: pytest.FixtureRequest, tmp_path: Path, claude: Path) -> Wrapped:
    """The wrapper in front of the real Claude Code, with a recorder on either side; its parameter: options."""
    return Wrapped(tmp_path, claude, getattr(request, "param", ()))


@pytest.fixture
def guarded(api: MessagesApi, tmp_path: Path, claude: Path) -> Stage:
    """A stage whose command is wrapped by one that holds back invalid messages."""
    wrapped = Wrapped(tmp_path, claude, ["--validation", "enforce"])
    return Stage(api, wrapped.command, Surroundings(tmp_path / "home"))


@pytest.fixture
def bare(api: MessagesApi, tmp_path: Path, claude: Path) -> Stage:
    """A stage whose command is Claude Code itself."""
    return Stage(api, claude, Surroundings(tmp_path / "home"))


@pytest.fixture
def stage(api: MessagesApi, wrapped: Wrapped, tmp_path: Path) -> Stage:
    """A stage whose command is wrapped."""
    return Stage(api, wrapped.command, Surroundings(tmp_path / "home"))
