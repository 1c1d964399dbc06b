"""Records of a log by number, kind and text."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.store.records import NO_RECORD, Kind, RecordPage, RecordQuery, Records
from tests.recorded import LogMaker, scenario
from tests.store.test_index import opened_files

EVERYTHING = RecordQuery()


def written(folder: Path, log: bytes, session_id: str = "made") -> Path:
    """Put a log into a data directory."""
    path = folder / "sessions" / f"{session_id}.jsonl"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(log)
    return path


def numbers(page: RecordPage) -> list[int]:
    """Return the numbers of a page's records."""
    return [row.seq for row in page.rows]


def test_pages_are_the_lines_of_the_log(tmp_path: Path) -> None:
    """Pages, put together, are the log byte for byte, wherever they are cut."""
    log = scenario("subagent")
    written(tmp_path, log)
    records = Records(str(tmp_path))
    lines = log.split(b"\n")[:-1]
    found = []
    for offset in range(0, len(lines), 7):
        page = records.page("made", EVERYTHING, limit=7, offset=offset)
        assert (page.position, page.total, page.complete) == (offset, len(lines), True)
        found += [row.line for row in page.rows]
    assert found == lines
    assert records.page("made", EVERYTHING, limit=7, offset=10**9).rows == []


def test_ranges_of_numbers(tmp_path: Path) -> None:
    """A range holds both its ends, offset counts from its start, and the position says where in the whole it is."""
    written(tmp_path, scenario("simple"))
    records = Records(str(tmp_path))
    page = records.page("made", EVERYTHING, limit=100, from_seq=3, to_seq=6)
    assert (numbers(page), page.position, page.total) == ([3, 4, 5, 6], 3, 4)
    page = records.page("made", EVERYTHING, limit=2, from_seq=3, to_seq=6, offset=1)
    assert (numbers(page), page.position) == ([4, 5], 4)
    assert numbers(records.page("made", EVERYTHING, limit=9, from_seq=6, to_seq=3)) == []


def test_filters_are_what_a_reader_of_the_log_would_find(tmp_path: Path) -> None:
    """Stream, verdict and type narrow the log to the lines that have them; a type is its subtypes as well."""
    maker = LogMaker()
    log = scenario("tool_deny", maker) + maker.lines("stdout", b"no json", {"type": "never_heard_of"})
    written(tmp_path, log)
    records = Records(str(tmp_path))
    lines = [json.loads(line) for line in log.split(b"\n")[:-1]]

    def expected(**wanted: str) -> list[int]:
        return [one["seq"] for one in lines if all(one.get(key) == value for key, value in wanted.items())]

    def asked(query: RecordQuery) -> list[int]:
        return numbers(records.page("made", query, limit=1000))

    assert asked(RecordQuery(streams=("stdin",))) == expected(stream="stdin") != []
    assert asked(RecordQuery(verdicts=("malformed",))) == expected(verdict="malformed") != []
    assert asked(RecordQuery(streams=("stdin",), verdicts=("malformed",))) == []
    system = [one["seq"] for one in lines if one.get("message", {}).get("type") == "system"]
    assert asked(RecordQuery(types=("system",))) == system != []
    asks = asked(RecordQuery(types=("control_request/can_use_tool",)))
    assert asks == [
        one["seq"]
        for one in lines
        if one.get("message", {}).get("request", {}).get("subtype") == "can_use_tool"
    ]
    assert sum(records.page("made", EVERYTHING, limit=1).kinds.values()) == len(lines)


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
def test_search_looks_at_what_was_said(tmp_path: Path, text: str, found: bool) -> None:
    """A text is found however JSON spells it, and the record's own head is not what was said."""
    maker = LogMaker()
    said = 'A needle: say "hi" in two\nlines of größe 🙂'
    log = maker.started() + maker.lines("stdout", {"type": "x", "said": said})
    log += maker.lines("stdout", json.dumps({"type": "x", "said": said}, ensure_ascii=False).encode())
    written(tmp_path, log)
    page = Records(str(tmp_path)).page("made", RecordQuery(text=text), limit=10)
    assert numbers(page) == ([1, 2] if found else [])


def test_a_growing_log_is_gone_on_with(tmp_path: Path) -> None:
    """What was written since the last question is in the answer to the next one, filtered or not."""
    maker = LogMaker()
    path = written(tmp_path, maker.started() + maker.lines("stdout", {"type": "needle"}))
    records = Records(str(tmp_path))
    assert records.page("made", RecordQuery(text="needle"), limit=9).total == 1
    with path.open("ab") as file:
        file.write(maker.lines("stdout", {"type": "needle"}) + b'{"seq":')
    page = records.page("made", RecordQuery(text="needle"), limit=9)
    assert (numbers(page), page.complete) == ([1, 2], True)


def test_a_log_that_was_replaced_is_read_anew(tmp_path: Path) -> None:
    """Nothing of a log that was replaced is given for the one that took its place."""
    path = written(tmp_path, scenario("simple"))
    records = Records(str(tmp_path))
    assert records.page("made", EVERYTHING, limit=1).total > 3
    path.unlink()
    written(tmp_path, LogMaker().started())
    assert records.page("made", EVERYTHING, limit=1).total == 1


def test_a_log_that_was_removed_is_not_held(tmp_path: Path) -> None:
    """What was shown and is gone takes no room on the disk; what is there stays at hand."""
    records = Records(str(tmp_path))
    gone, there = (written(tmp_path, scenario("simple"), name) for name in ("gone", "there"))
    for name in ("gone", "there"):
        records.page(name, EVERYTHING, limit=1)
    gone.unlink()
    records.let_go_of_removed()
    assert f"{gone} (deleted)" not in opened_files()
    assert str(there) in opened_files()
    records.close()


def test_a_long_search_comes_in_pieces(tmp_path: Path) -> None:
    """Without time for all of it, each question goes on where the last one stopped, and says that there is more."""
    maker = LogMaker()
    written(tmp_path, maker.started() + maker.lines("stdout", *[{"type": "a"}] * 2000))
    records = Records(str(tmp_path), budget_s=0.0)
    seen = [records.page("made", RecordQuery(text="a"), limit=1) for _ in range(10)]
    searched = [page.searched for page in seen]
    assert searched[0] < searched[1] < searched[-1] == 2001
    assert [page.complete for page in seen] == [count == 2001 for count in searched]


def test_lines_that_are_no_records_are_shown(tmp_path: Path) -> None:
    """What is wrong with a log is part of it: a foreign line has a place of its own, and disturbs no number."""
    maker = LogMaker()
    log = maker.started() + b"not json\n" + maker.lines("stdout", {"type": "a"})
    written(tmp_path, log)
    records = Records(str(tmp_path))
    page = records.page("made", EVERYTHING, limit=9)
    assert [row.kind.stream for row in page.rows] == ["proxy", NO_RECORD, "stdout"]
    assert page.rows[1].line == b"not json"
    for seq in (0, 1):
        row = records.one("made", seq)
        assert row is not None
        assert json.loads(row.line)["seq"] == seq
    assert records.one("made", 2) is None


def test_made_up_types_do_not_fill_the_memory(tmp_path: Path) -> None:
    """A stream of ever new types is told apart up to a bound, and still given whole."""
    maker = LogMaker()
    written(tmp_path, maker.started() + maker.lines("stdout", *[{"type": f"t{n}"} for n in range(3000)]))
    page = Records(str(tmp_path)).page("made", EVERYTHING, limit=5)
    assert page.total == 3001
    assert len(page.kinds) <= 2002
    assert page.kinds[Kind("stdout", "unknown", "")] > 900


@given(st.lists(st.binary(max_size=40), max_size=20))
def test_anything_in_a_log_is_given_back(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes]
) -> None:
    """Whatever lines a file holds, each is given once, as it is."""
    folder = tmp_path_factory.mktemp("any")
    whole = [line.replace(b"\n", b" ") for line in lines]
    written(folder, b"".join(line + b"\n" for line in whole))
    page = Records(str(folder)).page("made", EVERYTHING, limit=100)
    assert [row.line for row in page.rows] == whole
