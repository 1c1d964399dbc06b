"""The reader: every line of a log becomes a record or a reported piece, whatever happened to the log."""

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.sessions.reader import Entry, LogReader, Skipped, read_log

STARTED = {"event_type": "session_started", "data": {"format": 1}}


def spelled(seq: int, **fields: object) -> bytes:
    """One line of a log."""
    head = {"seq": seq, "ts": f"2026-01-02T03:04:05.{seq:06d}Z", "session_id": "s"}
    return json.dumps({**head, "stream": "stdout", **fields}).encode() + b"\n"


def write(folder: Path, *lines: bytes) -> str:
    """Write a log and return its path."""
    path = folder / "s.jsonl"
    path.write_bytes(b"".join(lines))
    return str(path)


def kinds(path: str) -> list[object]:
    """Each item as its `seq`, or the reason for which it was skipped."""
    return [item.record.seq if isinstance(item, Entry) else item.reason for item in read_log(path)]


def test_places_cover_the_file(tmp_path: Path) -> None:
    """Records and skipped pieces together cover the file: nothing is passed over in silence."""
    path = write(tmp_path, spelled(0), b"foreign\n", b"\n", spelled(1, raw="x"), b'{"seq":2')
    places = [(item.offset, item.end) for item in read_log(path)]
    assert [start for start, _ in places] == [0, *(end for _, end in places[:-1])]
    assert places[-1][1] == os.path.getsize(path)
    assert kinds(path) == [0, "foreign", "foreign", 1, "torn"]


@pytest.mark.parametrize(
    "message",
    ['{"a": "\\ud800"}', '{"n":' + "9" * 4000 + "}", '{"x": 1e999}', '"\u2028\u2029"', "{}", "null", "[[1]]"],
)
def test_message_comes_byte_for_byte(tmp_path: Path, message: str) -> None:
    """A message is given as it was recorded, also where decoding and encoding again would change it."""
    line = spelled(0, message=1).replace(b'"message": 1', b'"message":' + message.encode())
    (item,) = read_log(write(tmp_path, line))
    assert isinstance(item, Entry)
    assert bytes(item.record.message) == message.encode()
    assert item.record.value() == json.loads(message)


def test_message_beside_errors_with_lone_surrogates(tmp_path: Path) -> None:
    """A lone surrogate in another field than the message does not cost the record."""
    line = spelled(0, message={"a": "\ud800"}, errors=[{"path": "/\ud800", "message": "m", "keyword": "k"}])
    (item,) = read_log(write(tmp_path, line))
    assert isinstance(item, Entry)
    assert item.record.value() == {"a": "\ud800"}


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        ({"raw": "plain"}, b"plain"),
        ({"raw_base64": "/w=="}, b"\xff"),
        ({"message": 1, "eol": "\r\n"}, b"1\r"),
        ({"message": 1, "bom": True}, b"\xef\xbb\xbf1"),
    ],
)
def test_line_is_given_back(tmp_path: Path, fields: dict[str, object], line: bytes) -> None:
    """The line that passed can be had back from whatever form it is recorded in."""
    (item,) = read_log(write(tmp_path, spelled(0, **fields)))
    assert isinstance(item, Entry)
    assert item.record.line() == line


@given(st.lists(st.binary(max_size=40), max_size=8), st.integers(0, 300))
def test_any_bytes_are_read_without_an_exception(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[bytes], cut: int
) -> None:
    """Whatever a file holds and wherever it is cut, reading it raises nothing and covers it."""
    content = b"".join(spelled(i) + piece for i, piece in enumerate(pieces))[: cut or None]
    path = write(tmp_path_factory.mktemp("log"), content)
    items = list(read_log(path))
    assert sum(item.end - item.offset for item in items) == len(content)


def test_lines_longer_than_a_read(tmp_path: Path) -> None:
    """A record much longer than one read, and the records around it, come out whole."""
    path = write(tmp_path, spelled(0), spelled(1, raw="x" * 1_000_000), spelled(2))
    assert kinds(path) == [0, 1, 2]


def test_future_format_is_reported_not_guessed(tmp_path: Path) -> None:
    """A log of a newer format is not read as if it were of this one, from whatever offset the reading begins."""
    first = spelled(0, stream="proxy", event={"event_type": "session_started", "data": {"format": 2}})
    path = write(tmp_path, first, spelled(1))
    assert kinds(path) == ["future", "future"]
    assert [type(item) for item in read_log(path, len(first))] == [Skipped]


def test_continues_where_it_stopped(tmp_path: Path) -> None:
    """A growing log is read piece by piece: a line is given once, when its newline is there."""
    path = write(tmp_path, spelled(0), spelled(1)[:10])
    with LogReader(path) as reader, Path(path).open("ab") as log:
        assert [item.offset for item in reader.read()] == [0]
        assert list(reader.read()) == []
        log.write(spelled(1)[10:])
        log.flush()
        assert [item.record.seq for item in reader.read() if isinstance(item, Entry)] == [1]
        assert reader.rest() is None
        with LogReader(path, reader.offset) as later:
            assert list(later.read()) == []


def test_max_bytes_bounds_a_step(tmp_path: Path) -> None:
    """A reader of a long log can be asked for a part at a time."""
    path = write(tmp_path, *(spelled(i, raw="x" * 1000) for i in range(1000)))
    with LogReader(path) as reader:
        first = list(reader.read(max_bytes=1))
        assert 0 < len(first) < 1000
        assert len(first) + len(list(reader.read())) == 1000


def test_stopping_in_the_middle_loses_nothing(tmp_path: Path) -> None:
    """A consumer that stops after one record goes on with the next."""
    path = write(tmp_path, spelled(0), spelled(1))
    with LogReader(path) as reader:
        next(iter(reader.read()))
        assert [item.record.seq for item in reader.read() if isinstance(item, Entry)] == [1]


def test_a_reader_knows_whether_its_file_is_the_log(tmp_path: Path) -> None:
    """A follower learns that its log was removed, begun anew, or cut shorter than what it has read."""
    path = write(tmp_path, spelled(0), spelled(1))
    with LogReader(path) as reader:
        list(reader.read())
        assert reader.is_current()
        os.truncate(path, 5)
        assert not reader.is_current()
        os.rename(path, path + ".old")
        assert not reader.is_current()
        Path(path).touch()
        assert not reader.is_current()
