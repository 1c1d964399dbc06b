"""From the lines of one stream to the records of the log: what kind of stream it is, and the verdict on each line.

Pure: lines in, record bodies out. The judge is made on the first line that needs one, because its import costs
more than the start of a small command.
"""

from __future__ import annotations

from collections import Counter

from proxy.relay.framing import BEFORE_JSON
from proxy.sessions.record import END, Alike, StreamRecords

TYPE_CHECKING = False  # `typing` takes long to import, and a session waits for its streams
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Literal

    from proxy.protocol import Judge, Judgement, Violation
    from proxy.redaction import Redactor
    from proxy.sessions.record import Body

    Kind = Literal["undecided", "messages", "text"]


class StreamRecorder:
    """Turns the lines of stdin or stdout into record bodies, and counts verdicts.

    A stream carries messages when the command line says so (``declared``) or when its first line that is not
    blank is a JSON object with a ``type``; else it carries text. Blank lines between messages, and before it is settled
    what the stream carries, are recorded without a verdict and not counted.
    """

    def __init__(
        self,
        session_id: str,
        stream: Literal["stdin", "stdout"],
        *,
        declared: bool,
        judged: bool,
        redactor: Redactor,
    ) -> None:
        """``judged``: whether lines get verdicts; ``redactor``: keeps credentials out of the record."""
        self.kind: Kind = "messages" if declared else "undecided"
        self.counts: Counter[str] = Counter()
        self._records = StreamRecords(session_id, stream)
        self._stream = stream
        self._judged = judged
        self._redactor = redactor
        self._judge: Judge | None = None

    def bodies(self, lines: Sequence[bytes], data: bytes) -> Sequence[Body] | Alike:
        """Return the record bodies for complete lines (without newlines), in order; ``data`` is the read they end."""
        if lines[0][-1:] == b"\n":  # see `framing.Cut`
            return self._long(data)
        if self.kind == "undecided":
            return self._begin(lines, data)
        if self.kind == "text":
            self.counts["text"] += len(lines)
            return [self._plain(line, "text") for line in lines]
        if not self._judged:
            self.counts["unjudged"] += sum(not _is_blank(line) for line in lines)
            return [self._plain(line, None) for line in lines]
        if len(lines) > 1 and self._are_alike(lines, data):
            self.counts["valid"] += len(lines)
            return Alike(self._records.valid, lines, len(data))
        return self.judged(lines, self.judge(lines), data)

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

    def judged(
        self, lines: Sequence[bytes], judgements: Sequence[Judgement], data: bytes
    ) -> Sequence[Body] | Alike:
        """Return the record bodies for lines that `judge` has judged; ``data`` is the read they end."""
        if self._are_ordinary(lines, judgements, data):
            self.counts["valid"] += len(lines)
            return Alike(self._records.valid, lines, len(data))
        return [self.body(line, judgement) for line, judgement in zip(lines, judgements, strict=True)]

    def _long(self, data: bytes) -> Sequence[Body]:
        """Return the body for one long line with its newline: as `bodies` does, without a copy if it is valid."""
        self.decide([data])
        if self.kind == "messages" and self._judged:
            judgements = self.judge([data])  # white space around JSON is no part of it
            if data[-2] != 13 and self._are_ordinary([data], judgements, data):
                self.counts["valid"] += 1
                return [(self._records.valid, memoryview(data)[:-1], END)]
        return list(self.bodies([data[:-1]], data))

    def _begin(self, lines: Sequence[bytes], data: bytes) -> Sequence[Body]:
        """Return the record bodies for the first lines of a stream: blank ones do not tell yet what it carries."""
        self.decide(lines)
        blank = 0
        while blank < len(lines) and _is_blank(lines[blank]):
            blank += 1
        bodies = [self._records.text(line, None) for line in lines[:blank]]
        return bodies + list(self.bodies(lines[blank:], data)) if blank < len(lines) else bodies

    def judge(self, lines: Sequence[bytes]) -> list[Judgement]:
        """Return the verdict on each line of a stream of messages."""
        if self._judge is None:
            from proxy.protocol import Judge  # noqa: PLC0415 - see the module's docstring

            self._judge = Judge(self._stream)
        if len(lines) == 1:
            return [self._judge.judge(lines[0])]
        return self._judge.judge_lines(lines)

    def body(self, line: bytes, judgement: Judgement, *, held_back: bool = False) -> Body:
        """Return the record body for one judged line."""
        verdict = judgement.verdict
        if verdict == "malformed" and _is_blank(line):
            return self._records.text(line, None)
        self.counts[verdict] += 1
        if not judgement.spliceable:  # not JSON, or such that a record which holds it could not be read
            return self._text(line, verdict, judgement.errors, held_back=held_back)
        redacted: Sequence[str] = ()
        if self._redactor.may_change(line):
            line, redacted = self._redactor.message(line)
        errors = (
            [_without_value(error, redacted) for error in judgement.errors] if redacted else judgement.errors
        )
        return self._records.message(line, verdict, errors, redacted, held_back=held_back)

    def raw(self, lines: Sequence[bytes]) -> Sequence[Body]:
        """Return the bodies for lines that a fault of ours kept from being judged."""
        self.counts["unjudged"] += len(lines)
        return [self._text(line.removesuffix(b"\n"), None) for line in lines]

    def own_words(self, line: bytes) -> Body:
        """Return the body for a message that claude-proxy itself puts into the stream; it is not counted."""
        return self._records.message(line, "valid", from_proxy=True)

    def unfinished(self, line: bytes, *, cut: bool = False) -> Body:
        """Return the body for a line without a newline: the stream's last one, or the beginning of one too long.

        A last line that is whole JSON keeps its place as a message; ``cut`` says that it can not be.
        """
        verdict = "text"
        if not cut:
            self.decide([line])
            if self.kind != "text" and _is_blank(line):
                return self._records.text(line, None, truncated=True)
        if self.kind == "messages" and self._judged:
            if not cut:
                judgement = self.judge([line])[0]
                if judgement.verdict != "malformed":
                    return truncated(self.body(line, judgement))
            verdict = "malformed"
        self.counts[verdict] += 1
        return self._text(line, verdict, truncated=True)

    def decide(self, lines: Sequence[bytes]) -> None:
        """Settle what kind of stream this is by its first line that is not blank, if it is not settled yet."""
        if self.kind != "undecided":
            return
        for line in lines:
            if not _is_blank(line):
                self.kind = (
                    "messages" if line.lstrip(BEFORE_JSON)[:1] == b"{" and _is_message(line) else "text"
                )
                return

    def _plain(self, line: bytes, verdict: str | None) -> Body:
        """A line that is not judged: a message where it is a JSON object, else text."""
        if line[:1] == b"{" and line.rstrip()[-1:] == b"}":
            from proxy.protocol import is_json_object  # noqa: PLC0415

            if is_json_object(line):
                redacted: Sequence[str] = ()
                if self._redactor.may_change(line):
                    line, redacted = self._redactor.message(line)
                return self._records.message(line, verdict, redacted=redacted)
        return self._text(line, verdict)

    def _text(
        self,
        line: bytes,
        verdict: str | None,
        errors: Sequence[Violation] = (),
        *,
        truncated: bool = False,
        held_back: bool = False,
    ) -> Body:
        clean = self._redactor.text(line) if self._redactor.may_change(line) else line
        redacted = clean != line
        return self._records.text(
            clean, verdict, errors, truncated=truncated, held_back=held_back, redacted=redacted
        )

    def _are_alike(self, lines: Sequence[bytes], data: bytes) -> bool:
        """Whether all lines are valid and of one type, and their records hold them as they are."""
        return (
            self._judge is not None
            and self._judge.accepts_all(lines, data)
            and not self._redactor.may_change(data)
        )

    def _are_ordinary(self, lines: Sequence[bytes], judgements: Sequence[Judgement], data: bytes) -> bool:
        """Whether all lines are valid, and their records hold them as they are."""
        for line, judgement in zip(lines, judgements, strict=True):
            if judgement.verdict != "valid" or not _is_bare(line):
                return False
        return not self._redactor.may_change(data)


class TextRecorder:
    """Turns the lines of stderr into record bodies; they carry no verdict."""

    kind: Kind = "text"

    def __init__(self, session_id: str, redactor: Redactor) -> None:
        self._redactor = redactor
        self.counts: Counter[str] = Counter()
        self._records = StreamRecords(session_id, "stderr")

    def prefix(self, line: bytes) -> None:
        """Text is never held as it is: it becomes a JSON string."""

    def bodies(self, lines: Sequence[bytes], data: bytes) -> Sequence[Body]:
        """Return the record bodies for complete lines (without newlines), in order."""
        if lines[0][-1:] == b"\n":  # see `framing.Cut`
            lines = [data[:-1]]
        self.counts["text"] += len(lines)
        return [self._text(line) for line in lines]

    def raw(self, lines: Sequence[bytes]) -> Sequence[Body]:
        """Return the bodies for lines that a fault of ours kept from being recorded."""
        return [self._text(line.removesuffix(b"\n")) for line in lines]

    def unfinished(self, line: bytes, *, cut: bool = False) -> Body:
        """Return the body for a line without a newline."""
        self.counts["text"] += 1
        return self._text(line, truncated=True)

    def _text(self, line: bytes, *, truncated: bool = False) -> Body:
        clean = self._redactor.text(line) if self._redactor.may_change(line) else line
        return self._records.text(clean, None, truncated=truncated, redacted=clean != line)


Recorder = StreamRecorder | TextRecorder


def _without_value(error: Violation, redacted: Sequence[str]) -> Violation:
    """Return the error without the sentence that may quote a credential."""
    if not any(pointer.startswith(error.path) for pointer in redacted):
        return error
    return type(error)(
        error.path,
        "The value, which is not shown as it may hold a credential, is not as it must be.",
        error.keyword,
    )


def _is_bare(line: bytes) -> bool:
    """Whether a line of JSON has neither a carriage return at its end nor a byte order mark at its beginning."""
    return line[-1] != 13 and line[0] != 0xEF


def _is_blank(line: bytes) -> bool:
    visible = line.strip()
    if not visible or visible[0] < 128:  # nearly always: only streams that need `protocol` import it
        return not visible
    from proxy.protocol.grammar import is_blank  # noqa: PLC0415

    return is_blank(line)


def _is_message(line: bytes) -> bool:
    from proxy.protocol import is_message  # noqa: PLC0415 - only streams that look like messages pay for it

    return is_message(line)


def truncated(body: Body) -> Body:
    """Return the body with the mark of a line that had no newline."""
    prefix, text, suffix = body
    return prefix, text, suffix.removesuffix(END) + b',"truncated":true' + END
