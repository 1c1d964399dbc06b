"""Connections for reading."""

import os
import resource
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from proxy.store.postgres.connections import Connections

SELECT_FDS = 1024
"""`select` takes descriptors below this."""


@pytest.fixture
def many_descriptors() -> Iterator[None]:
    """Let what is opened from now on have descriptors above those that `select` takes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 2 * SELECT_FDS:
        pytest.skip("a process may not have so many descriptors here")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2 * SELECT_FDS), hard))
    with ExitStack() as opened:
        opened.callback(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        fd = -1
        while fd < SELECT_FDS:
            fd = os.open(os.devnull, os.O_RDONLY)
            opened.callback(os.close, fd)
        yield


@pytest.mark.usefixtures("many_descriptors")
def test_connections_of_a_server_with_many_listeners(url: str) -> None:
    """Regression: whether a connection lives was asked by `select`, and nothing could be read any more."""
    connections = Connections(url)
    try:
        assert [connections.ask("SELECT 1") for _ in range(2)] == [[(1,)], [(1,)]]
    finally:
        connections.close()
