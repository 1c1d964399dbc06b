"""From the lines of one stream to the records of the log: what kind of stream it is, and the verdict on each line.

Pure: lines in, record bodies out. The judge is made on the first line that needs one, because its import costs
more than the start of a small command.
"""

from __future__ import annotations

from collections import defaultdict

from proxy.relay.framing import BEFORE_JSON, Batch, with_newline
from proxy.sessions.record import END, Alike, StreamRecords

TYPE_CHECKING = False  # `typing` takes long to import, and a session waits for its streams
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Literal

    from proxy.protocol import Judge, Judgement, Violation
    from proxy.redaction import Redactor
    from proxy.relay.framing import Hold, Line
    from proxy.sessions.record import Body

    Kind = Literal["undecided", "messages", "text"]
    Filter = Callable[[bytes], tuple[bool, Sequence[bytes]]]
    """Takes a line, as bytes that hold it as JSON; returns whether it is held back, and what is to follow it."""


_TAIL = 64  # white space at the end of a line, a few bytes, is shorter than this, or looked at more closely


class StreamRecorder:
    """Turns the lines of stdin or stdout into record bodies, and counts verdicts.

    A stream carries what the command line says (``declared``: messages, ``is_text``: text). Where that says nothing, it
    carries messages when its first line that is not blank is a JSON object with a ``type``, else text. Blank lines
    between messages, and before it is settled what the stream carries, are recorded without a verdict and not counted.
    """

    def __init__(
        self,
        session_id: str,
        stream: Literal["stdin", "stdout"],
        *,
        declared: bool,
        is_text: bool = False,
        judged: bool,
        redactor: Redactor,
        filter: Filter | None = None,  # noqa: A002 - the word for it
    ) -> None:
        """``is_text``: no line is a message, whatever it looks like. ``judged``: whether lines get verdicts.

        ``redactor``: keeps credentials out of the record. ``filter``: sees each line of a stream of messages, and may
        hold it back.
        """
        self.kind: Kind = "messages" if declared else "text" if is_text else "undecided"
        self.counts: defaultdict[str, int] = defaultdict(int)
        self._records = StreamRecords(session_id, stream)
        self._stream = stream
        self._judged = judged
        self._redactor = redactor
        self._judge: Judge | None = None
        self._filter = filter

    def prepare(self) -> None:
        """Get ready for the first message, if the stream is known to carry messages."""
        if self.kind == "messages" and self._judged:
            self._ready_judge().prepare()

    @property
    def hold(self) -> Hold:
        """Which unfinished lines must not pass: what is not recorded, and what may be held back when it is whole."""
        if self.kind != "messages":
            return "nothing"
        return "messages" if self._filter is None else "everything"

    def record(self, batch: Batch) -> None:
        """Make the records of the batch's complete lines, in order."""
        if self._filter is None or self.kind != "messages" or not self._filtered(batch, self._filter):
            self._record(batch)

    def _filtered(self, batch: Batch, look: Filter) -> bool:
        """Make the records of a batch with lines that are held back, or followed; return whether it has any."""
        rulings = [look(with_newline(line)) for line in batch.lines]
        if not any(is_held or frames for is_held, frames in rulings):
            return False
        records: list[Body] = []
        passing: list[bytes] = []
        for line, (is_held, frames) in zip(batch.lines, rulings, strict=True):
            one = Batch(with_newline(line).removesuffix(b"\n") + b"\n", [line])
            self._record(one)
            records += map(held_back, one.records) if is_held else one.records
            passing += [] if is_held else [one.data]
            batch.held_bytes += len(one.data) if is_held else 0
            batch.replies = [*batch.replies, *one.replies]
            batch.follow_ups = [*batch.follow_ups, *frames]
        batch.records, batch.data = records, b"".join(passing)
        return True

    def _record(self, batch: Batch) -> None:
        lines = batch.lines
        blank = self._decide(lines) if self.kind == "undecided" else 0
        if self.kind != "messages":
            self.counts["text"] += len(lines) - blank
            records = [self._records.text(line, None) for line in lines[:blank]]
            batch.records = records + [self._plain(line, "text") for line in lines[blank:]]
        elif not self._judged:
            self.counts["unjudged"] += sum(not _is_blank(line) for line in lines)
            batch.records = [self._plain(line, None) for line in lines]
        elif len(lines) > 1 and self._are_alike(lines, batch.data):
            self.counts["valid"] += len(lines)
            batch.records = Alike(self._records.valid, lines, len(batch.data))
        else:
            self._record_judged(batch, self._judge_lines(lines))

    def record_last(self, batch: Batch, line: bytes) -> None:
        """Make the record of the stream's last line, which has no newline. Whole JSON keeps its place as a message."""
        blank = self.kind == "undecided" and self._decide([line])
        if blank or (self.kind == "messages" and _is_blank(line)):
            batch.records = [self._records.text(line, None, truncated=True)]
        elif self.kind == "messages" and self._judged:
            batch.lines = [line]
            self._record_judged(batch, self._judge_lines([line]))
            record, *more = batch.records
            batch.records = [truncated(record), *more]
        else:
            batch.records = [self.beginning(line)]

    def record_unjudged(self, batch: Batch) -> None:
        """Make the records of lines that a fault of ours kept from being judged."""
        self.counts["unjudged"] += len(batch.lines)
        batch.records = [_text(self._records, self._redactor, line, None) for line in batch.lines]

    def beginning(self, line: bytes) -> Body:
        """Return the record body for the beginning of a line that is too long to be recorded whole."""
        verdict = "malformed" if self.kind == "messages" and self._judged else "text"
        self.counts[verdict] += 1
        return _text(self._records, self._redactor, line, verdict, truncated=True)

    def prefix(self, line: bytes) -> bytes | None:
        """Count a line, given with its newline, whose record is a prefix and the line as it is; return the prefix.

        The short way for the line that comes alone, as most do while somebody waits for them. None says nothing:
        `bodies` knows what to do.
        """
        if (
            self._judge is None
            or not self._judge.accepts(line)  # white space around JSON is no part of it
            or line[-2] == 13
            or self._redactor.may_change(line)
        ):
            return None
        self.counts["valid"] += 1
        return self._records.valid

    def own_words(self, line: bytes, action_id: str | None = None) -> Body:
        """Return the body for a message that claude-proxy itself puts into the stream; it is not counted."""
        clean, redacted = self._without_credentials(line)
        return self._records.message(clean, "valid", (), redacted, from_proxy=True, action_id=action_id)

    def _decide(self, lines: Sequence[Line]) -> int:
        """Settle what kind of stream this is by its first line that is not blank; return how many come before it."""
        for blank, line in enumerate(lines):
            if not _is_blank(line):
                self.kind = "messages" if _is_message(with_newline(line)) else "text"
                return blank
        return len(lines)

    def _ready_judge(self) -> Judge:
        if self._judge is None:
            from proxy import slim_msgspec  # noqa: PLC0415 - see the module's docstring

            slim_msgspec.load(in_session=True)
            from proxy.protocol import Judge  # noqa: PLC0415

            self._judge = Judge(self._stream)
        return self._judge

    def _judge_lines(self, lines: Sequence[Line]) -> list[Judgement]:
        judge = self._ready_judge()
        if len(lines) == 1:
            return [judge.judge(with_newline(lines[0]))]
        return judge.judge_lines(lines)  # type: ignore[arg-type] # a view comes by itself

    def _record_judged(self, batch: Batch, judgements: Sequence[Judgement]) -> None:
        """Make the records of lines of a stream of messages, each with its verdict."""
        if self._are_ordinary(batch.lines, judgements, batch.data):
            self.counts["valid"] += len(batch.lines)
            batch.records = Alike(self._records.valid, batch.lines, len(batch.data))
        else:
            batch.records = [self._body(*judged) for judged in zip(batch.lines, judgements, strict=True)]

    def _body(self, line: Line, judgement: Judgement, *, held_back: bool = False) -> Body:
        """Return the record body for one judged line."""
        verdict = judgement.verdict
        if verdict == "malformed" and _is_blank(line):
            return self._records.text(line, None)
        self.counts[verdict] += 1
        if not judgement.spliceable:  # not JSON, or such that a record which holds it could not be read
            return _text(self._records, self._redactor, line, verdict, judgement.errors, held_back=held_back)
        line, redacted = self._without_credentials(line)
        errors = (
            [_without_value(error, redacted) for error in judgement.errors] if redacted else judgement.errors
        )
        return self._records.message(line, verdict, errors, redacted, held_back=held_back)

    def _plain(self, line: Line, verdict: str | None) -> Body:
        """A line that is not judged: a message where it is a JSON object, else text."""
        if line[:1] == b"{" and bytes(line[-_TAIL:]).rstrip()[-1:] in (b"}", b""):
            from proxy.protocol import is_json_object  # noqa: PLC0415 - most lines of text never need it

            if is_json_object(with_newline(line)):
                line, redacted = self._without_credentials(line)
                return self._records.message(line, verdict, redacted=redacted)
        return _text(self._records, self._redactor, line, verdict)

    def _are_alike(self, lines: Sequence[Line], data: bytes) -> bool:
        """Whether all lines are valid and of one type, and their records hold them as they are."""
        return (
            self._judge is not None
            and self._judge.accepts_all(lines, data)  # type: ignore[arg-type] # a view comes by itself
            and not self._redactor.may_change(data)
        )

    def _are_ordinary(self, lines: Sequence[Line], judgements: Sequence[Judgement], data: bytes) -> bool:
        """Whether all lines are valid, and their records hold them as they are."""
        for line, judgement in zip(lines, judgements, strict=True):
            if judgement.verdict != "valid" or not _is_bare(line):
                return False
        return not self._redactor.may_change(data)

    def _without_credentials(self, line: Line) -> tuple[Line, Sequence[str]]:
        whole = with_newline(line)
        if not self._redactor.may_change(whole):
            return line, ()
        clean, pointers = self._redactor.message(whole)
        return (clean.removesuffix(b"\n"), pointers) if pointers else (line, ())


class TextRecorder:
    """Turns the lines of stderr into record bodies; they carry no verdict."""

    hold: Hold = "nothing"

    def __init__(self, session_id: str, redactor: Redactor) -> None:
        self.counts: defaultdict[str, int] = defaultdict(int)
        self._redactor = redactor
        self._records = StreamRecords(session_id, "stderr")

    def prepare(self) -> None:
        """Text needs nothing."""

    def prefix(self, line: bytes) -> None:
        """Text is never held as it is: it becomes a JSON string."""

    def record(self, batch: Batch) -> None:
        """Make the records of the batch's complete lines, in order."""
        self.counts["text"] += len(batch.lines)
        self.record_unjudged(batch)

    def record_last(self, batch: Batch, line: bytes) -> None:
        """Make the record of the stream's last line, which has no newline."""
        batch.records = [self.beginning(line)]

    def record_unjudged(self, batch: Batch) -> None:
        """Make the records without counting lines: also of those that a fault of ours kept from being recorded."""
        batch.records = [_text(self._records, self._redactor, line, None) for line in batch.lines]

    def beginning(self, line: bytes) -> Body:
        """Return the record body for the beginning of a line that is too long to be recorded whole."""
        self.counts["text"] += 1
        return _text(self._records, self._redactor, line, None, truncated=True)


Recorder = StreamRecorder | TextRecorder


def _text(
    records: StreamRecords,
    redactor: Redactor,
    line: Line,
    verdict: str | None,
    errors: Sequence[Violation] = (),
    *,
    truncated: bool = False,
    held_back: bool = False,
) -> Body:
    """Return the body for a line that is not JSON, without credentials."""
    whole = with_newline(line)
    redacted = False
    if redactor.may_change(whole) and (clean := redactor.text(whole)) != whole:
        line, redacted = clean.removesuffix(b"\n"), True
    return records.text(line, verdict, errors, truncated=truncated, held_back=held_back, redacted=redacted)


def _without_value(error: Violation, redacted: Sequence[str]) -> Violation:
    """Return the error without the sentence that may quote a credential."""
    if not any(pointer.startswith(error.path) for pointer in redacted):
        return error
    return type(error)(
        error.path,
        "The value, which is not shown as it may hold a credential, is not as it must be.",
        error.keyword,
    )


def _is_bare(line: Line) -> bool:
    """Whether a line of JSON has neither a carriage return at its end nor a byte order mark at its beginning."""
    return line[-1] != 13 and line[0] != 0xEF


def _is_blank(line: Line) -> bool:
    visible = with_newline(line).strip()
    if not visible or visible[0] < 128:  # nearly always: only streams that need `protocol` import it
        return not visible
    from proxy.protocol.grammar import is_blank  # noqa: PLC0415

    return is_blank(visible)


def _is_message(line: bytes) -> bool:
    if line.lstrip(BEFORE_JSON)[:1] != b"{":
        return False
    from proxy.protocol import is_message  # noqa: PLC0415 - only streams that look like messages pay for it

    return is_message(line)


def truncated(body: Body) -> Body:
    """Return the body with the mark of a line that had no newline."""
    return _marked(body, b',"truncated":true')


def held_back(body: Body) -> Body:
    """Return the body with the mark of a line that was not passed on."""
    return _marked(body, b',"forwarded":false')


def _marked(body: Body, mark: bytes) -> Body:
    *parts, suffix = body
    return *parts, bytes(suffix).removesuffix(END) + mark + END
