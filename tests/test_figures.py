"""The figures of sessions are the same wherever they are shown: terminal, pages, API, metrics, over all fixtures."""

import json
import re
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from proxy.events.formatting import format_count, format_dollars, format_duration, quantity
from proxy.sessions import firings
from proxy.sessions.firings import Firing
from tests.command_line import claude_proxy
from tests.recorded import FIXTURES, INTERACTIVE, NAMES, RELEASES, START_US, LogMaker, scenario
from tests.server.chromium import CHROMIUM, Tab, browser
from tests.server.conftest import Rig, serving
from tests.tiers import first_in_short

pytestmark = pytest.mark.anyio
FIRST_LOOK = FIXTURES / "first_look.jsonl"
SHARED = ("turns", "tool_calls", "tool_failures", "tool_denials", "subagents")


@pytest.fixture
def anyio_backend() -> str:
    """Run tests on asyncio, which aiohttp needs."""
    return "asyncio"


RECORDED = {name.removeprefix("../releases/").replace("/", "-"): name for name in (*NAMES, *RELEASES)}
"""The recorded scenarios, of all releases, by the ids of their sessions here."""
LOGS = [json.loads(path.read_bytes().partition(b"\n")[0])["session_id"] for path in (INTERACTIVE, FIRST_LOOK)]
NAMES_NO_MODEL = "hooks_of_every_release"
"""The last result of this scenario states a cost, and of no model."""
INTERACTIVE_ID = LOGS[0]
ALL = sorted([*RECORDED, *LOGS])
SOME = sorted(
    {*ALL[::8], *LOGS, "tool_deny", next(name for name in RECORDED if name.endswith(NAMES_NO_MODEL))}
)


@pytest.fixture(params=first_in_short([SOME, ALL]), ids=["some", "all"])
def names(request: pytest.FixtureRequest) -> list[str]:
    """The ids of the sessions."""
    found: list[str] = request.param
    return found


@pytest.fixture
def data_dir(tmp_path: Path, names: list[str]) -> Path:
    """A data directory with sessions of fixtures, each with a duration of its own."""
    (tmp_path / "sessions").mkdir()
    for number, (session_id, name) in enumerate(RECORDED.items()):
        if session_id not in names:
            continue
        log = scenario(name, LogMaker(session_id, START_US + number * 60_000_000))
        log = log.replace(
            b'"duration_ms":1000,"counts"', b'"duration_ms":%d,"counts"' % (1234 + number * 777)
        )
        (tmp_path / "sessions" / f"{session_id}.jsonl").write_bytes(log)
    for session_id, path in zip(LOGS, (INTERACTIVE, FIRST_LOOK), strict=True):
        (tmp_path / "sessions" / f"{session_id}.jsonl").write_bytes(path.read_bytes())
    return tmp_path


@pytest.fixture
async def rig(data_dir: Path) -> AsyncIterator[Rig]:
    """A server over all of them."""
    async with serving(data_dir) as rig:
        yield rig


@pytest.fixture
async def tab() -> AsyncIterator[Tab]:
    """A browser's tab."""
    async with browser() as tab:
        yield tab


def printed(data_dir: Path, *words: str) -> str:
    """Return what a subcommand prints."""
    ran = claude_proxy("--data-dir", str(data_dir), *words)
    assert ran.status == 0
    return ran.stdout


def told(one: dict[str, Any]) -> dict[str, Any]:
    """Return the figures of an analysis under the names that the status has."""
    figures = {name: one["totals"][name] for name in SHARED}
    return figures | {
        "duration_ms": one["duration_ms"],
        "events": one["events"],
        "cost": one["cost"]["total_usd"],
        "tokens": one["cost"]["tokens"] if one["cost"]["by_model"] else {},
    }


async def test_every_surface_says_the_same_of_a_session(rig: Rig, data_dir: Path, names: list[str]) -> None:
    """The API, `sessions`, `analyze`, `show` and the shared page agree on every recorded session."""
    listed = {
        one["session_id"]: one
        for one in (await rig.get("/api/v1/monitoring/sessions?limit=1000"))["sessions"]
    }
    assert sorted(listed) == names
    said = json.loads(printed(data_dir, "sessions", "-n", "0", "--json"))
    said = {one["session_id"]: one for one in said["sessions"]}
    found = json.loads(printed(data_dir, "analyze", *names, "--json"))
    analysed = {one["session_id"]: one for one in found["sessions"]}
    for name in names:
        expected = told(analysed[name])
        asked = await rig.get(f"/api/v1/monitoring/sessions/{name}/analysis")
        assert told(asked) == expected, name
        for one in (listed[name], said[name]):
            assert {key: one[key] for key in expected} == expected, name
        await _pages_agree(data_dir, name, listed[name])


async def test_a_killed_session_lasted_until_its_last_record_on_every_surface(tmp_path: Path) -> None:
    """Regression: the analysis and the shared page left out the time after the last record that makes an event."""
    maker = LogMaker("killed")
    log = scenario("simple", maker)
    log = log[: log.rstrip(b"\n").rindex(b"\n") + 1]
    maker.now_us += 3_600_000_000
    log += maker.lines("stderr", b"still here")
    (tmp_path / "sessions").mkdir()
    (tmp_path / "sessions" / "killed.jsonl").write_bytes(log)
    async with serving(tmp_path) as rig:
        listed = await rig.get("/api/v1/monitoring/sessions/killed")
        asked = await rig.get("/api/v1/monitoring/sessions/killed/analysis")
    analysed = json.loads(printed(tmp_path, "analyze", "killed", "--json"))
    assert listed["duration_ms"] == asked["duration_ms"] == analysed["duration_ms"] > 3_600_000
    assert listed["state_since"] == asked["ended_at"] == analysed["ended_at"]
    page = printed(tmp_path, "show", "killed", "--html", "-")
    assert f"<dt>duration</dt><dd><bdi>{format_duration(listed['duration_ms'])}</bdi>" in page


async def test_what_rules_found_is_told_on_every_surface(tmp_path: Path) -> None:
    """Regression: `show`, `analyze` and the shared page left it out, and counted fewer events than the API."""
    fired = Firing(
        timestamp_us=0, rule="r", when={"cost_usd": 1.0}, do="tell", mode="dry_run", value=2.0, occasion=""
    )
    (tmp_path / "sessions").mkdir()
    for name, end in (("over", b""), ("killed", b"\n")):
        maker = LogMaker(name)
        log = scenario("simple", maker)
        if end:
            log = log[: log.rstrip(b"\n").rindex(b"\n") + 1]
        (tmp_path / "sessions" / f"{name}.jsonl").write_bytes(log)
        for at in (START_US + 5500, maker.now_us + 1_000_000):
            firings.append(str(tmp_path), name, msgspec.structs.replace(fired, timestamp_us=at))
    alone = {
        one["session_id"]: one for one in json.loads(printed(tmp_path, "sessions", "--json"))["sessions"]
    }
    async with serving(tmp_path) as rig:
        for name in ("over", "killed"):
            events = (await rig.get(f"/api/v1/monitoring/events?session_id={name}"))["events"]
            kinds = [event["event_type"] for event in events]
            assert kinds.count("rule_fired") == 2
            assert kinds.index("rule_fired") < kinds.index("run_completed")
            analysed = json.loads(printed(tmp_path, "analyze", name, "--json"))
            listed = await rig.get(f"/api/v1/monitoring/sessions/{name}")
            counts = {alone[name]["events"], listed["events"], analysed["events"], len(events)}
            assert counts == {len(events)}
            assert analysed["sequence"]["kinds"]["rule_fired"] == 2
            shown = printed(tmp_path, "show", name)
            page = printed(tmp_path, "show", name, "--html", "-")
            async with rig.client.get(f"/api/v1/monitoring/sessions/{name}/page") as response:
                for said in (shown, page, await response.text()):
                    assert said.count("cost_usd is 2") == 2


async def _pages_agree(data_dir: Path, name: str, one: dict[str, Any]) -> None:
    cost = [] if one["cost"] is None else [format_dollars(one["cost"])]
    turns = [quantity(one["turns"], "turn")] if one["turns"] else []
    after = ", ".join([f"after {format_duration(one['duration_ms'])}", *turns, *cost])
    shown = printed(data_dir, "show", name)
    assert f"{after}\n" in shown.rpartition(" ended  ")[2], name
    page = printed(data_dir, "show", name, "--html", "-")
    facts = dict(re.findall(r"<dt>([^<]*)</dt><dd><bdi>([^<]*)</bdi>", page))
    assert facts["duration"] == format_duration(one["duration_ms"]), name
    assert facts["turns"] == str(one["turns"]), name
    assert facts.get("cost") == (cost[0] if cost else None), name


async def test_parts_add_up_to_the_whole(rig: Rig, names: list[str]) -> None:
    """What an analysis lists by tool, turn, model and subagent adds up to its totals."""
    for name in names:
        one = await rig.get(f"/api/v1/monitoring/sessions/{name}/analysis")
        totals, tools = one["totals"], one["tools"]
        assert sum(tool["calls"] for tool in tools) == totals["tool_calls"], name
        assert sum(tool["failed"] for tool in tools) == totals["tool_failures"], name
        assert sum(tool["denied"] for tool in tools) == totals["tool_denials"], name
        assert len(one["subagents"]) == totals["subagents"], name
        costs = [turn["cost_usd"] for turn in one["turns"] if turn["cost_usd"] is not None]
        if name != INTERACTIVE_ID:  # at a terminal Claude Code says what a conversation cost, and no turn
            assert sum(costs) == pytest.approx(one["cost"]["total_usd"] or 0), name
        by_model = [model["cost_usd"] or 0 for model in one["cost"]["by_model"]]
        if name.endswith(NAMES_NO_MODEL):
            assert sum(by_model) <= (one["cost"]["total_usd"] or 0) + 1e-9, name
        else:
            assert sum(by_model) == pytest.approx(one["cost"]["total_usd"] or 0), name
        calls = sum(bar["count"] for bar in one["timeline"]["bars"] if bar["kind"] == "tool")
        failed = sum(bar["failed"] for bar in one["timeline"]["bars"] if bar["kind"] == "tool")
        assert (calls, failed) == (totals["tool_calls"], totals["tool_failures"]), name


async def test_metrics_add_up_what_the_sessions_say(rig: Rig) -> None:
    """The metrics of all time, for people and for Prometheus, are the sums of the sessions' figures."""
    sessions = (await rig.get("/api/v1/monitoring/sessions?limit=1000"))["sessions"]
    found = await rig.get("/api/v1/monitoring/metrics")
    total = {name: sum(one[name] or 0 for one in sessions) for name in (*SHARED, "cost", "events")}
    assert found["runs"]["total"] == total["turns"]
    assert found["tools"]["total"] == total["tool_calls"]
    assert found["tools"]["failed"] == found["errors"]["by_type"]["tool_failed"] == total["tool_failures"]
    assert found["tools"]["denied"] == total["tool_denials"] > 0
    assert found["cost"]["total_usd"] == pytest.approx(total["cost"])
    assert found["events"]["total"] == total["events"]
    durations = sum(one["duration_ms"] for one in sessions)
    assert found["sessions"]["duration"]["total"] == pytest.approx(durations)
    async with rig.client.get("/metrics") as response:
        exposed = dict(re.findall(r"^(claude_proxy_\w+) (\S+)$", await response.text(), re.MULTILINE))
    assert float(exposed["claude_proxy_turns_total"]) == total["turns"]
    assert float(exposed["claude_proxy_events_total"]) == total["events"]
    assert float(exposed["claude_proxy_cost_dollars_total"]) == pytest.approx(total["cost"], abs=1e-4)


async def test_approvals_are_counted_alike(rig: Rig, data_dir: Path, names: list[str]) -> None:
    """The route, `approvals` and the metrics tell of the same calls; those denied are the denials of the session."""
    listed = json.loads(printed(data_dir, "approvals", *names, "--json"))["approvals"]
    total: Counter[tuple[str, str]] = Counter()
    for one in (await rig.get("/api/v1/monitoring/sessions?limit=1000"))["sessions"]:
        name = one["session_id"]
        page = await rig.get(
            f"/api/v1/monitoring/sessions/{name}/approvals?limit=1000", schema="api/approvals_answer"
        )
        mine = [call for call in listed if call["session_id"] == name]
        assert [{"session_id": name, **call} for call in page["approvals"]] == mine
        assert page["total"] == len(mine)
        counted = Counter((call["approval"]["by"], call["approval"]["decision"]) for call in mine)
        assert counted == {(by, how): n for by, of in page["counts"].items() for how, n in of.items()}
        assert sum(n for (_, how), n in counted.items() if how == "deny") == one["tool_denials"], name
        total += counted
    async with rig.client.get("/metrics") as response:
        pattern = r'^claude_proxy_approvals_total{by="(\w+)",decision="(\w+)"} (\S+)$'
        found = re.findall(pattern, await response.text(), re.MULTILINE)
    assert {(by, how): float(n) for by, how, n in found} == total


@pytest.mark.skipif(CHROMIUM is None, reason="needs the program `chromium`, which is not on the PATH")
async def test_the_page_says_what_the_api_says(rig: Rig, tab: Tab, names: list[str]) -> None:
    """Every session's line has the turns, calls, failures, duration and cost of the API, spelled as `show` spells them.

    Their sum is the sum; and "failed" leads to the sessions with failures, no more and no fewer.
    """
    sessions = (await rig.get("/api/v1/monitoring/sessions?limit=1000"))["sessions"]
    await tab.look(width=1280, height=20_000)  # all lines are in view
    await tab.open(str(rig.client.make_url("/")))
    await tab.until(f"document.querySelectorAll('a.past').length === {len(sessions)}")
    lines = await tab.value(
        "[...document.querySelectorAll('a.past')].map((one) => [decodeURIComponent(one.hash.split('/')[2]),"
        " [...one.querySelectorAll('.num')].map((figure) => figure.textContent)])"
    )
    shown = dict(lines)
    for one in sessions:
        count = [format_count(one[name]) for name in ("turns", "tool_calls", "tool_failures")]
        cost = "" if one["cost"] is None else format_dollars(one["cost"])
        expected = [count[0], *("" if text == "0" else text for text in count[1:])]
        assert shown[one["session_id"]] == [*expected, format_duration(one["duration_ms"]), cost], one
    total = format_dollars(sum(one["cost"] or 0 for one in sessions))
    assert f"{total} in all" in await tab.value("document.querySelector('.past-sessions').innerText")
    failed_turns = [
        name
        for name in names
        if any(
            turn["outcome"] == "failed"
            for turn in (await rig.get(f"/api/v1/monitoring/sessions/{name}/analysis"))["turns"]
        )
    ]
    for what, expected in {
        "failed-turns": failed_turns,
        "failed-tools": [one["session_id"] for one in sessions if one["tool_failures"]],
        "denied": [one["session_id"] for one in sessions if one["tool_denials"]],
    }.items():
        await tab.value(f"location.hash = '#/?show={what}'")
        await tab.until(f"document.querySelectorAll('a.past').length === {len(expected)}")
        lines = "[...document.querySelectorAll('a.past')].map((one) => one.hash.split('/')[2])"
        assert sorted(await tab.value(lines)) == sorted(expected), what
