"""The page on a slow link: answers that come late, in another order, or by half, and keys that do not wait."""

import json
from pathlib import Path

import pytest

from tests.recorded import LogMaker
from tests.server.chromium import CHROMIUM, Tab
from tests.server.conftest import Rig, serving
from tests.server.routes.test_dashboard import COMMAND, assistant, base, prompt, says, written

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(CHROMIUM is None, reason="needs the program `chromium`, which is not on the PATH"),
]
LINK = """
window.link = {hold: /^$/, held: [], lose: /^$/, lost: 0};
link.ask = fetch.bind(window);
window.fetch = async (url, about) => {
  if (link.lose.test(url)) return link.lost += 1, new Response('{"success": true, "da');
  const answer = await link.ask(url, about);
  if (link.hold.test(url)) await new Promise((free) => link.held.push({url, free}));
  return answer;
};
link.free = async (...which) => {
  for (const one of which.length ? which.map((index) => link.held[index]) : link.held.splice(0)) one.free();
  for (let frames = 0; frames < 3; frames += 1) await new Promise(requestAnimationFrame);
};
"""
"""What stands between the page and the server: it holds answers back, which `free` lets come, or loses half of them."""


class Link:
    """The link of one page."""

    def __init__(self, tab: Tab) -> None:
        self._tab = tab

    async def hold(self, pattern: str) -> None:
        """Let answers of these addresses come only when they are let."""
        await self._tab.value(f"link.hold = /{pattern}/")

    async def held(self, count: int) -> None:
        """Wait until so many answers are held back."""
        await self._tab.until(f"link.held.length >= {count}")

    async def free(self, *which: int) -> None:
        """Let these answers come, or all and all that follow; the page has drawn them then."""
        if not which:
            await self.hold("^$")
        await self._tab.value(f"link.free({', '.join(map(str, which))})")


async def opened(tab: Tab, rig: Rig, place: str) -> Link:
    """Go to the page, put a link between, then go to a place of the page."""
    await tab.open(f"{base(rig)}/#/session/nobody")
    await tab.sees("There is no such session", "live")
    tab.complaints.clear()  # what a browser itself tells its console of a 404
    await tab.value(LINK)
    await tab.value(f"location.hash = {json.dumps(place)}")
    return Link(tab)


async def goes_to(tab: Tab, place: str) -> None:
    """Follow a link of the page."""
    await tab.value(f"location.hash = {json.dumps(place)}")


def long_log(folder: Path, count: int) -> None:
    """Put a session of so many words into a data directory."""
    maker = LogMaker("long")
    messages = [assistant(number, {"type": "text", "text": f"word {number}."}) for number in range(count)]
    log = maker.started(COMMAND) + maker.lines("stdin", prompt("go")) + maker.lines("stdout", *messages)
    written(folder, "long", log + maker.ended())


CHOSEN = "document.querySelector('.chosen')?.innerText"


async def test_an_older_answer_takes_nothing_of_a_list_away(rig: Rig, tab: Tab) -> None:
    """What was asked for before a list grew, and comes after, neither shortens it nor hides what was added."""
    log = rig.live()
    says(log, *(f"word {number}" for number in range(250)))
    link = await opened(tab, rig, "#/")
    await tab.sees("1 running")
    await link.hold("offset=200")
    await goes_to(tab, "#/session/live")
    await link.held(1)
    await link.hold("^$")
    says(log, "and on")
    await tab.sees("and on", "252 entries")
    await link.free()
    await tab.sees("and on", "252 entries")
    assert await tab.value("document.querySelector('.placeholder')") is None
    log.close()


async def test_each_key_is_a_step_however_late_the_answers_are(rig: Rig, tab: Tab) -> None:
    """Keys that are pressed while the first of them waits for its answer are steps as well."""
    link = await opened(tab, rig, "#/session/past2/records?seq=3")
    await tab.until("document.querySelector('.record.chosen') && document.querySelector('.detail .json')")
    await goes_to(tab, "#/")
    await tab.until("document.querySelector('a.past')")
    await link.hold(r"records\?")
    await goes_to(tab, "#/session/past2/records?seq=3")
    await tab.until("document.querySelector('.detail .json')")
    for key in "jjjk":
        await tab.press(key)
    await link.held(2)
    await link.free()
    await tab.until("location.hash.endsWith('?seq=5')")
    await tab.until("document.querySelector('.record.chosen .seq')?.innerText === '5'")


async def test_who_has_gone_elsewhere_is_not_called_back(rig: Rig, tab: Tab) -> None:
    """An answer that comes when its reader has left, or has closed what it is for, takes them nowhere."""
    link = await opened(tab, rig, "#/")
    for key, place in (("u", "#/"), ("Escape", "#/session/past2/records"), ("2", "#/session/past2/timeline")):
        await goes_to(tab, "#/")
        await tab.until("document.querySelector('a.past')")
        await link.hold(r"records\?")
        await goes_to(tab, "#/session/past2/records?seq=3")
        await tab.until("document.querySelector('.detail .json')")
        await tab.press("j")
        await link.held(2)
        await tab.press(key)
        await tab.until(f"location.hash === {json.dumps(place)}")
        await link.free()
        assert await tab.value("location.hash") == place


async def test_the_place_that_was_asked_for_last_is_the_one_that_is_shown(tmp_path: Path, tab: Tab) -> None:
    """Who goes from one event to another before the first was found is at the other, whichever is found last."""
    long_log(tmp_path, 1000)
    async with serving(tmp_path) as rig:
        link = await opened(tab, rig, "#/session/long")
        await tab.sees("word 0.")
        await link.hold("from_seq")
        await goes_to(tab, "#/session/long/conversation?seq=902")
        await link.held(1)
        await goes_to(tab, "#/session/long/conversation?seq=12")
        await link.held(2)
        await link.hold("^$")
        await link.free(1)
        await tab.until(f"{CHOSEN}.includes('word 10.')")
        await link.free(0)
        await tab.sees("word 10.")
        assert "word 10." in await tab.value(CHOSEN)


async def test_keys_wait_for_the_conversation(tmp_path: Path, tab: Tab) -> None:
    """Keys that are pressed while a conversation is read count once it is there, one after the other."""
    long_log(tmp_path, 500)
    async with serving(tmp_path) as rig:
        link = await opened(tab, rig, "#/")
        await tab.until("document.querySelector('a.past')")
        await link.hold("conversation.*limit=200")
        await goes_to(tab, "#/session/long")
        await tab.sees("Reading the conversation")
        for key in "Gkk":
            await tab.press(key)
        await link.free()
        await tab.until(f"{CHOSEN}.includes('word 499.')")
        # Also where the event is not there yet.
        await link.hold("conversation.*limit=200")
        await goes_to(tab, "#/")
        await goes_to(tab, "#/session/long")
        await link.held(1)
        await link.free(0)
        await tab.press("G")
        await tab.press("r")
        await tab.until("location.hash.endsWith('/records?seq=502')")


async def test_the_whole_of_one_record_is_not_shown_as_another(tmp_path: Path, tab: Tab) -> None:
    """A record is never shown under the number of another: neither the one before, nor a long one that comes late."""
    maker = LogMaker("long")
    log = maker.started(COMMAND) + maker.lines("stdin", prompt("a" * 30_000), prompt("short"))
    written(tmp_path, "long", log + maker.ended())
    body = "document.querySelector('.detail .json').innerText"
    async with serving(tmp_path) as rig:
        link = await opened(tab, rig, "#/session/long/records?seq=1")
        await tab.sees("Long values are shortened")
        await link.hold(r"records\/")
        await tab.click(".shortened button")
        await link.held(1)
        await tab.press("j")
        await link.held(2)
        await tab.until("document.querySelector('.detail[aria-busy=true] h2').innerText === '#2'")
        await link.free(1)
        await tab.until(f"{body}.includes('short')")
        await link.free()
        assert "short" in await tab.value(body)
        await tab.press("k")
        await tab.sees("all 30,000 characters")


async def test_the_activity_is_that_of_the_period(tmp_path: Path, tab: Tab) -> None:
    """Who chooses another period sees it, also when the figures of the first come last."""
    long_log(tmp_path, 1)
    async with serving(tmp_path) as rig:
        link = await opened(tab, rig, "#/session/long")
        await link.hold("metrics")
        await goes_to(tab, "#/")
        await link.held(1)
        await tab.value("link.held[0].free()")
        await tab.until("document.querySelector('.activity .chip')")
        for period in (3, 2):
            await tab.click(f".activity .chip:nth-child({period})")
            await link.held(5 - period)
        times = "[...document.querySelectorAll('.activity .chip')].map((e) => e.getAttribute('aria-pressed'))"
        assert await tab.value(times) == ["false", "true", "false"]
        await link.free(2)
        await tab.until("document.querySelector('.activity').getAttribute('aria-busy') === 'false'")
        await link.free(1)
        assert await tab.value("document.querySelector('.activity').getAttribute('aria-busy')") == "false"


async def test_what_happens_while_a_question_is_answered_is_asked_for(rig: Rig, tab: Tab) -> None:
    """An analysis also has what happened while the one before was on its way, though nothing happens after."""
    log = rig.live()
    says(log, "hello")
    link = await opened(tab, rig, "#/session/live/analysis")
    await tab.until("document.querySelector('.analysis')")
    await link.hold("analysis")
    log.append([])
    says(log, "and on")
    await link.held(1)
    assert await tab.value("document.querySelector('.severity-error')") is None
    log.close()  # without its last record: it has crashed
    await tab.until("document.querySelector('.state').textContent === 'crashed'")
    await link.free()
    await tab.until("document.querySelector('.analysis').innerText.includes('failed')")


async def test_the_chosen_session_is_the_same_when_another_begins(rig: Rig, tab: Tab) -> None:
    """What was chosen among the sessions stays chosen while others come before it."""
    await tab.open(f"{base(rig)}/")
    await tab.until("document.querySelectorAll('a.past').length === 3")
    for key in "jj":
        await tab.press(key)
    name = await tab.until("document.querySelector('a.past.chosen')?.getAttribute('href')")
    log = rig.live()
    await tab.sees("1 running")
    await tab.press("Enter")
    await tab.until(f"location.hash === {json.dumps(name)}")
    log.close()


async def test_half_an_answer_is_none(rig: Rig, tab: Tab) -> None:
    """An answer of which the end was lost breaks nothing: it is asked for again."""
    log = rig.live()
    await opened(tab, rig, "#/session/live")
    await tab.until("document.querySelector('.event-session')")
    await tab.value("link.lose = /./")
    says(log, "hello")
    await tab.until("link.lost > 2")
    assert await tab.value("document.querySelector('.failure')") is None
    await tab.value("link.lose = /^$/")
    await tab.sees("hello")
    for place in ("records?seq=1", "timeline", "analysis"):
        await tab.value("link.lose = /./")
        await goes_to(tab, f"#/session/live/{place}")
        await tab.until("document.querySelector('.view .failure')")
        await tab.value("link.lose = /^$/")
        await tab.until("!document.querySelector('.failure, .loading')")
    log.close()


async def test_a_page_that_could_not_be_had_is_asked_for_again(tmp_path: Path, tab: Tab) -> None:
    """Where a part of a list could not be fetched, it is there a while later without anybody's doing."""
    long_log(tmp_path, 1000)
    async with serving(tmp_path) as rig:
        await opened(tab, rig, "#/session/long")
        await tab.sees("word 0.")
        await tab.value("link.lose = /offset=(?!0)/")
        await tab.press("G")
        await tab.until("link.lost > 0 && document.querySelector('.placeholder')")
        await tab.value("link.lose = /^$/")
        await tab.sees("exit status 0")
        await tab.until("!document.querySelector('.placeholder')")


async def test_a_fault_of_the_page_is_said(rig: Rig, tab: Tab) -> None:
    """What goes wrong in the page itself, also beside what is drawn, is said where the reader sees it."""
    await tab.open(f"{base(rig)}/")
    await tab.sees("live")
    await tab.value("void Promise.reject(new Error('nobody thought of it'))")
    await tab.sees("A fault of this page: nobody thought of it")
    assert len(tab.complaints) == 1
    tab.complaints.clear()
