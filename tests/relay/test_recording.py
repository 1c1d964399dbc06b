"""From lines to records: what kind of stream it is, and what is said about each line."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.redaction import Redactor
from proxy.relay.framing import Batch
from proxy.relay.recording import StreamRecorder, TextRecorder
from proxy.sessions.record import END, Alike, Clock
from tests.sessions.logs import Log, read_log_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from proxy.relay.framing import Line
    from proxy.relay.recording import Recorder
    from proxy.sessions.record import Bodies

KEEP_ALIVE = b'{"type":"keep_alive"}'
USER = b'{"type":"user","message":{"role":"user","content":"hi"},"parent_tool_use_id":null,"session_id":""}'
SECRET = b'{"type":"update_environment_variables","variables":{"TOKEN":"hunter2"}}'
JUDGED = [
    (KEEP_ALIVE, "valid"),
    (USER, "valid"),
    (b'{"type":"user"}', "invalid"),
    (b'{"type":7}', "invalid"),
    (b"[]", "invalid"),
    (b"7", "invalid"),
    (b'{"type":"novelty"}', "unknown"),
    (b"{", "malformed"),
    (b"plain", "malformed"),
    (b"\xff", "malformed"),
    (b'{"type":"keep_alive","x":"\xff"}', "malformed"),
    (b'{"type":"keep_alive","x":NaN}', "malformed"),
    (b'{"type":"keep_alive","x":"\0"}', "malformed"),
    (b'{"type":"keep_alive"}\r', "valid"),
    (b' {"type":"keep_alive"} ', "valid"),
    (b'{"type":"keep_alive","x":' + b"[" * 600 + b"]" * 600 + b"}", "invalid"),
    (b'{"type":"keep_alive","x":' + b"9" * 5000 + b"}", "invalid"),
]


def test_a_stream_of_text_has_no_messages() -> None:
    """A line that is one is recorded as the text that it is, and gets no other verdict."""
    made = StreamRecorder("s", "stdin", declared=False, is_text=True, judged=True, redactor=Redactor())
    batch = Batch(USER + b"\n" + b'{"type":7}\n', [USER, b'{"type":7}'])
    made.record(batch)
    assert (made.kind, dict(made.counts)) == ("text", {"text": 2})


def recorder(declared: bool = True, judged: bool = True, redact: str = "on") -> StreamRecorder:
    """Return a recorder of stdin."""
    return StreamRecorder("s", "stdin", declared=declared, judged=judged, redactor=Redactor(redact))


def recorded_in(recorder: Recorder, *lines: Line, data: bytes | None = None) -> Bodies:
    """Return the records of lines that came in one read."""
    batch = Batch(b"".join(bytes(line) + b"\n" for line in lines) if data is None else data, lines)
    recorder.record(batch)
    return batch.records


def last_of(recorder: Recorder, line: bytes) -> Bodies:
    """Return the record of a stream's last line, which has no newline."""
    batch = Batch(line)
    recorder.record_last(batch, line)
    assert batch.data == line
    return batch.records


def log_of(*recorded: Bodies) -> Log:
    """Return the log that holds these batches of bodies."""
    clock = Clock()
    content = b""
    for bodies in recorded:
        if isinstance(bodies, Alike):
            content += clock.records(bodies)
        else:
            heads = [clock.head() for _ in bodies]
            content += b"".join(b"".join((head, *body)) for head, body in zip(heads, bodies, strict=True))
    return read_log_bytes(content)


def recorded(recorder: Recorder, *lines: bytes) -> Log:
    """Return the log of lines that came in one read."""
    return log_of(recorded_in(recorder, *lines))


def verdicts(log: Log) -> list[str | None]:
    """Return the verdict of each record."""
    return [record.verdict for record in log.records]


@pytest.mark.parametrize(("line", "verdict"), JUDGED)
def test_each_line_gets_its_verdict_and_keeps_its_bytes(line: bytes, verdict: str) -> None:
    """Alone or among valid lines, a line is judged the same and recorded byte for byte."""
    alone = recorder()
    log = recorded(alone, line)
    assert verdicts(log) == [verdict]
    assert log.lines("stdin") == [line]
    assert alone.counts == {verdict: 1}
    among = recorded(recorder(), KEEP_ALIVE, line, KEEP_ALIVE)
    assert verdicts(among) == ["valid", verdict, "valid"]
    assert among.lines("stdin") == [KEEP_ALIVE, line, KEEP_ALIVE]
    assert ("errors" in log.records[0].fields) == (verdict in ("invalid", "malformed"))


def as_short_as_may_be(recorder: StreamRecorder, line: bytes) -> Any:
    """Return the body of a line that came alone."""
    prefix = recorder.prefix(line + b"\n")
    return [(prefix, line, END)] if prefix else recorded_in(recorder, line)


def test_an_ordinary_line_goes_the_short_way() -> None:
    """Once its kind has been seen, and unless its record needs more than the line as it is."""
    one = recorder()
    assert one.prefix(KEEP_ALIVE + b"\n") is None
    for line in (KEEP_ALIVE, USER, SECRET):
        recorded_in(one, line)
    found = {line: one.prefix(line + b"\n") for line in (USER, SECRET, USER + b"\r", b'{"type":"user"}')}
    assert [line for line, prefix in found.items() if prefix] == [USER]


@given(
    st.lists(st.sampled_from([line for line, _ in JUDGED] + [SECRET, b"", b"  "]), min_size=1, max_size=12)
)
def test_any_mixture_is_recorded_in_order(lines: list[bytes]) -> None:
    """Many lines in one read or one by one, by the short way or the long one: the same records, and all counted."""
    together, single, short = recorder(), recorder(), recorder()
    log = recorded(together, *lines)
    one_by_one = log_of(*[recorded_in(single, line) for line in lines])
    assert [(record.verdict, record.line) for record in log.records] == [
        (record.verdict, record.line) for record in one_by_one.records
    ]
    assert sum(together.counts.values()) == sum(bool(line.strip()) for line in lines)
    assert together.counts == single.counts
    shortest = log_of(*[as_short_as_may_be(short, line) for line in lines])
    assert [{**record.fields, "ts": ""} for record in shortest.records] == [
        {**record.fields, "ts": ""} for record in one_by_one.records
    ]
    assert short.counts == single.counts
    assert b"hunter2" not in b"".join(record.text for record in log.records)


@given(
    st.lists(st.binary(max_size=30).map(lambda line: line.replace(b"\n", b"")), min_size=1, max_size=8),
    st.booleans(),
    st.booleans(),
)
def test_any_lines_are_kept(lines: list[bytes], declared: bool, judged: bool) -> None:
    """Whatever a line is, and however the stream is looked at, the record gives it back."""
    log = recorded(recorder(declared=declared, judged=judged), *lines)
    assert log.lines("stdin") == lines


BLANK = [
    b"",
    b"  ",
    b"\t",
    b"\r",
    b"\v\f",
    b"\xc2\xa0",
    b"\xef\xbb\xbf\r",
    "\u1680\u2003\u2028\u3000 ".encode(),
]


@pytest.mark.parametrize("judged", [True, False])
@pytest.mark.parametrize("blank", BLANK)
def test_blank_lines_are_no_messages(blank: bytes, judged: bool) -> None:
    """Regression: what Claude Code passes over is on record, has no verdict, and is counted nowhere."""
    for lines in ([blank], [KEEP_ALIVE, blank, KEEP_ALIVE], [blank, blank], [blank, KEEP_ALIVE]):
        for declared in (True, False):
            one = recorder(declared=declared, judged=judged)
            log = recorded(one, *lines)
            assert log.lines("stdin") == lines
            for record, line in zip(log.records, lines, strict=True):
                assert record.line == line
                assert ("message" in record.fields) == (line != blank)
                assert record.verdict == ("valid" if judged and (line != blank) else None)
            assert sum(one.counts.values()) == lines.count(KEEP_ALIVE)
    last = recorder(judged=judged)
    record = log_of(last_of(last, blank)).records[0]
    assert (record.line, record.verdict, record.fields["truncated"]) == (blank, None, True)
    assert sum(last.counts.values()) == 0


@pytest.mark.parametrize("line", [b"\0", b"\x1c", b"\xc2\x85", b"\xef\xbb", b"x", b"\xff", b"\xe2\x80\x8b"])
def test_lines_that_only_look_blank(line: bytes) -> None:
    """What ends Claude Code with a syntax error is judged."""
    assert verdicts(recorded(recorder(), line)) == ["malformed"]


def test_blank_lines_of_text_are_text() -> None:
    """Between paragraphs of text they are lines like any other; before the first they tell nothing yet."""
    lines = [b"", b"one", b"", b"two"]
    together, single = recorder(declared=False), recorder(declared=False)
    log = recorded(together, *lines)
    assert verdicts(log) == [None, "text", "text", "text"]
    one_by_one = log_of(*[recorded_in(single, line) for line in lines])
    assert verdicts(one_by_one) == verdicts(log)
    assert together.counts == single.counts == {"text": 3}


@pytest.mark.parametrize(
    ("lines", "kind"),
    [
        ([KEEP_ALIVE], "messages"),
        ([b"", b"  ", KEEP_ALIVE], "messages"),
        ([b'  {"type":"novelty"}'], "messages"),
        ([b'{"type":7}'], "text"),
        ([b"{}"], "text"),
        ([b"[]"], "text"),
        ([b"text", KEEP_ALIVE], "text"),
        ([b"{", KEEP_ALIVE], "text"),
        ([b"", b"\r"], "undecided"),
        ([], "undecided"),
    ],
)
def test_the_first_line_decides(lines: Sequence[bytes], kind: str) -> None:
    """An undeclared stream carries messages when its first line that is not blank is one."""
    undecided = recorder(declared=False)
    recorded_in(undecided, *lines)
    assert undecided.kind == kind
    declared = recorder()
    recorded_in(declared, *lines)
    assert declared.kind == "messages"


def test_text_keeps_json_objects_as_messages() -> None:
    """Lines of text carry the verdict ``text``; those that are JSON objects can be read as such."""
    log = recorded(recorder(declared=False), b"text", b"{}", KEEP_ALIVE, b"[]", b"{", b'{"a":NaN}')
    assert verdicts(log) == ["text"] * 6
    assert ["message" in record.fields for record in log.records] == [False, True, True, False, False, False]


def test_without_judging_there_are_no_verdicts() -> None:
    """``--validation off`` records messages and other lines, and says nothing about them."""
    unjudged = recorder(judged=False)
    log = recorded(unjudged, b'{"type":"user"}', b"{")
    assert verdicts(log) == [None, None]
    assert ["message" in record.fields for record in log.records] == [True, False]


@pytest.mark.parametrize("count", [1, 2, 6])
@pytest.mark.parametrize(("declared", "judged"), [(True, True), (True, False), (False, True)])
def test_credentials_are_taken_out(count: int, declared: bool, judged: bool) -> None:
    """In few lines or many, judged or not, in streams of messages and of text: credentials are never recorded."""
    lines = [SECRET] * count if declared else [b"text", *[SECRET] * count]
    log = recorded(recorder(declared=declared, judged=judged), *lines)
    for record in log.records[-count:]:
        assert record.fields["message"]["variables"] == {"TOKEN": "[redacted]"}
        assert record.fields["redacted"] == ["/message/variables/TOKEN"]
    kept = recorded(recorder(declared=declared, judged=judged, redact="off"), *lines)
    assert kept.lines("stdin") == lines


@pytest.mark.parametrize("cut", [False, True])
def test_lines_without_a_newline_say_so(cut: bool) -> None:
    """The last line of a stream, and the beginning of one too long, are marked; whole messages stay messages."""

    def ended(recorder: StreamRecorder, line: bytes) -> Bodies:
        return [recorder.beginning(line)] if cut else last_of(recorder, line)

    log = log_of(ended(recorder(), KEEP_ALIVE), ended(recorder(), b'{"type":'))
    whole, begun = log.records
    assert whole.fields["truncated"] is begun.fields["truncated"] is True
    assert (whole.verdict, begun.verdict) == ("malformed" if cut else "valid", "malformed")
    assert ("message" in whole.fields) is not cut
    text = log_of(ended(recorder(declared=False), b"prompt")).records[0]
    assert (text.verdict, text.line) == ("text", b"prompt")


@pytest.mark.parametrize("end", [b"", b"\r"])
@pytest.mark.parametrize(
    "line",
    [
        KEEP_ALIVE[:-1] + b',"pad":"%b"}',
        SECRET[:-1] + b',"pad":"%b"}',
        b"plain %b",
        b'{"type":"user","x":"%b"}',
    ],
)
def test_long_lines_with_their_newline(line: bytes, end: bytes) -> None:
    """A long line that comes as the very bytes to pass on is recorded like the same line without its newline."""
    line = line % (b"." * 2_000_000) + end
    data = line + b"\n"
    for make in (
        recorder,
        lambda: recorder(declared=False),
        lambda: recorder(judged=False),
        lambda: TextRecorder("s", Redactor()),
    ):
        whole, bare = make(), make()
        log = log_of(recorded_in(whole, memoryview(data)[:-1], data=data))
        expected = log_of(recorded_in(bare, line))
        assert [record.fields for record in strip(log)] == [record.fields for record in strip(expected)]
        assert whole.counts == bare.counts


def strip(log: Log) -> list[Any]:
    """Return the records without what differs between any two."""
    for record in log.records:
        record.fields.pop("ts")
    return log.records


def test_stderr_is_text_without_verdict() -> None:
    """Lines of standard error are never judged."""
    errors = TextRecorder("s", Redactor())
    log = log_of(recorded_in(errors, KEEP_ALIVE, b"\xff"), last_of(errors, b"last"))
    assert verdicts(log) == [None] * 3
    assert log.lines("stderr") == [KEEP_ALIVE, b"\xff", b"last"]
    assert log.records[2].fields["truncated"] is True
    assert errors.counts == {"text": 3}


def test_own_words_are_marked_and_not_counted() -> None:
    """What the wrapper itself puts into a stream is no message of either side."""
    speaking = recorder()
    log = log_of([speaking.own_words(KEEP_ALIVE)])
    assert log.records[0].fields["origin"] == "claude-proxy"
    assert speaking.counts == {}


def test_errors_say_where_and_why() -> None:
    """An invalid message's record tells what is wrong, in the words of the judge."""
    log = recorded(
        recorder(), b'{"type":"user","message":{"role":"user","content":7},"parent_tool_use_id":null}'
    )
    for error in log.records[0].fields["errors"]:
        assert set(error) == {"path", "message", "keyword"}
        assert error["path"] == "" or error["path"].startswith("/")
    assert json.loads(log.records[0].text)["verdict"] == "invalid"


def test_a_credential_is_not_quoted_by_the_error_about_it() -> None:
    """What is kept out of a message is kept out of the sentence on why the message is invalid."""
    log = recorded(recorder(), b'{"type":"update_environment_variables","variables":{"TOKEN":31337}}')
    assert b"31337" not in log.records[0].text
    assert [error["path"] for error in log.records[0].fields["errors"]] == ["/variables/TOKEN"]
