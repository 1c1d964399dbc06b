"""The records of a session by number, kind and text."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proxy.sessions.drift import Search
from proxy.sessions.reader import parse
from proxy.store import pieces as pieces_module
from proxy.store.pieces import NO_RECORD, Kind
from proxy.store.records import Part, RecordPage, RecordQuery, find_record, matching_lines, page_of_records
from proxy.store.records import Search as TextSearch
from tests.recorded import NAMES, LogMaker, scenario
from tests.store.contract.engines import Engine
from tests.tiers import examples

EVERYTHING = RecordQuery()


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut sessions into many pieces."""
    monkeypatch.setattr(pieces_module, "PIECE_LINES", 5)


def ask(engine: Engine, query: RecordQuery = EVERYTHING, *, limit: int = 1000, **bounds: Any) -> RecordPage:
    """Return a page of the session `made`."""
    pieces = engine.store.pieces("made")
    part = Part(limit=limit, **bounds)
    if not query.text:
        return page_of_records(pieces, query, part)
    search = TextSearch()
    work = [(piece, pieces.body(piece)) for piece in map(pieces.at, range(pieces.count))]
    for (piece, _), lines in zip(work, matching_lines(work, query), strict=True):
        search.add(piece, lines)
    return search.page(pieces, part)


def put(engine: Engine, log: bytes) -> None:
    """Record the session `made`."""
    engine.put("made", log)
    engine.settle()


def numbers(page: RecordPage) -> list[int]:
    """Return the numbers of a page's records."""
    return [row.seq for row in page.rows]


def test_pages_are_the_lines_of_the_log(engine: Engine) -> None:
    """Pages, put together, are the log byte for byte, wherever they are cut."""
    log = scenario("subagent")
    put(engine, log)
    lines = log.split(b"\n")[:-1]
    found = []
    for offset in range(0, len(lines), 7):
        page = ask(engine, limit=7, offset=offset)
        assert (page.position, page.total, page.is_complete) == (offset, len(lines), True)
        found += [row.line for row in page.rows]
    assert found == lines
    assert ask(engine, limit=7, offset=10**9).rows == []


def test_ranges_of_numbers(engine: Engine) -> None:
    """A range holds both its ends, offset counts from its start, and the position says where in the whole it is."""
    put(engine, scenario("simple"))
    page = ask(engine, limit=100, from_seq=3, to_seq=6)
    assert (numbers(page), page.position, page.total) == ([3, 4, 5, 6], 3, 4)
    page = ask(engine, limit=2, from_seq=3, to_seq=6, offset=1)
    assert (numbers(page), page.position) == ([4, 5], 4)
    assert numbers(ask(engine, limit=9, from_seq=6, to_seq=3)) == []
    for seq in range(15):
        assert numbers(ask(engine, from_seq=seq))[0] == seq
        assert numbers(ask(engine, to_seq=seq)) == list(range(seq + 1))


def test_filters_are_what_a_reader_of_the_log_would_find(engine: Engine) -> None:
    """Stream, verdict and type narrow the log to the lines that have them; a type is its subtypes as well."""
    maker = LogMaker()
    log = scenario("tool_deny", maker) + maker.lines("stdout", b"no json", {"type": "never_heard_of"})
    put(engine, log)
    lines = [json.loads(line) for line in log.split(b"\n")[:-1]]

    def expected(**wanted: str) -> list[int]:
        return [one["seq"] for one in lines if all(one.get(key) == value for key, value in wanted.items())]

    def asked(**wanted: Any) -> list[int]:
        query = RecordQuery(**wanted)
        whole = numbers(ask(engine, query))
        cut = [
            seq for offset in range(len(whole)) for seq in numbers(ask(engine, query, limit=1, offset=offset))
        ]
        assert cut == whole
        return whole

    assert asked(streams=("stdin",)) == expected(stream="stdin") != []
    assert asked(verdicts=("malformed",)) == expected(verdict="malformed") != []
    assert asked(streams=("stdin",), verdicts=("malformed",)) == []
    system = [one["seq"] for one in lines if one.get("message", {}).get("type") == "system"]
    assert asked(types=("system",)) == system != []
    assert asked(types=("control_request/can_use_tool",)) == [
        one["seq"]
        for one in lines
        if one.get("message", {}).get("request", {}).get("subtype") == "can_use_tool"
    ]
    stdin = RecordQuery(streams=("stdin",))
    middle = expected(stream="stdin")[1]
    assert numbers(ask(engine, stdin, from_seq=middle)) == expected(stream="stdin")[1:]
    assert ask(engine, stdin, from_seq=middle + 1).position == 2
    assert sum(ask(engine, limit=1).kinds.values()) == len(lines)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("NEEDLE", True),
        ('say "hi"', True),
        ("two\nlines", True),
        ("größe", True),
        ("🙂", True),
        ("never said", False),
        ('"seq"', False),
        ("made", False),
    ],
)
def test_search_looks_at_what_was_said(engine: Engine, text: str, found: bool) -> None:
    """A text is found however JSON has it, and the record's own head is not what was said."""
    maker = LogMaker()
    said = 'A needle: say "hi" in two\nlines of größe 🙂'
    log = maker.started() + maker.lines("stdout", {"type": "x", "said": said})
    log += maker.lines("stdout", *[{"type": "x"}] * 9)
    log += maker.lines("stdout", json.dumps({"type": "x", "said": said}, ensure_ascii=False).encode())
    put(engine, log)
    page = ask(engine, RecordQuery(text=text))
    assert numbers(page) == ([1, 11] if found else [])
    assert (page.searched, page.is_complete) == (12, True)
    assert numbers(ask(engine, RecordQuery(text=text), from_seq=2)) == ([11] if found else [])
    assert numbers(ask(engine, RecordQuery(text=text, streams=("stdin",)))) == []


def test_a_growing_session_is_gone_on_with(engine: Engine) -> None:
    """What was recorded since the last question is in the answer to the next one; a line without an end is none yet."""
    maker = LogMaker()
    engine.put("made", maker.started() + maker.lines("stdout", {"type": "needle"}), live=True)
    engine.settle()
    assert ask(engine, RecordQuery(text="needle")).total == 1
    engine.put("made", maker.lines("stdout", {"type": "needle"}) + b'{"seq":', live=True)
    engine.settle()
    page = ask(engine, RecordQuery(text="needle"))
    assert (numbers(page), page.is_complete) == ([1, 2], True)
    assert numbers(ask(engine)) == [0, 1, 2]


def test_lines_that_are_no_records_are_shown(engine: Engine) -> None:
    """What is wrong with a log is part of it: a foreign line has a place of its own, and disturbs no number."""
    maker = LogMaker()
    put(engine, maker.started() + b"not json\n" + maker.lines("stdout", {"type": "a"}))
    page = ask(engine)
    assert [row.kind.stream for row in page.rows] == ["proxy", NO_RECORD, "stdout"]
    assert page.rows[1].line == b"not json"
    for seq in (0, 1):
        row = find_record(engine.store.pieces("made"), seq)
        assert row is not None
        assert json.loads(row.line)["seq"] == seq
    assert find_record(engine.store.pieces("made"), 2) is None


def test_each_record_is_found_by_its_number(engine: Engine) -> None:
    """Wherever it is; numbers beyond the last one are none."""
    log = scenario("subagent")
    put(engine, log)
    pieces = engine.store.pieces("made")
    lines = log.split(b"\n")[:-1]
    for seq, line in enumerate(lines):
        row = find_record(pieces, seq)
        assert row is not None
        assert row.line == line
    assert find_record(pieces, len(lines)) is None
    assert find_record(pieces, 10**15) is None


def test_made_up_types_do_not_fill_the_store(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream of ever new types is told apart up to a bound, and still given whole."""
    monkeypatch.setattr(pieces_module, "PIECE_LINES", 1000)
    maker = LogMaker()
    put(engine, maker.started() + maker.lines("stdout", *[{"type": f"t{n}"} for n in range(3000)]))
    page = ask(engine, limit=5)
    assert page.total == 3001
    assert len(page.kinds) <= 2002
    assert page.kinds[Kind("stdout", "unknown", "")] > 900
    unnamed = RecordQuery(types=("",))
    assert len(ask(engine, unnamed, limit=5000).rows) == page.kinds[Kind("stdout", "unknown", "")]


@pytest.mark.parametrize("number", [10**19, 10**20 - 1, -1, 2**63])
def test_numbers_that_no_writer_gives(engine: Engine, number: int) -> None:
    """Regression: a number of twenty digits was a fault of the server. Such a line is no record, and is shown so."""
    maker = LogMaker()
    odd = (
        b'{"seq":%d,"ts":"2026-01-01T00:00:00.000000Z","session_id":"made","stream":"stderr","raw":"x"}\n'
        % number
    )
    put(engine, maker.started() + odd + maker.lines("stdout", {"type": "a"}))
    assert [row.kind.stream for row in ask(engine).rows] == ["proxy", NO_RECORD, "stdout"]


def test_an_unknown_session_has_no_records(engine: Engine) -> None:
    """Neither records nor drift."""
    with pytest.raises(KeyError):
        engine.store.pieces("nobody")
    with pytest.raises(KeyError):
        engine.store.drift("nobody")


def test_drift_is_that_of_a_search_through_the_log(engine: Engine) -> None:
    """Whatever passed, and wherever the reading was interrupted."""
    for name in [*NAMES[::7], "simple"]:
        log = (
            scenario(name, maker := LogMaker(name))
            + maker.lines("stdout", {"type": "keep_alive", "new": 1}) * 2
        )
        search = Search()
        for line in log.splitlines():
            record = parse(line)
            assert not isinstance(record, str)
            search.look_at(record)
        engine.put(name, log[: len(log) // 2], live=True)
        engine.settle()
        engine.reopen()
        engine.put(name, log[len(log) // 2 :])
        engine.settle()
        found, is_complete = engine.store.drift(name)
        assert found.listed() == search.found.listed() != []
        assert is_complete


@settings(suppress_health_check=list(HealthCheck), max_examples=examples(40))
@given(st.lists(st.binary(max_size=40), min_size=1, max_size=20))
def test_anything_in_a_log_is_given_back(engine: Engine, lines: list[bytes]) -> None:
    """Whatever lines a session has, each is given once, as it is."""
    whole = [line.replace(b"\n", b" ") for line in lines]
    if "made" in {one.session_id for one in engine.store.all_sessions()}:
        engine.remove("made")
        engine.settle()
    put(engine, b"".join(line + b"\n" for line in whole))
    assert [row.line for row in ask(engine, limit=100).rows] == whole
