"""What passed in a session that the specification does not have, over HTTP."""

import json
from pathlib import Path

import pytest

from proxy.sessions import drift
from tests.command_line import claude_proxy
from tests.recorded import LogMaker
from tests.server.conftest import Rig, serving

pytestmark = pytest.mark.anyio
DRIFT = "/api/v1/monitoring/sessions/past/drift"
PLAIN, NEW = {"type": "keep_alive"}, {"type": "keep_alive", "new": 1}


def written(folder: Path, log: bytes) -> Path:
    """Put the log of a session into a data directory, in place of what was there."""
    (folder / "sessions").mkdir(exist_ok=True)
    path = folder / "sessions" / "past.jsonl"
    fresh = path.with_suffix(".new")
    fresh.write_bytes(log)
    return fresh.replace(path)


async def test_it_is_what_the_command_line_says(tmp_path: Path) -> None:
    """The very objects that `claude-proxy drift SESSION --json` gives, with the first record of each."""
    maker = LogMaker("past")
    init = {"type": "system", "subtype": "init", "claude_code_version": "2.1.999"}
    written(tmp_path, maker.started() + maker.lines("stdout", PLAIN, NEW, init, {"type": "dream"}, NEW))
    told = claude_proxy("drift", "past", "--json", "--data-dir", str(tmp_path))
    assert told.status == 0
    async with serving(tmp_path) as rig:
        found = await rig.get(DRIFT, schema="api/drift_answer")
    assert found == {**json.loads(told.stdout), "unlisted": 0, "complete": True}
    field, dream = found["drift"]
    assert (field["path"], field["seq"], field["count"]) == ("/new", 2, 2)
    assert (dream["value"], dream["seq"], dream["claude_code_version"]) == ("dream", 4, "2.1.999")


async def test_a_recorded_session_has_none(rig: Rig) -> None:
    """What the specification is made for has no drift, and a session that is not there no answer."""
    none = {"drift": [], "unlisted": 0, "complete": True}
    assert await rig.get("/api/v1/monitoring/sessions/past1/drift", schema="api/drift_answer") == none
    assert "/api/v1/monitoring/sessions" in await rig.get(
        "/api/v1/monitoring/sessions/nobody/drift", status=404
    )


async def test_what_comes_later_is_added(tmp_path: Path) -> None:
    """Asked again, the answer has what came since, counted once; another log in its place is read anew."""
    maker = LogMaker("past")
    path = written(tmp_path, maker.started() + maker.lines("stdout", NEW))
    async with serving(tmp_path) as rig:
        for count in (1, 2, 3):
            assert [one["count"] for one in (await rig.get(DRIFT))["drift"]] == [count]
            with path.open("ab") as log:
                log.write(maker.lines("stdout", NEW))
        maker = LogMaker("past")
        written(tmp_path, maker.started() + maker.lines("stdout", {"type": "dream"}))
        assert [(one["value"], one["count"]) for one in (await rig.get(DRIFT))["drift"]] == [("dream", 1)]
        path.unlink()
        await rig.get(DRIFT, status=404)


async def test_different_things_have_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream of made-up names, of any length, does not fill the store: what is left out is counted."""
    monkeypatch.setattr(drift, "MOST_LISTED", 3)
    maker = LogMaker("past")
    long = [{"type": f"{number}" + "t" * 9000} for number in range(5)]
    written(tmp_path, maker.started() + maker.lines("stdout", *long, long[0]))
    async with serving(tmp_path) as rig:
        found = await rig.get(DRIFT)
    assert ([one["count"] for one in found["drift"]], found["unlisted"]) == ([2, 1, 1], 2)
    assert len(json.dumps(found)) < 2000
