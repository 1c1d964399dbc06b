"""Hosts of a fleet: data directories, and what ships them."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import tenacity

from proxy.sessions import firings
from proxy.sessions.firings import Firing
from proxy.ship_settings import Ship
from proxy.shipping.shipper import Shipper
from tests.recorded import START_US, LogMaker, scenario
from tests.server.conftest import Rig

__all__ = ["Host", "address"]


def address(rig: Rig) -> str:
    """Return where a centre serves."""
    return str(rig.client.make_url("/"))


class Host:
    """A data directory with logs."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        (data_dir / "sessions").mkdir(parents=True, mode=0o700)
        data_dir.chmod(0o700)

    def log(self, session_id: str) -> Path:
        """Return where the log of a session is."""
        return self.data_dir / "sessions" / f"{session_id}.jsonl"

    def record(self, session_id: str, name: str = "simple", start_us: int = START_US) -> bytes:
        """Record a scenario as a session that is over, and return its log."""
        text = scenario(name, LogMaker(session_id, start_us))
        self.log(session_id).write_bytes(text)
        return text

    def append(self, session_id: str, text: bytes) -> None:
        """Append to a log."""
        with self.log(session_id).open("ab") as file:
            file.write(text)

    def fire(self, session_id: str, *fired: Firing) -> bytes:
        """Write down what rules found, and return the lines of it."""
        for one in fired:
            firings.append(str(self.data_dir), session_id, one)
        return b"".join(map(firings.encoded, fired))

    @contextmanager
    def writing(self, session_id: str) -> Iterator[None]:
        """Hold a log, as its writer does."""
        fd = os.open(self.log(session_id), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            yield
        finally:
            os.close(fd)

    def shipper(self, to: str, **settings: Any) -> Shipper:
        """Return what ships it, which does not wait for long after failures."""
        return Shipper(self.data_dir.as_posix(), Ship(to=to, **settings), pause=tenacity.wait_fixed(0.02))

    async def ship(self, to: str, **settings: Any) -> bool:
        """Ship what there is; return whether all of it was acknowledged within a minute."""
        return await self.shipper(to, **settings).run_once(60)
