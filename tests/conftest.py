"""What all tests share: property tests that are the same on every run, and no settings of the developer's own."""

import os

import hypothesis
import pytest

# A slow machine is no fault of the code, and a failure that comes and goes helps nobody.
hypothesis.settings.register_profile("steady", deadline=None, derandomize=True, database=None)
hypothesis.settings.load_profile("steady")


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable of the developer's own shell configures the wrapper under test."""
    for name in [name for name in os.environ if name.startswith("CLAUDE_PROXY_")]:
        monkeypatch.delenv(name)
