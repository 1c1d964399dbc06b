"""Whether a descriptor is ready or its other side gone, on systems whose ``poll`` knows of devices and on others."""

from __future__ import annotations

import os
import pty
import select
from typing import TYPE_CHECKING

import pytest

from proxy.relay import polling
from tests import without_linux

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(params=["as Linux", "as macOS"])
def of_devices(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """What ``poll`` knows of devices: what Linux knows, or nothing."""
    if request.param == "as macOS":
        monkeypatch.setattr(select, "poll", without_linux.Poll)


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """A pipe: where it is read, and where it is written."""
    ends = os.pipe()
    yield ends
    for fd in ends:
        try:
            os.close(fd)
        except OSError:
            continue  # closed by the test


@pytest.mark.usefixtures("of_devices")
def test_a_pipe(pipe: tuple[int, int]) -> None:
    """It can be read when there is something, written when there is room, and its reader may go."""
    read, write = pipe
    assert polling.can_poll(write)
    assert not polling.is_ready(read, select.POLLIN)
    assert polling.is_ready(write, select.POLLOUT)
    os.write(write, b"x" * 65536)
    assert polling.is_ready(read, select.POLLIN)
    assert not polling.is_ready(write, select.POLLOUT)
    assert not polling.is_gone(write)
    os.close(read)
    assert polling.is_gone(write)


@pytest.mark.usefixtures("of_devices")
def test_a_pipe_that_nobody_writes_to(pipe: tuple[int, int]) -> None:
    """Its writer is gone, though something is left to be read."""
    read, write = pipe
    os.write(write, b"x")
    assert not polling.is_gone(read)
    os.close(write)
    assert polling.is_gone(read)
    assert os.read(read, 2) == b"x"


@pytest.mark.usefixtures("of_devices")
@pytest.mark.parametrize("kind", ["null", "terminal"])
def test_a_device(kind: str) -> None:
    """It takes what is written to it, and never looks like a reader that has gone."""
    ours, theirs = pty.openpty() if kind == "terminal" else (-1, os.open(os.devnull, os.O_RDWR))
    try:
        assert not polling.is_gone(theirs)
        assert polling.is_ready(theirs, select.POLLOUT)
        polling.wait_until_writable(theirs)
    finally:
        os.close(theirs)
        if ours >= 0:
            os.close(ours)


@pytest.mark.usefixtures("of_devices")
def test_a_closed_descriptor(pipe: tuple[int, int]) -> None:
    """One that is closed has no other side."""
    os.close(pipe[1])
    assert polling.is_gone(pipe[1])
    assert polling.can_poll(pipe[1])
