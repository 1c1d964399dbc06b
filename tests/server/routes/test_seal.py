"""The head of a sealed log, over HTTP: what somebody keeps elsewhere."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from tests.recorded import LogMaker, scenario
from tests.server.conftest import serving
from tests.server.routes.test_dashboard import written
from tests.sessions.test_sealing import RECORDS, lines, message, open_log

pytestmark = pytest.mark.anyio
SEAL = "/api/v1/monitoring/sessions/{}/seal"


def digest(path: str, size: int) -> str:
    """Return the SHA-256 of the first bytes of a file."""
    return hashlib.sha256(Path(path).read_bytes()[:size]).hexdigest()


async def test_the_newest_head(tmp_path: Path) -> None:
    """Of a live session its newest checkpoint, of one that has ended the whole log; none of one without seals."""
    log = open_log(tmp_path)
    log.append([RECORDS.message(message(1), "valid")])
    written(tmp_path, "plain", scenario("simple", LogMaker("plain")))
    async with serving(tmp_path) as rig:
        live = (await rig.get(SEAL.format("s"), schema="api/seal_answer"))["head"]
        assert live["sha256"] == digest(log.path, live["bytes"])
        assert live["ended"] is None
        log.append_end({})
        log.close()
        head = (await rig.get(SEAL.format("s")))["head"]
        assert head == {key: lines(tmp_path)[0][key] for key in ("bytes", "records", "sha256", "ended")}
        assert head["sha256"] == digest(log.path, head["bytes"])
        assert await rig.get(SEAL.format("plain")) == {"session_id": "plain", "head": None}
        assert "no session" in await rig.get(SEAL.format("nobody"), status=404)
