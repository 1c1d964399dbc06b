"""What tests of stores share."""

import sys
from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session", autouse=True)
def cluster_of_tests() -> Iterator[None]:
    """End the PostgreSQL cluster, if a test has needed one."""
    yield
    if module := sys.modules.get("tests.store.postgres.cluster"):
        module.close_shared()
