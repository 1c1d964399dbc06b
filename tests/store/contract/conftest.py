"""Each test of the contract is run over every store."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.recorded import START_US, LogMaker, scenario
from tests.store.contract.engines import ENGINES, Engine

SOME = ["simple", "subagent", "interrupt", "tool_deny", "hooks_of_every_kind", "background_agent"]


@pytest.fixture(params=sorted(ENGINES))
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """An empty store."""
    with ENGINES[request.param](tmp_path) as engine:
        yield engine


@pytest.fixture(params=sorted(ENGINES), scope="module")
def filled(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """A store with some sessions, which overlap in time. For reading alone."""
    with ENGINES[request.param](tmp_path_factory.mktemp("filled")) as engine:
        fill(engine)
        yield engine


def fill(engine: Engine, names: list[str] = SOME) -> None:
    """Put scenarios into a store, as the sessions s0, s1, ..."""
    for number, name in enumerate(names):
        engine.put(f"s{number}", scenario(name, LogMaker(f"s{number}", START_US + number * 7_300)))
    engine.settle()
