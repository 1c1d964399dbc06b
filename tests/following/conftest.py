"""What tests of interactive sessions have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.following.rig import Interactive

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Interactive]:
    """A place for sessions."""
    session = Interactive(tmp_path)
    yield session
    session.close()
