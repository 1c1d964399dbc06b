"""A centre's database for each test."""

from collections.abc import Iterator

import pytest

pytest.importorskip("psycopg")

from tests.store.postgres.cluster import binaries, shared_cluster
from tests.store.postgres.engine import Centre


@pytest.fixture
def url() -> Iterator[str]:
    """The address of a fresh database."""
    if binaries() is None:
        pytest.skip("PostgreSQL is not installed")
    with shared_cluster().database() as url:
        yield url


@pytest.fixture
def centre(url: str) -> Iterator[Centre]:
    """A centre, and one host."""
    centre = Centre(url)
    yield centre
    centre.close()
