"""What all tests share: property tests that are the same on every run, and no settings of the developer's own."""

import os
import signal

import hypothesis
import pytest

# A slow machine is no fault of the code, and a failure that comes and goes helps nobody.
hypothesis.settings.register_profile("steady", deadline=None, derandomize=True, database=None)
hypothesis.settings.load_profile("steady")

# Whoever starts the tests in the background of a script, or under nohup, has these ignored, and so would every command.
for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable of the developer's own shell configures the wrapper under test."""
    for name in [name for name in os.environ if name.startswith("CLAUDE_PROXY_")]:
        monkeypatch.delenv(name)
