"""What was said in any session, over HTTP and in the page."""

import json
from pathlib import Path
from typing import Any

import pytest

from proxy.server.routes import search
from proxy.store import pieces
from tests.recorded import START_US, LogMaker, scenario
from tests.server.chromium import CHROMIUM, Tab
from tests.server.conftest import Rig, reading_slowly, serving
from tests.server.routes.test_dashboard import assistant, base, prompt, written

pytestmark = pytest.mark.anyio
needs_chromium = pytest.mark.skipif(
    CHROMIUM is None, reason="needs the program `chromium`, which is not on the PATH"
)
SEARCH = "/api/v1/monitoring/search"
SCHEMA = "api/search_answer"


def past(folder: Path, number: int, *texts: str) -> None:
    """Put a session in which such prompts are said into a data directory."""
    maker = LogMaker(f"s{number}", START_US + number * 1_000_000)
    log = maker.started(["claude", "-p"]) + maker.lines("stdin", *map(prompt, texts)) + maker.ended()
    written(folder, f"s{number}", log)


async def everything(rig: Rig, text: str, **query: Any) -> tuple[list[tuple[str, int]], int]:
    """Search to the end; return each session that was found with its number of records, and the number of answers."""
    found: dict[str, int] = {}
    answers = 0
    after: dict[str, str] = {}
    while True:
        page = await rig.get(SEARCH, params={"text": text, **query, **after}, schema=SCHEMA)
        assert page["complete"]
        answers += 1
        for one in page["sessions"]:
            found[one["session_id"]] = found.get(one["session_id"], 0) + one["total"]
        if page["after"] is None:
            return list(found.items()), answers
        after = {"after": page["after"]}


async def test_sessions_are_found_by_what_was_said(rig: Rig) -> None:
    """Newest first, each with its first records and what stands around the text; the record holds it."""
    page = await rig.get(SEARCH, params={"text": "NOT today"}, schema=SCHEMA)
    assert (page["searched"], page["total"], page["complete"], page["after"]) == (3, 3, True, None)
    (one,) = page["sessions"]
    assert one["session_id"] == "past2"
    first = one["records"][0]
    assert "not today" in first["snippet"].lower()
    record = await rig.get(f"/api/v1/monitoring/sessions/past2/records/{first['seq']}")
    assert "not today" in json.dumps(record["message"]).lower()
    assert record["ts"] == first["ts"]


async def test_names_of_fields_are_not_said(rig: Rig) -> None:
    """What every message has in it is no answer to what was said."""
    for text in ("tool_use_id", "parent_tool_use_id", "stop_reason"):
        page = await rig.get(SEARCH, params={"text": text})
        assert (page["sessions"], page["searched"]) == ([], 3)


async def test_a_search_comes_in_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With little time, or few sessions at once, each answer goes on where the one before has stopped."""
    monkeypatch.setattr(search, "_BUDGET_S", 0)
    monkeypatch.setattr(pieces, "PIECE_LINES", 10)
    (tmp_path / "sessions").mkdir()
    for number in range(40):
        past(tmp_path, number, *(["needle"] if number % 3 == 0 else ["hay"]))
    past(tmp_path, 40, *["needle"] * 300)
    expected = [("s40", 300), *((f"s{number}", 1) for number in range(39, -1, -3))]
    async with serving(tmp_path) as rig:
        found, answers = await everything(rig, "NEEDLE")
        assert found == expected
        assert answers > 4
        monkeypatch.setattr(search, "_BUDGET_S", 60)
        found, answers = await everything(rig, "needle", limit=100)
        assert (found, answers) == (expected, 1)
        found, answers = await everything(rig, "needle", limit=1)
        assert found == expected
        assert answers > 1


async def test_a_search_while_logs_are_still_read_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the server has not read yet may hold more; once it has, the answer is whole."""
    maker = LogMaker("long")
    log = maker.started() + maker.lines("stdin", *[prompt("hay")] * 200, prompt("needle")) + maker.ended()
    written(tmp_path, "long", log)
    with reading_slowly(monkeypatch) as go_on:
        async with serving(tmp_path) as rig:
            try:
                page = await rig.get(SEARCH, params={"text": "needle"}, schema=SCHEMA)
                assert (page["sessions"], page["complete"]) == ([], False)
            finally:
                go_on.set()
            await rig.shared.ready()
            while not (page := await rig.get(SEARCH, params={"text": "needle"}))["complete"]:
                await rig.shared.catch_up()
            assert [one["total"] for one in page["sessions"]] == [1]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("", "text is missing"),
        ("text=", "text is missing"),
        (f"text={'x' * 1001}", "text has 1001 characters"),
        ("text=a&limit=0", "limit"),
        ("text=a&limit=101", "limit"),
        ("text=a&after=nonsense", "after is 'nonsense'"),
        ("text=a&after=1/2/../etc", "after is"),
        ("words=a", "words"),
    ],
)
async def test_bad_queries_are_told_what_to_change(rig: Rig, query: str, said: str) -> None:
    """A value out of range gets a sentence that names it."""
    assert said in await rig.get(f"{SEARCH}?{query}", status=422)


@needs_chromium
async def test_what_was_said_is_found_in_the_page(tmp_path: Path, tab: Tab) -> None:
    """From a key to the place in the conversation, with the text marked; the address says what was looked for."""
    (tmp_path / "sessions").mkdir()
    for number in range(30):
        past(tmp_path, number, "hay", "the <b>needle</b> is here")
    maker = LogMaker("talk", START_US + 60_000_000)
    log = maker.started() + maker.lines("stdin", prompt("go"))
    log += maker.lines("stdout", *[assistant(n, {"type": "text", "text": f"word {n}"}) for n in range(300)])
    log += (
        maker.lines("stdout", assistant(300, {"type": "text", "text": "A Needle, at last"})) + maker.ended()
    )
    written(tmp_path, "talk", log)
    async with serving(tmp_path) as rig:
        await tab.open(f"{base(rig)}/")
        await tab.until("document.querySelectorAll('a.past').length > 5")
        await tab.press("s")
        await tab.type("needle")
        await tab.press("Enter")
        await tab.until("document.querySelectorAll('.hit').length >= 20")
        assert "said=needle" in await tab.value("location.hash")
        marked = await tab.value("[...document.querySelectorAll('.hit mark')].map((one) => one.innerText)")
        assert marked[:2] == ["Needle", "needle"]
        await tab.sees("the <b>needle</b> is here", "A Needle, at last")
        await tab.click(".hit li a")
        await tab.until("location.hash.startsWith('#/session/talk/conversation')")
        await tab.sees("A Needle, at last", "1 of 1")
        await tab.until("CSS.highlights.get('found')?.size > 0")
        await tab.value("history.back()")
        await tab.until("document.querySelectorAll('.hit').length >= 20")
        while await tab.value("document.querySelector('.search-results > button') !== null"):
            await tab.click(".search-results > button")
            await tab.until("!/looked through…/.test(document.querySelector('.search-results').innerText)")
        await tab.sees("31 sessions")
        await tab.click(".search-results .section-head button")
        await tab.until("!document.querySelector('.search-results') && !location.hash.includes('said')")
        await tab.value("location.hash = '#/?said=no+such+words'")
        await tab.sees("nobody said that")


@needs_chromium
async def test_a_session_of_every_kind_can_be_searched(tmp_path: Path, tab: Tab) -> None:
    """A recorded session is found by a word of its answer, and the answer is what is shown."""
    written(tmp_path, "one", scenario("simple", LogMaker("one")))
    async with serving(tmp_path) as rig:
        said = (await rig.get("/api/v1/monitoring/sessions/one/conversation?filter=answers"))["entries"]
        word = said[0]["parts"][0]["text"].split()[0]
        await tab.open(f"{base(rig)}/#/?said={word}")
        await tab.until("document.querySelector('.hit mark')")
        await tab.click(".hit li:last-child a")
        await tab.until("document.querySelector('.event.chosen')")
