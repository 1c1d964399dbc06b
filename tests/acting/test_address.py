"""Where a session listens for actions."""

from __future__ import annotations

import contextlib
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from proxy.acting.address import connect, listen, remove
from proxy.acting.asking import ask
from proxy.acting.verbs import ActionError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("depth", [1, 40])
def test_a_session_is_reached_however_deep_its_directory_lies(tmp_path: Path, depth: int) -> None:
    """The path of a socket may have 107 bytes; data directories lie deeper."""
    data_dir = tmp_path.joinpath(*["folder"] * depth)
    data_dir.mkdir(parents=True, mode=0o700)
    with listen(str(data_dir), "s") as listening, connect(str(data_dir), "s", 10) as client:
        client.sendall(b"x")
        with listening.accept()[0] as connection:
            assert connection.recv(1) == b"x"


def test_nobody_else_reaches_it(tmp_path: Path) -> None:
    """Folder and socket are the owner's; one that was left behind is replaced, and the end removes it."""
    data_dir = str(tmp_path)
    listen(data_dir, "s").close()
    with listen(data_dir, "s"):
        assert stat.S_IMODE((tmp_path / "acting").stat().st_mode) == 0o700
        assert stat.S_IMODE((tmp_path / "acting" / "s.sock").stat().st_mode) == 0o600
    remove(data_dir, "s")
    assert os.listdir(tmp_path / "acting") == []
    with pytest.raises(FileNotFoundError):
        connect(data_dir, "s", 10)


@pytest.mark.linux("a queue that is waited for")
def test_who_comes_while_many_wait_is_waited_for(tmp_path: Path) -> None:
    """Not refused at once; what is not taken in time is an error that says so."""
    data_dir = str(tmp_path)
    with listen(data_dir, "s") as listening, contextlib.ExitStack() as others:
        with contextlib.suppress(BlockingIOError):
            while True:
                others.enter_context(connect(data_dir, "s", 0.05))
        with pytest.raises(ActionError, match="busy: "):
            ask(data_dir, "s", {"action": "interrupt"}, 0.05)
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(connect, data_dir, "s", 60)
            listening.accept()[0].close()
            waiting.result().close()
