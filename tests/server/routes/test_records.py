"""Raw records over HTTP."""

import json
from pathlib import Path

import msgspec
import pytest

from proxy.api.records import ShownRecord
from tests.recorded import LogMaker, scenario
from tests.server.conftest import Rig, serving

pytestmark = pytest.mark.anyio
RECORDS = "/api/v1/monitoring/sessions/past1/records"


async def test_a_page_of_records(rig: Rig) -> None:
    """A page holds records as they are in the log, with what a reader wants to know of each."""
    page = await rig.get(f"{RECORDS}?limit=1000&max_text=100000", schema="api/records_answer")
    lines = scenario("subagent", LogMaker("past1")).split(b"\n")[:-1]
    assert page["total"] == len(page["records"]) == len(lines)
    for shown, line in zip(page["records"], lines, strict=True):
        written = json.loads(line)
        assert not shown["shortened"]
        assert {key: shown[key] for key in written if key != "ts"} == {
            key: value for key, value in written.items() if key != "ts"
        }
        assert shown["size"] == len(line)
        assert msgspec.convert(shown, ShownRecord) == shown  # nothing that the model does not know
    assert {"stream": "stdout", "verdict": "valid", "type": "system/init", "count": 1} in page["kinds"]


async def test_filters_and_ranges(rig: Rig) -> None:
    """Filters and ranges of numbers narrow a page together."""
    page = await rig.get(f"{RECORDS}?stream=stdout&type=assistant,result&from_seq=5&limit=2")
    assert [one["type"].partition("/")[0] for one in page["records"]] == ["assistant"] * 2
    assert all(one["seq"] >= 5 for one in page["records"])
    assert (await rig.get(f"{RECORDS}?text=no+such+text"))["total"] == 0


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=1001",
        "limit=x",
        "offset=-1",
        "from_seq=-1",
        "to_seq=1e3",
        "max_text=199",
        f"text={'x' * 1001}",
        "stream=nonsense",
        "verdict=foo",
        "verdict=valid,invalidd",
        "to_seq=1&from_seq=2",
        "streams=stdin",
        "limit=1&limit=2",
    ],
)
async def test_bad_queries_are_told_what_to_change(rig: Rig, query: str) -> None:
    """A value out of range gets a sentence that names it."""
    sentence = await rig.get(f"{RECORDS}?{query}", status=422)
    assert query.partition("=")[0] in sentence


async def test_one_record_whole_or_shortened(tmp_path: Path) -> None:
    """One record comes byte for byte; with `max_text` its long values are shortened, however long they are."""
    maker = LogMaker("long")
    long = "é" * 3_000_000
    log = maker.started() + maker.lines("stdout", {"type": "x", "text": long})
    (tmp_path / "sessions").mkdir()
    (tmp_path / "sessions" / "long.jsonl").write_bytes(log)
    path = "/api/v1/monitoring/sessions/long/records"
    async with serving(tmp_path) as rig:
        assert (await rig.get(f"{path}/1"))["message"]["text"] == long
        short = await rig.get(f"{path}/1?max_text=200")
        assert short["message"]["text"] == f"{'é' * 200}… 2999800 more characters"
        assert short["shortened"] is True
        page = await rig.client.get(path)
        assert len(await page.read()) < 5000


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"{RECORDS}/100000", 404),
        (f"{RECORDS}/x", 422),
        (f"{RECORDS}/-1", 422),
        (f"{RECORDS}/{'9' * 30}", 422),
        ("/api/v1/monitoring/sessions/nobody/records", 404),
        ("/api/v1/monitoring/sessions/nobody/records/0", 404),
    ],
)
async def test_what_is_not_there(rig: Rig, path: str, status: int) -> None:
    """An unknown session or record is not found, and what is no number is told so."""
    await rig.get(path, status=status)


async def test_a_damaged_log_is_shown_with_its_damage(tmp_path: Path) -> None:
    """Lines that are no records, of any bytes, are given with the reason."""
    maker = LogMaker("bad")
    (tmp_path / "sessions").mkdir()
    log = maker.started() + b"\xff\xfe\n" + b'{"seq":"x"}\n' + maker.lines("stdout", b'{"type":"\\ud800"}')
    (tmp_path / "sessions" / "bad.jsonl").write_bytes(log)
    async with serving(tmp_path) as rig:
        page = await rig.get("/api/v1/monitoring/sessions/bad/records", schema="api/records_answer")
    assert [one["stream"] for one in page["records"]] == ["proxy", "log", "log", "stdout"]
    assert all(one["skipped"] for one in page["records"][1:3])


async def test_events_are_shortened_on_demand(rig: Rig) -> None:
    """With `max_text` a page of events and a stream hold no long texts; without, all is as it was."""
    path = "/api/v1/monitoring/events?session_id=past1&offset=0"
    whole = await rig.get(path)
    short = await rig.get(f"{path}&max_text=200", schema="api/events_answer")
    assert len(short["events"]) == len(whole["events"])
    assert any(event.get("shortened") for event in short["events"])
    assert not any(event.get("shortened") for event in whole["events"])
    await rig.get(f"{path}&max_text=x", status=422)
