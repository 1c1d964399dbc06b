"""What all tests share: property tests that are the same on every run, and no settings of the developer's own."""

import gc
import os
import signal
import sys
from collections.abc import Iterator

import hypothesis
import pytest

# A slow machine is no fault of the code, and a failure that comes and goes helps nobody.
hypothesis.settings.register_profile(
    "steady",
    max_examples=25,
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
    derandomize=True,
    database=None,
)
hypothesis.settings.register_profile("thorough", hypothesis.settings.get_profile("steady"), max_examples=100)
hypothesis.settings.load_profile("steady")

# Whoever starts the tests in the background of a script, or under nohup, has these ignored, and so would every command.
for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)


# What is imported and collected stays: to look through it for garbage takes a quarter of the time until tests run.
gc.disable()

ON_LINUX = sys.platform == "linux" and "XDG_CLAUDE_PROXY_WITHOUT_LINUX" not in os.environ


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out, elsewhere than on Linux, the tests of what Linux alone gives."""
    for item in items:
        if (mark := item.get_closest_marker("linux")) and not ON_LINUX:
            item.add_marker(pytest.mark.skip(reason=f"only on Linux: {mark.args[0]}"))


def pytest_collection_finish() -> None:
    """Leave what was collected out of every later search for garbage."""
    gc.freeze()
    gc.enable()


@pytest.fixture(autouse=True)
def the_same_user(monkeypatch: pytest.MonkeyPatch) -> None:
    """Elsewhere than on Linux, who asks a server within a test is taken to be its owner, as no kernel can tell.

    Servers in processes of their own ask for a token there, which their clients find in the lock file.
    """
    if not ON_LINUX:
        monkeypatch.setattr(
            "proxy.server.access.guard.is_same_user", lambda request: request.remote == "127.0.0.1"
        )


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable of the developer's own shell configures the wrapper under test."""
    for name in [name for name in os.environ if name.startswith("CLAUDE_PROXY_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def url() -> Iterator[str]:
    """The address of a fresh PostgreSQL database, in which our tables are."""
    pytest.importorskip("psycopg")
    from tests.store.postgres.cluster import binaries, shared_cluster  # noqa: PLC0415 - it needs that library

    if binaries() is None:
        pytest.skip("PostgreSQL is not installed")
    with shared_cluster().database() as url:
        yield url


@pytest.fixture(scope="session", autouse=True)
def shared_programs() -> Iterator[None]:
    """End the PostgreSQL cluster and the browser, if tests have needed them."""
    yield
    for name in ("tests.store.postgres.cluster", "tests.server.chromium"):
        if module := sys.modules.get(name):
            module.close_shared()
