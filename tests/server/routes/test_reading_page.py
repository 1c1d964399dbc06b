"""The page for who reads a conversation: Markdown, code and changes, what to show of it, and where to go in it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from proxy.events.formatting import format_count, format_dollars, format_duration
from proxy.sessions.record import StreamRecords
from tests.recorded import LogMaker, scenario
from tests.server.chromium import CHROMIUM, Tab
from tests.server.conftest import Rig, serving
from tests.server.routes.test_dashboard import (
    COMMAND,
    SETTLED,
    assistant,
    base,
    call,
    prompt,
    result,
    written,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(CHROMIUM is None, reason="needs the program `chromium`, which is not on the PATH"),
]
SAID = """# Units

- **two** of `them`
- [a link](https://example.org/) and [no link](javascript:window.hacked=1)

| a | b |
| - | -: |
| 1 | 2 |

```python
def parse(text: str) -> int:
    return int(text)  # no more
```

<img src=x onerror="window.hacked=1">
"""
OUTPUT = "\n".join([*(f"test_{number} passed" for number in range(60)), "1 failed, 60 passed"])
EDIT = {"file_path": "/src/units.py", "old_string": "return one", "new_string": "return two"}


def failed(number: int, text: str) -> dict[str, Any]:
    """Return the message of a call that failed."""
    message = result(number, text)
    message["message"]["content"][0]["is_error"] = True
    return message


def conversation(folder: Path) -> None:
    """Put a session of two turns into a data directory."""
    maker = LogMaker("past")
    log = maker.started(COMMAND) + maker.lines("stdin", prompt("the first question"))
    log += maker.lines("stdout", assistant(1, {"type": "text", "text": SAID}))
    log += maker.lines("stdout", call(2, "Edit", EDIT), result(2, "edited"))
    log += maker.lines("stdout", call(3, "Bash", {"command": "pytest"}), failed(3, OUTPUT))
    end = {"type": "result", "subtype": "success", "is_error": False, "total_cost_usd": 0.25, "num_turns": 3}
    log += maker.lines("stdout", end) + maker.lines("stdin", prompt("the second question"))
    log += maker.lines("stdout", assistant(4, {"type": "text", "text": "the last answer"}))
    log += maker.lines("stdout", {**end, "total_cost_usd": 0.75}) + maker.ended()
    written(folder, "past", log)


@pytest.fixture
async def rig(tmp_path: Path) -> Any:
    """A server over that session."""
    (tmp_path / "sessions").mkdir()
    conversation(tmp_path)
    async with serving(tmp_path) as rig:
        yield rig


async def opened(rig: Rig, tab: Tab, place: str = "session/past") -> None:
    """Go to a place of the page, and wait until it is there."""
    await tab.open(f"{base(rig)}/#/{place}")
    await tab.until(SETTLED)


async def test_markdown_code_and_changes_are_drawn(rig: Rig, tab: Tab) -> None:
    """Headings, lists, tables and coloured code, a change line by line; no markup and no address of its own."""
    await opened(rig, tab)
    for selector in (
        ".heading-1",
        ".prose li strong",
        ".prose th",
        ".hl-kwd",
        ".diff .added",
        ".diff .removed",
    ):
        await tab.until(f"document.querySelector('.answer, .call') && document.querySelector('{selector}')")
    links = await tab.value("[...document.querySelectorAll('.prose a')].map((one) => one.href)")
    assert links == ["https://example.org/"]
    assert await tab.value("window.hacked") is None
    assert await tab.value("document.querySelector('.prose img')") is None
    await tab.sees('<img src=x onerror="window.hacked=1">', "[no link](javascript:window.hacked=1)")


async def test_a_fold_shows_the_line_that_matters(rig: Rig, tab: Tab) -> None:
    """Regression: of a long result its beginning was shown, and what failed stands at its end."""
    await opened(rig, tab)
    await tab.sees("test_0 passed", "1 failed, 60 passed", "more lines")
    assert not await tab.value("document.body.innerText.includes('test_30 passed')")
    await tab.click(".result .fold")
    await tab.sees("test_30 passed")


async def test_all_is_expanded_and_folded(rig: Rig, tab: Tab) -> None:
    """A key and a button open everything, and close it again."""
    await opened(rig, tab)
    await tab.press("e")
    await tab.sees("test_30 passed", "Fold all")
    await tab.press("e")
    await tab.until("!document.body.innerText.includes('test_30 passed')")


async def test_only_what_was_chosen_is_shown(rig: Rig, tab: Tab) -> None:
    """The kinds are chosen by chips, several at once; the address says which."""
    await opened(rig, tab)
    await tab.click(".filter-failures")
    await tab.sees("1 entry", "1 failed, 60 passed")
    assert "filter=failures" in await tab.value("location.hash")
    await tab.click(".filter-prompts")
    await tab.sees("3 entries", "the first question")
    await tab.click(".filter-failures")
    await tab.click(".filter-prompts")
    await tab.sees("the last answer")


async def test_the_outline_leads_to_each_turn(rig: Rig, tab: Tab) -> None:
    """Turns with how they ended and what they cost, each a step away, and the one that is read is marked."""
    await opened(rig, tab)
    await tab.until("document.querySelectorAll('.outline li').length === 2")
    turns = await tab.value("[...document.querySelectorAll('.outline li')].map((one) => one.innerText)")
    assert "the first question" in turns[0]
    assert "$0.50" in turns[1]
    await tab.click(".outline li:nth-child(2) a")
    await tab.until("document.querySelector('.event.chosen')?.innerText.includes('the second question')")
    await tab.press("o")
    await tab.until("!document.querySelector('.outline')")


async def test_a_text_is_found(rig: Rig, tab: Tab) -> None:
    """Each place is a step away, and the text is marked where it is in view."""
    await opened(rig, tab)
    await tab.press("/")
    await tab.type("question")
    await tab.press("Enter")
    await tab.sees("1 of 2")
    await tab.until("CSS.highlights.get('found')?.size > 0")
    await tab.press("Enter")
    await tab.sees("2 of 2")
    await tab.until("document.querySelector('.event.chosen')?.innerText.includes('the second question')")
    await tab.press("Escape")
    await tab.until("!CSS.highlights.get('found')?.size")


async def test_an_entry_is_copied(rig: Rig, tab: Tab) -> None:
    """What an entry says, as it was said, is on the clipboard."""
    await opened(rig, tab)
    await tab.until("document.querySelector('.event-answer')")
    await tab.value("window.said = []; navigator.clipboard.writeText = async (text) => void said.push(text)")
    await tab.click(".event-answer > .copy")
    await tab.sees("Copied")
    assert await tab.value("said") == [SAID]


async def test_a_session_can_be_taken_along(tmp_path: Path, tab: Tab) -> None:
    """Its log, its page, and what goes on with it in a shell."""
    written(tmp_path, "past", scenario("simple", LogMaker("past")))
    async with serving(tmp_path) as rig:
        await opened(rig, tab)
        await tab.click(".more summary")
        await tab.sees("Download the log", "Export as a page", str(tmp_path / "sessions" / "past.jsonl"))
        await tab.value(
            "window.said = []; navigator.clipboard.writeText = async (text) => void said.push(text)"
        )
        await tab.click(".actions .copy")
        await tab.until("said.length")
        (copied,) = await tab.value("said")
        one = await rig.get("/api/v1/monitoring/sessions/past")
        assert copied == f"cd {one['cwd']} && claude --resume {one['claude_session_id']}"


async def test_the_head_says_what_the_api_says(rig: Rig, tab: Tab) -> None:
    """The figures are those of every other surface, spelled as a terminal spells them."""
    one = await rig.get("/api/v1/monitoring/sessions/past")
    await opened(rig, tab)
    facts = dict(
        await tab.value(
            "[...document.querySelectorAll('.fact')].map((one) =>"
            " [one.querySelector('dt').innerText, one.querySelector('dd').innerText])"
        )
    )
    assert facts["duration"] == format_duration(one["duration_ms"])
    assert facts["cost"] == format_dollars(one["cost"])
    assert facts["turns"] == "2"
    assert facts["tool calls"] == "2, 1 failed"
    await tab.click(".fact a.bad-text")
    await tab.sees("1 entry", "1 failed, 60 passed")


async def test_figures_are_spelled_as_a_terminal_spells_them(rig: Rig, tab: Tab) -> None:
    """Durations, amounts of money and counts read the same in the page and on the command line."""
    await opened(rig, tab)
    await tab.value("import('/static/format.js').then((module) => { window.spelled = module; })")
    durations: list[float] = [
        0,
        0.4,
        999,
        999.6,
        1000,
        1350,
        12_250,
        59_949,
        59_950,
        59_951,
        60_000,
        3_599_500,
        3_600_000,
        90_061_000,
        172_800_000,
        1e10,
    ]
    costs = [0, 0.00001, 0.0022, 0.00405, 0.00415, 0.125, 0.375, 1.005, 0.0999, 0.1, 0.25, 1234.5]
    counts = [0, 840, 9999, 10_000, 12_345, 12_350, 12_450, 999_949, 999_950, 4_000_000, 10_000_000_000]
    tables: list[tuple[str, Callable[[Any], str], list[Any]]] = [
        ("duration", format_duration, durations),
        ("cost", format_dollars, costs),
        ("count", format_count, counts),
    ]
    for name, spell, values in tables:
        shown = await tab.value(f"{json.dumps(values)}.map(spelled.{name})")
        assert shown == [spell(value) for value in values], name


async def test_one_failure_among_many_is_not_a_failed_bar(tmp_path: Path, tab: Tab) -> None:
    """Regression: a bar that stood for a thousand calls was red for one of them. The share that failed shades it."""
    maker = LogMaker("long")
    messages: list[object] = []
    for number in range(4000):
        done = failed if number == 2000 else result
        messages += [call(number, "Read", {"file_path": f"{number}"}), done(number, "x")]
    log = maker.started(COMMAND) + maker.lines("stdin", prompt("go")) + maker.lines("stdout", *messages)
    (tmp_path / "sessions").mkdir(exist_ok=True)
    written(tmp_path, "long", log + maker.ended())
    async with serving(tmp_path) as rig:
        await opened(rig, tab, "session/long/timeline")
        await tab.until("document.querySelector('.bar.kind-tool')")
        bars, share = "[...document.querySelectorAll('.bar.kind-tool')]", "--bad-share"
        shares = await tab.value(f"{bars}.map((one) => parseInt(one.style.getPropertyValue('{share}')))")
        assert 0 < max(shares) < 60
        found = await rig.get("/api/v1/monitoring/sessions/long/analysis")
        assert sum(bar["failed"] for bar in found["timeline"]["bars"] if bar["kind"] == "tool") == 1


def over(folder: Path, name: str, cwd: str, cost: float, **end: Any) -> None:
    """Put a session into a data directory."""
    maker = LogMaker(name)
    log = maker.started(COMMAND).replace(b"/home/dev/project", cwd.encode())
    log += maker.lines("stdin", prompt(f"do {name}"))
    log += maker.lines(
        "stdout", {"type": "result", "subtype": "success", "total_cost_usd": cost, "result": "x"}
    )
    written(folder, name, log + maker.ended(**end))


async def test_sessions_are_sorted_and_chosen(tmp_path: Path, tab: Tab) -> None:
    """By outcome, by project, by what went wrong, by each column; the address says how."""
    (tmp_path / "sessions").mkdir()
    over(tmp_path, "a", "/src/one", 0.5)
    over(tmp_path, "b", "/src/two", 0.25)
    over(tmp_path, "c", "/src/two", 0.75, exit_code=3)
    names = "[...document.querySelectorAll('a.past .name')].map((one) => one.innerText).join(' ')"
    async with serving(tmp_path) as rig:
        await tab.open(f"{base(rig)}/")
        await tab.until(f"{names} === 'do c do b do a'")
        await tab.click(".past-head button.num:nth-child(10)")
        await tab.until(f"{names} === 'do c do a do b'")
        await tab.click(".past-head button.num:nth-child(10)")
        await tab.until(f"{names} === 'do b do a do c'")
        await tab.click(".chip.outcome-failed")
        await tab.until(f"{names} === 'do c'")
        assert "outcome=failed" in await tab.value("location.hash")
        await tab.click(".chip.outcome-failed")
        await tab.value(
            "(() => { const choice = document.querySelector('.choice-project'); choice.value = 'two';"
            " choice.dispatchEvent(new Event('change', { bubbles: true })); })()"
        )
        await tab.until(f"{names} === 'do b do c'")


async def test_a_failed_turn_of_the_activity_leads_to_its_session(rig: Rig, tab: Tab) -> None:
    """From a figure it is one step to what it counts."""
    await tab.open(f"{base(rig)}/")
    await tab.until("document.querySelector('a.past')")
    await tab.value("location.hash = '#/?show=failed-tools'")
    await tab.sees("with failed tool calls", "the first question")


async def test_the_board_says_what_needs_somebody(rig: Rig, tab: Tab) -> None:
    """What waits for an answer stands apart from what works and what is idle."""
    log = rig.live()
    await tab.open(f"{base(rig)}/")
    await tab.until("document.querySelector('.column-working .card')")
    asked = {"subtype": "can_use_tool", "tool_name": "Bash", "input": {}, "tool_use_id": "t"}
    line = json.dumps({"type": "control_request", "request_id": "r", "request": asked}).encode()
    log.append([StreamRecords("live", "stdout").message(line, "valid")])
    await tab.until(
        "document.querySelector('.column-needs-you .card')?.innerText.includes('permission to use Bash')"
    )
    log.close()
