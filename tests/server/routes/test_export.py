"""What can be taken along of a session: its log, and one page."""

import pytest

from tests.server.conftest import Rig

pytestmark = pytest.mark.anyio
SESSIONS = "/api/v1/monitoring/sessions"


async def test_the_log_comes_byte_for_byte(rig: Rig) -> None:
    """It is what is on the disk, under its own name, and never shown as a page of the server."""
    async with rig.client.get(f"{SESSIONS}/past1/log") as response:
        assert await response.read() == (rig.data_dir / "sessions" / "past1.jsonl").read_bytes()
        assert response.content_type == "application/x-ndjson"
        assert response.headers["Content-Disposition"] == 'attachment; filename="past1.jsonl"'


async def test_the_page_is_the_one_to_share(rig: Rig) -> None:
    """The whole conversation in one file that needs nothing else."""
    async with rig.client.get(f"{SESSIONS}/past1/page") as response:
        page = await response.text()
        assert response.headers["Content-Disposition"] == 'attachment; filename="past1.html"'
    assert page.startswith("<!doctype html>")
    assert "Please delegate." in page
    assert "<script" not in page


@pytest.mark.parametrize("what", ["log", "page"])
async def test_what_is_not_there_is_not_found(rig: Rig, what: str) -> None:
    """Neither of an unknown session nor of one whose log was removed."""
    await rig.get(f"{SESSIONS}/nobody/{what}", status=404)
    (rig.data_dir / "sessions" / "past1.jsonl").unlink()
    await rig.get(f"{SESSIONS}/past1/{what}", status=404)


async def test_a_session_says_where_its_log_is(rig: Rig) -> None:
    """So that who finds it in the page finds it on the disk."""
    one = await rig.get(f"{SESSIONS}/past1")
    assert one["log"] == str(rig.data_dir / "sessions" / "past1.jsonl")


async def test_the_server_says_what_starts_it_again(rig: Rig) -> None:
    """The page keeps it for when there is nobody left to ask."""
    found = await rig.get("/api/v1/monitoring/status")
    expected = f"claude-proxy --data-dir {rig.data_dir} --port {rig.client.port} serve"
    assert found["serve_command"] == expected


@pytest.mark.parametrize("what", ["log", "page"])
async def test_what_it_is_like_can_be_asked(rig: Rig, what: str, caplog: pytest.LogCaptureFixture) -> None:
    """Regression: HEAD is answered as GET is, without the body, and the connection goes on after either."""
    async with rig.client.get(f"{SESSIONS}/past1/{what}") as response:
        length = len(await response.read())
    async with rig.client.head(f"{SESSIONS}/past1/{what}") as response:
        assert (response.status, await response.read()) == (200, b"")
        assert int(response.headers["Content-Length"]) == length
    async with rig.client.get("/health/live") as response:
        assert response.status == 200
    assert not caplog.records
