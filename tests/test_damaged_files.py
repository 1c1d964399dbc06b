"""Each file of a data directory may be damaged: what reads it goes on, or says which file it is."""

from pathlib import Path
from typing import Any

import pytest

from tests.command_line import claude_proxy
from tests.recorded import LogMaker, scenario
from tests.server.conftest import serving

pytestmark = pytest.mark.anyio
FILES = [
    "alerts.json",
    "host.json",
    "index.clean",
    "index.sqlite3",
    "otlp.json",
    "seals.jsonl",
    "seals_sent.json",
    "sessions/one.rules",
    "shipped.jsonl",
    "unrecorded.jsonl",
    "unshipped_lost.jsonl",
]
DAMAGE = {
    "deep": b"[" * 100_000 + b"\n",
    "no text": b'{"a":"\xff"}\n["\xe9"]\n',
    "other": b"null\n7\n",
    "cut": b'{"a',
}
ELSEWHERE = "http://127.0.0.1:1"
"""Where nobody answers."""


@pytest.fixture
def anyio_backend() -> str:
    """Run tests on asyncio, which aiohttp needs."""
    return "asyncio"


@pytest.fixture(params=DAMAGE)
def data_dir(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A data directory with one session, in which every other file is damaged."""
    (tmp_path / "sessions").mkdir()
    (tmp_path / "sessions" / "one.jsonl").write_bytes(scenario("simple", LogMaker("one")))
    for name in FILES:
        (tmp_path / name).write_bytes(DAMAGE[request.param])
        (tmp_path / name).chmod(0o600)
    return tmp_path


def test_subcommands_go_on(data_dir: Path) -> None:
    """Regression: `verify` and `status` ended in a traceback."""
    for words in (
        ["sessions"],
        ["show", "one"],
        ["status"],
        ["analyze", "one"],
        ["verify"],
        ["prune", "--days", "9"],
    ):
        ran = claude_proxy("--data-dir", str(data_dir), *words)
        assert (ran.status in (0, 1), "Traceback" in ran.stderr) == (True, False), (words, ran)


async def test_a_server_goes_on(data_dir: Path) -> None:
    """Regression: a file that was nested too deep stopped it."""
    sections: dict[str, Any] = {
        "alerts": {"webhook_url": ELSEWHERE},
        "seal": {"send_to": ELSEWHERE},
        "ship": {"to": ELSEWHERE, "token": "t"},
        "otlp": {"endpoint": ELSEWHERE},
    }
    async with serving(data_dir, **sections) as rig:
        assert (await rig.get("/api/v1/monitoring/sessions"))["total"] == 1
        assert (await rig.get("/health"))["checks"]["index"]["status"] == "healthy"
        await rig.get("/api/v1/monitoring/sessions/one/seal")
