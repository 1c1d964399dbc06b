"""The page in a real browser: what a person sees of sessions, live and past, whatever is in them."""

import json
import re
import time
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestServer

from proxy.config import Settings
from proxy.server.process.app import create_app
from proxy.sessions.record import StreamRecords, lifecycle
from proxy.sessions.writer import SessionLog
from tests.recorded import LogMaker
from tests.server.chromium import CHROMIUM, Tab, browser
from tests.server.conftest import Rig, reading_slowly, serving
from tests.server.routes.test_streams import say

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(CHROMIUM is None, reason="needs the program `chromium`, which is not on the PATH"),
]
SETTLED = "document.querySelector('.view')?.children.length && !document.querySelector('.loading')"
VIEWS = ("conversation", "timeline", "records", "analysis")
USAGE = dict.fromkeys(
    ("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens"), 1
)
COMMAND = ["claude", "--input-format", "stream-json"]
ABOUT = {"parent_tool_use_id": None, "session_id": "s", "uuid": "00000000-0000-4000-8000-000000000000"}
HOSTILE = [
    '<img src=x onerror="window.hacked=1"><script>window.hacked=1</script>',
    "\"'><svg onload=window.hacked=1>",
    "javascript:window.hacked=1",
    "\x1b[2J\x1b]0;title\x07\x1b[31mred",
    "\u202eevil\u202c \u2066\u2067 mixed",
    "שלום עולם, مرحبا بالعالم",
    "${window.hacked=1} {{constructor.constructor('window.hacked=1')()}}",
    "W" * 5000,
    "\ud83d",
    "__proto__",
]


def base(rig: Rig) -> str:
    """Return where the server is, without the slash."""
    return str(rig.client.make_url("")).rstrip("/")


def written(folder: Path, session_id: str, log: bytes) -> None:
    """Put a log into a data directory."""
    (folder / "sessions").mkdir(exist_ok=True)
    (folder / "sessions" / f"{session_id}.jsonl").write_bytes(log)


def call(number: int, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """Return a message in which a tool is called."""
    block = {"type": "tool_use", "id": f"toolu_{number}", "name": tool, "input": arguments}
    return assistant(number, block)


def assistant(number: int, block: dict[str, Any]) -> dict[str, Any]:
    """Return a message of the model."""
    message: dict[str, Any] = {"id": f"msg_{number}", "type": "message", "role": "assistant", "model": "made"}
    message |= {"content": [block], "stop_reason": None, "stop_sequence": None, "usage": USAGE}
    return {"type": "assistant", "message": message, **ABOUT}


def result(number: int, text: str) -> dict[str, Any]:
    """Return a message with what a tool gave."""
    block = {"type": "tool_result", "tool_use_id": f"toolu_{number}", "content": text}
    return {"type": "user", "message": {"role": "user", "content": [block]}, **ABOUT}


def prompt(text: str) -> dict[str, Any]:
    """Return what a user says."""
    return {"type": "user", "message": {"role": "user", "content": text}}


def says(log: SessionLog, *texts: str) -> None:
    """Let the model of a wrapped session say something."""
    out = StreamRecords(log.session_id, "stdout")
    lines = [
        json.dumps(assistant(number, {"type": "text", "text": text})) for number, text in enumerate(texts)
    ]
    log.append([out.message(line.encode(), "valid") for line in lines])


async def fits(tab: Tab) -> None:
    """Make sure that nothing is wider than the window."""
    assert await tab.value("document.documentElement.scrollWidth <= innerWidth + 1")


async def test_a_live_session_appears_and_ends(rig: Rig, tab: Tab) -> None:
    """A session is on the page as soon as it begins, with what it waits for, and moves to the past when it ends."""
    await tab.open(f"{base(rig)}/")
    await tab.sees("nothing is running", "live")
    log = rig.live()
    await tab.sees("1 running", "mine")
    say(log)
    await tab.until("document.querySelector('.card .state')?.textContent === 'executing'")
    await tab.click(".card")
    await tab.sees("hi")
    log.append([lifecycle("live", "session_ended", {"exit_code": 3, "duration_ms": 5, "counts": {}})])
    log.close()
    await tab.sees("ended", "exit status 3")
    await tab.press("u")
    await tab.sees("nothing is running")
    own = base(rig)
    foreign = [url for url in tab.asked if not url.startswith((own, own.replace("http", "ws"), "data:"))]
    assert foreign == []


async def test_records_are_filtered_searched_and_opened(rig: Rig, tab: Tab) -> None:
    """Filters and search narrow the records, and the address leads back to the very record."""
    await tab.open(f"{base(rig)}/#/session/past2/records")
    await tab.until("document.querySelectorAll('.record').length > 10")
    await tab.click(".chip.stream-stdin")
    await tab.until("[...document.querySelectorAll('.record .stream')].every((e) => e.title === 'stdin')")
    assert "stream=stdin" in await tab.value("location.hash")
    await tab.click(".chip.stream-stdin")
    await tab.press("/")
    await tab.type("can_use_tool")
    await tab.press("Enter")
    await tab.sees("1 found")
    await tab.click(".record")
    await tab.until("document.querySelector('.detail .json')?.innerText.includes('can_use_tool')")
    address = await tab.value("location.href")
    await tab.open("about:blank")
    await tab.open(address)
    await tab.until("document.querySelector('.detail .json')?.innerText.includes('can_use_tool')")
    await tab.sees("1 found")


async def test_every_view_by_keyboard(rig: Rig, tab: Tab) -> None:
    """Sessions, their views, their records and the search are reached without a mouse."""
    await tab.open(f"{base(rig)}/")
    await tab.until("document.querySelectorAll('a.past').length === 3")
    for key in "jjk":
        await tab.press(key)
    await tab.press("Enter")
    await tab.until("location.hash.startsWith('#/session/past2/conversation')")
    await tab.until("document.querySelector('.event')")
    await tab.press("j")
    await tab.until("document.querySelector('.event.chosen')")
    await tab.press("r")
    await tab.until("location.hash.includes('/records?seq=')")
    await tab.until("document.querySelector('.detail .json')")
    before = await tab.value("location.hash")
    await tab.press("j")
    await tab.until(f"location.hash !== {json.dumps(before)}")
    await tab.press("Escape")
    await tab.until("!document.querySelector('.detail')")
    await tab.press("/")
    await tab.until("document.activeElement.type === 'search'")
    await tab.press("Escape")
    await tab.press("?")
    await tab.until("document.querySelector('dialog[open]')")
    await tab.press("Enter")
    await tab.until("!document.querySelector('dialog')")
    await tab.press("u")
    await tab.until("location.hash === '#/'")


async def test_keys_count_before_the_list_is_there(rig: Rig, tab: Tab) -> None:
    """The next and the previous record are reached while the page still reads the list of them."""
    await tab.open(f"{base(rig)}/")
    await tab.until("document.querySelector('a.past')")
    await tab.value(
        "const ask = fetch; window.lists = new Promise((free) => { window.free = free; }); window.fetch ="
        " (url, about) => /records.*limit=(?!1&)/.test(url) ? lists.then(() => ask(url, about)) : ask(url, about)"
    )
    await tab.value("location.hash = '#/session/past2/records?seq=3'")
    await tab.until("document.querySelector('.detail .json')")
    assert await tab.value("!document.querySelector('.record')")
    await tab.press("j")
    await tab.until("location.hash.endsWith('?seq=4')")
    await tab.press("k")
    await tab.until("location.hash.endsWith('?seq=3')")
    await tab.value("free()")
    await tab.until("document.querySelector('.record.chosen .seq').innerText === '3'")


async def test_light_dark_and_narrow(rig: Rig, tab: Tab) -> None:
    """The page follows the user's preference, a choice of their own goes before it, and a narrow window holds all."""
    background = "getComputedStyle(document.body).backgroundColor"
    await tab.open(f"{base(rig)}/#/session/past1")
    await tab.until("document.querySelector('.event')")
    light = await tab.value(background)
    await tab.look(scheme="dark", width=380, height=700)
    dark = await tab.until(f"{background} !== {json.dumps(light)} && {background}")
    await tab.press("t")
    await tab.until(f"{background} === {json.dumps(light)}")
    await tab.press("t")
    await tab.until(f"{background} === {json.dumps(dark)}")
    for view in (*VIEWS, "records?seq=3"):
        await tab.value(f"location.hash = '#/session/past1/{view}'")
        await tab.until(
            "document.querySelector('.view').children.length && !document.querySelector('.loading')"
        )
        await fits(tab)
    await tab.press("u")
    await tab.until("document.querySelector('a.past')")
    await fits(tab)


async def test_hostile_content_executes_nothing(tmp_path: Path, tab: Tab) -> None:
    """Markup, scripts, terminal escapes and directions of writing are shown as text, wherever they stand."""
    maker = LogMaker("hostile")
    log = maker.started(["claude", *HOSTILE[:8]])
    for number, text in enumerate(HOSTILE):
        said = json.dumps(text)
        log += maker.lines("stdin", json.dumps(prompt(text)).encode())
        log += maker.lines(
            "stdout", call(number, text[:90], {text: text, "command": text}), result(number, text)
        )
        log += maker.lines(
            "stdout",
            assistant(900 + number, {"type": "text", "text": f"```{text}\n{text}\n``` **{text}** `{text}`"}),
        )
        log += maker.lines(
            "stdout", f"no json {text!r}".encode(), {"type": text, "subtype": text}, {"type": "x", "y": said}
        )
        log += maker.lines(
            "stdout", {"type": "result", "subtype": text, "is_error": True, "errors": [text], "result": text}
        )
    log += b"<script>window.hacked=1</script>\n" + maker.life("x" + HOSTILE[0], **{HOSTILE[0]: HOSTILE})
    written(tmp_path, "hostile", log)
    async with serving(tmp_path) as rig:
        for view in (*VIEWS, "records?seq=4", "conversation?seq=30"):
            await tab.open(f"{base(rig)}/#/session/hostile/{view}")
            await tab.until(
                "document.querySelector('.view')?.children.length && !document.querySelector('.loading')"
            )
            await tab.value("document.querySelectorAll('.call-head, summary').forEach((e) => e.click())")
            await tab.until("document.querySelector('.view')")
            await fits(tab)
            assert await tab.value(
                "window.hacked === undefined && !document.querySelector('.view img, .view svg')"
            )
        await tab.open(f"{base(rig)}/#/")
        await tab.until("document.querySelector('a.past')")
        await fits(tab)
        assert await tab.value("window.hacked") is None
        assert not await tab.value("/[\\u0000-\\u0008\\u001b\\u202e]/.test(document.body.textContent)")


async def test_a_text_of_ten_megabytes_is_shown_on_demand(tmp_path: Path, tab: Tab) -> None:
    """A long text is shortened in every view, and whole when somebody asks for it."""
    maker = LogMaker("long")
    text = "All work and no play. " * 480_000
    log = (
        maker.started()
        + maker.lines("stdin", prompt("go"))
        + maker.lines("stdout", call(1, "Read", {}), result(1, text))
    )
    written(tmp_path, "long", log + maker.ended())
    async with serving(tmp_path) as rig:
        await tab.open(f"{base(rig)}/#/session/long")
        await tab.sees("show all of it")
        assert await tab.value("document.body.textContent.length") < 20_000
        await tab.click(".shortened button")
        await tab.until("document.querySelector('.what .long-text')?.textContent.length > 10_000_000")
        await tab.value("location.hash = '#/session/long/records'")
        await tab.click(".record:nth-child(1)")
        await tab.value("location.hash = '#/session/long/records?seq=3'")
        await tab.sees("Show all 10.6 MB")
        await tab.click(".shortened button")
        await tab.sees("all 10,560,000 characters")
        await tab.click(".json-leaf button.quiet")
        await tab.until("document.querySelector('.long-text')?.textContent.length > 10_000_000")


async def test_what_stands_out_leads_to_its_record(tmp_path: Path, tab: Tab) -> None:
    """From an anomaly, a bar of the timeline and a badge it is one step to the very record."""
    maker = LogMaker("past")
    log = maker.started(COMMAND) + maker.lines("stdin", prompt("go"))
    log += maker.lines("stdout", call(1, "Bash", {"command": "ls"}), result(1, "x"), {"type": "assistant"})
    written(tmp_path, "past", log + maker.ended())
    async with serving(tmp_path) as rig:
        await tab.open(f"{base(rig)}/#/session/past/analysis")
        await tab.click(".anomaly .evidence a[href*='seq=4']")
        await tab.until("location.hash.includes('seq=4')")
        await tab.until("document.querySelector('.detail .verdict')?.textContent === 'invalid'")
        await tab.press("2")
        await tab.click(".longest button:has(.kind-tool)")
        await tab.click(".chosen-bar a[href*='/records']")
        await tab.until("document.querySelector('.detail .json')?.innerText.includes('toolu_1')")
        await tab.press("1")
        await tab.click("a.badge.bad-invalid")
        await tab.sees("1 found")


async def test_drift_leads_to_its_record(tmp_path: Path, tab: Tab) -> None:
    """What the specification does not have of a valid message leads to the record; that there is none is said."""
    for session_id, more in (("plain", {}), ("new", {"dreams": "of sheep"})):
        maker = LogMaker(session_id)
        log = maker.started(COMMAND) + maker.lines("stdin", prompt("go"))
        log += maker.lines("stdout", {"type": "keep_alive"}, {"type": "keep_alive", **more})
        written(tmp_path, session_id, log + maker.ended())
    async with serving(tmp_path) as rig:
        await tab.open(f"{base(rig)}/#/session/plain/analysis")
        await tab.sees("Nothing passed that the specification does not have")
        await tab.open(f"{base(rig)}/#/session/new/analysis")
        row = await tab.until("document.querySelector('.drift tbody tr')?.innerText")
        assert row.split() == ["field", "stdout", "keep_alive", "/dreams", "1"]
        await tab.click(".drift a")
        await tab.until("location.hash.includes('/records') && location.hash.includes('seq=3')")
        await tab.until("document.querySelector('.detail .json')?.innerText.includes('of sheep')")
        assert await tab.value("document.querySelector('.detail .verdict').textContent") == "valid"


async def test_charts_say_what_is_under_the_pointer(tmp_path: Path, tab: Tab) -> None:
    """A chart has an axis with units, says to those who do not see it what it shows, and a bar how much it is."""
    maker = LogMaker("today", time.time_ns() // 1000 - 60_000_000)
    log = maker.started(COMMAND)
    for _ in range(3):
        log += maker.lines("stdin", prompt("go"))
        log += maker.lines(
            "stdout", {"type": "result", "subtype": "success", "total_cost_usd": maker.seq / 10}
        )
    written(tmp_path, "today", log + maker.ended())
    async with serving(tmp_path) as rig:
        await tab.open(f"{base(rig)}/#/session/today/analysis")
        await tab.hover(".chart .plot")
        assert await tab.until("document.querySelector('.tip')?.textContent") == "turn 2\n$0.20 cost"
        about = await tab.value("document.querySelector('.chart').getAttribute('aria-label')")
        assert about == "cost over turns, at most $0.20"
        await tab.press("u")
        await tab.hover(".chart .plot")
        shown = await tab.until("document.querySelector('.tip')?.textContent")
        assert re.fullmatch(r"[A-Z][a-z]{2} \d+, \d\d:00 . \d\d:00\n0 events", shown)


async def test_what_is_read_stays_where_it_is(rig: Rig, tab: Tab) -> None:
    """While a session begins to wait and ceases to, nothing of the page moves; its window says that it waits."""
    log = rig.live()
    await tab.open(f"{base(rig)}/#/session/live")
    await tab.sees("waits for the next prompt")
    place = "document.querySelector('.tabs').getBoundingClientRect().y"
    before = await tab.value(place)
    say(log)
    await tab.sees("waits for the model")
    assert await tab.value(place) == before
    asked = {"subtype": "can_use_tool", "tool_name": "Bash", "input": {"command": "ls"}, "tool_use_id": "t"}
    line = json.dumps({"type": "control_request", "request_id": "r", "request": asked}).encode()
    log.append([StreamRecords("live", "stdout").message(line, "valid")])
    await tab.sees("waits for permission to use Bash")
    assert await tab.value(place) == before
    await tab.until("document.title.startsWith('waiting: mine')")
    await tab.press("u")
    await tab.until("document.title.startsWith('1 waiting')")
    log.close()


async def test_a_session_that_is_not_there(rig: Rig, tab: Tab) -> None:
    """An address of a session that was removed says so, and leads to the others."""
    await tab.open(f"{base(rig)}/#/session/nobody")
    await tab.sees("There is no such session")
    await tab.click(".empty a")
    await tab.until("document.querySelectorAll('a.past').length === 3")
    assert all("404" in one for one in tab.complaints)  # what a browser itself tells its console
    tab.complaints.clear()


async def test_a_session_that_is_still_being_read_begins_at_its_beginning(
    tmp_path: Path, tab: Tab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What has ended is shown from its beginning, and not as running, also while the server has read it half."""
    maker = LogMaker("past")
    messages = [assistant(number, {"type": "text", "text": f"word {number}"}) for number in range(200)]
    log = maker.started(COMMAND) + maker.lines("stdin", prompt("go")) + maker.lines("stdout", *messages)
    written(tmp_path, "past", log + maker.ended())
    with reading_slowly(monkeypatch) as go_on:
        async with serving(tmp_path) as rig:
            try:
                await tab.open(f"{base(rig)}/#/session/past")
                await tab.sees("The server has read", "word 0")
                await tab.until("document.querySelector('.state')?.textContent === 'reading'")
            finally:
                go_on.set()
            await tab.until("/20. entries/.test(document.querySelector('.foot').innerText)")
            await tab.until("document.querySelector('.state')?.textContent === 'failed'")
            assert await tab.value("document.querySelector('.list').scrollTop") == 0


async def test_a_session_that_goes_on_begins_at_its_end(rig: Rig, tab: Tab) -> None:
    """What runs is shown with what it does now, and goes on to be; who reads further up is not torn away."""
    log = rig.live()
    says(log, *(f"word {number}" for number in range(200)))
    await tab.open(f"{base(rig)}/#/session/live")
    await tab.sees("word 199")
    says(log, "and on")
    await tab.sees("and on")
    for number in range(3):
        says(log, "line\n" * 80 + f"the last {number}")
        await tab.sees(f"the last {number}", "following")
    at_end = "(({scrollHeight, scrollTop, clientHeight}) => scrollHeight - scrollTop - clientHeight < 40)"
    await tab.until(f"{at_end}(document.querySelector('.list'))")
    await tab.press("g")
    await tab.sees("word 0", "End, and follow")
    says(log, "and further")
    await tab.until("document.querySelector('.foot').innerText.includes('206 entries')")
    assert await tab.value("document.querySelector('.list').scrollTop") == 0
    log.close()


@pytest.mark.parametrize("calls", [2000, pytest.param(50_000, marks=pytest.mark.slow)])
async def test_many_events_stay_usable(tmp_path: Path, tab: Tab, calls: int) -> None:
    """Of a long session only what is in view is in the page; its end, its middle and its records are a key away."""
    maker = LogMaker("long")
    messages: list[object] = []
    for number in range(calls):
        messages += [call(number, "Bash", {"command": f"echo {number}"}), result(number, f"said {number}")]
    log = maker.started(COMMAND) + maker.lines("stdin", prompt("go")) + maker.lines("stdout", *messages)
    written(tmp_path, "long", log + maker.lines("stdout", b"no json at all") + maker.ended())
    async with serving(tmp_path) as rig:
        await tab.open(f"{base(rig)}/#/session/long")
        await tab.sees("said 0")
        await tab.until(f"/{f'{2 * calls:,}'[:-1]}. entries/.test(document.querySelector('.foot').innerText)")
        await tab.press("G")
        await tab.sees("exit status 0")
        assert await tab.value("document.querySelectorAll('.list-row').length") < 80
        await tab.value(f"location.hash = '#/session/long/conversation?seq={calls + 1}'")
        await tab.sees(f"said {calls // 2 - 1}")
        await tab.press("3")
        await tab.sees(f"{2 * calls + 4:,} records")
        await tab.click(".chip.verdict-malformed")
        await tab.sees("1 found", "malformed")
        await tab.click(".chip.verdict-malformed")
        await tab.press("/")
        await tab.type(f"said {calls - 1}")
        await tab.press("Enter")
        await tab.sees("1 found")
        assert await tab.value("document.querySelectorAll('.list-row').length") < 80


async def test_the_page_goes_on_when_the_server_comes_back(tmp_path: Path) -> None:
    """When the server restarts the page says so, connects again, and shows what happened meanwhile, once.

    Nothing moves for it: the place that is being read stays where it is.
    """
    place = "JSON.stringify(document.querySelector('.prompt').getBoundingClientRect())"
    maker = LogMaker("past")
    log = maker.started(COMMAND) + maker.lines("stdin", prompt("first words"))
    written(tmp_path, "past", log)
    async with browser() as tab:
        async with TestServer(create_app(str(tmp_path), Settings())) as server:
            port = server.port
            await tab.open(f"http://127.0.0.1:{port}/#/session/past")
            await tab.sees("first words", "live")
            await tab.until(f"{SETTLED} && document.querySelector('.prompt')")
            await tab.until(
                "performance.getEntriesByType('resource').some((one) => /monitoring.status$/.test(one.name))"
            )
            before = await tab.value(place)
        restart = f"claude-proxy --data-dir {tmp_path} --port {port} serve"
        await tab.sees("reconnecting", "The server does not answer", restart)
        assert await tab.value(place) == before
        written(
            tmp_path,
            "past",
            log + maker.lines("stdout", assistant(1, {"type": "text", "text": "last words"})),
        )
        async with TestServer(create_app(str(tmp_path), Settings()), port=port):
            await tab.sees("last words")
            await tab.until("document.querySelector('.link-open') && !document.querySelector('.lost')")
            assert await tab.value("document.querySelectorAll('.prompt').length") == 1


async def test_empty_sessions_and_clocks_that_jump(tmp_path: Path, tab: Tab) -> None:
    """A session with nothing in it, one without an end, and one whose clock went back, have all their views."""
    written(tmp_path, "empty", b"")
    maker = LogMaker("jumps")
    log = maker.started(COMMAND) + maker.lines("stdin", prompt("go"))
    maker.now_us -= 10**15
    written(
        tmp_path, "jumps", log + maker.lines("stdout", call(1, "Bash", {}), result(1, "back")) + b'{"seq":'
    )
    written(tmp_path, "begun", LogMaker("begun").started())
    async with serving(tmp_path) as rig:
        for session in ("jumps", "begun", "empty"):
            for view in VIEWS:
                await tab.open(f"{base(rig)}/#/session/{session}/{view}")
                await tab.until(f"location.hash.includes('{session}/{view}') && {SETTLED}")
                assert await tab.value("!document.body.innerText.includes('NaN')")
                assert await tab.value("!document.body.innerText.includes('A fault of this page')")
