"""A centre's database for each test."""

from collections.abc import Iterator

import pytest

pytest.importorskip("psycopg")

from tests.store.postgres.engine import Centre


@pytest.fixture
def centre(url: str) -> Iterator[Centre]:
    """A centre, and one host."""
    centre = Centre(url)
    yield centre
    centre.close()
