"""Tells whether logs still are what was written, by their checkpoints and by seals; and, apart from it, what they lack.

Rules it lives by:

* A log is read once, and never changed. Each of its checkpoints, and each seal, is held against the bytes before it.
* What is lawful is no alarm: a log that grows, one whose wrapper died, one that was begun anew because it was deleted
  under its writer, one that retention removed, a redacted copy.
* Integrity and completeness are two things. A log can be just what was written, and lack what a full disk swallowed.
"""

from collections.abc import Collection, Sequence
from hashlib import sha256

import msgspec

from proxy.sessions.identity import START_BYTES
from proxy.sessions.reader import Record, parse
from proxy.sessions.record import may_be_lifecycle
from proxy.sessions.sealing import add_seal, first_timestamp
from proxy.upkeep.seals import Seal


class Completeness(msgspec.Struct):
    """What a log lacks, as it says itself."""

    has_end: bool = False
    gaps: int = 0
    """Times in which the log could not be written, or was deleted, or nothing could be recorded."""
    lost_records: int = 0
    reasons: list[str] = []
    held_back: int = 0
    redacted: int = 0
    """Records in which something was replaced."""
    truncated: int = 0
    torn_bytes: int = 0


class Verdict(msgspec.Struct):
    """What is found of one session."""

    session_id: str
    integrity: str
    """`whole`, `whole_to N`, `changed at record N`, `shorter than its seal`, `not sealed`; of a log that is gone
    `missing`, `removed by retention` or `replaced by a redacted copy`."""
    record: int | None = None
    """The last record that is known to be as it was written (``seq``); None: none is."""
    anchored: str = "here only"
    """Where else what the log should be is known: `elsewhere`, `signed`, or `here only`."""
    completeness: Completeness | None = None
    """None where there is no log."""
    copy: str | None = None
    """Which kind of copy it is."""
    signature: str | None = None
    """`by WHOM`, or `not valid`; None: there is none, or nobody asked."""

    @property
    def is_alarm(self) -> bool:
        """Whether somebody has to look."""
        return self.integrity.startswith(("changed", "shorter", "missing")) or self.signature == "not valid"


class Examined:
    """What one reading of a log finds."""

    def __init__(self) -> None:
        self.session_id = self.started = ""
        self.kind: str | None = None
        """`on` for a log that was begun as a sealed one, `copy` for a copy of one."""
        self.has_checkpoints = False
        self.size = self.records = 0
        self.digests: dict[int, str] = {}
        """SHA-256 of so many of the first bytes."""
        self.covered = 0
        """Records before the newest checkpoint, up to the first that does not hold."""
        self.is_changed = False
        self.ended: str | None = None
        self._end_at = -1
        self.may_be_anew = False
        """Whether a gap is told: of a log that was deleted under its writer, one is."""
        self.lacks = Completeness()
        self._first_seq = 0

    @property
    def is_covered_to_end(self) -> bool:
        """Whether the log ends with the session, and a checkpoint before that."""
        return self._end_at == self.records - 1 == self.covered + 1

    def seq(self, records: int) -> int | None:
        """Return the number of the last of so many first records; None: there is none."""
        return self._first_seq + records - 1 if records else None

    def take(self, line: bytes, digest: str) -> None:
        """Take a line that says something of the log; ``digest``: of what is before it."""
        record = parse(line[:-1])
        if isinstance(record, str):
            return
        if not self.session_id:
            self.session_id, self._first_seq = record.session_id, record.seq - self.records
        self.lacks.held_back += not record.forwarded
        self.lacks.redacted += bool(record.redacted)
        self.lacks.truncated += record.truncated
        if record.stream == "proxy" and record.event is not None:
            self._take_event(record, record.event.event_type, record.event.data, digest)

    def _take_event(self, record: Record, event_type: str, data: dict[str, object], digest: str) -> None:
        match event_type:
            case "checkpoint" if data:
                self._check(data, digest)
            case "session_started":
                self.kind = str(data.get("seal", ""))
            case "session_ended":
                self.ended, self.lacks.has_end = record.ts, True
                self._end_at = self.records
            case "recording_gap":
                self._gap(str(data.get("reason", "")))
                self.may_be_anew = True
                lost = data.get("lost_records")
                self.lacks.lost_records += lost if isinstance(lost, int) else 0
            case "not_recorded" if not data.get("over"):
                self._gap(str(data.get("why", "")))
            case _:
                pass

    def _check(self, data: dict[str, object], digest: str) -> None:
        self.has_checkpoints = True
        said = (data.get("bytes"), data.get("records"), data.get("sha256"))
        if said != (self.size, self.records, digest):
            self.is_changed = True
        elif not self.is_changed:
            self.covered = self.records

    def _gap(self, reason: str) -> None:
        self.lacks.gaps += 1
        if reason not in self.lacks.reasons:
            self.lacks.reasons.append(reason)


def examine(path: str, stops: Collection[int] = ()) -> Examined:
    """Read a log once, and its digests at the places ``stops`` and at its end. OSError when it cannot be read."""
    found, summed = Examined(), sha256()
    with open(path, "rb", buffering=1 << 20) as file:
        for line in file:
            if not line.endswith(b"\n"):
                found.lacks.torn_bytes = len(line)
                break
            # Records with nothing to say here end in the brace of their message and their own.
            if line[-3:-2] != b"}" or may_be_lifecycle(line) or not found.session_id:
                found.take(line, summed.hexdigest())
            if not found.records:
                found.started = first_timestamp(line[:START_BYTES])
            summed.update(line)
            found.size += len(line)
            found.records += 1
            if found.size in stops:
                found.digests[found.size] = summed.hexdigest()
    found.digests[found.size] = summed.hexdigest()
    return found


def verify(
    session_id: str,
    path: str | None,
    here: Sequence[Seal],
    elsewhere: Sequence[Seal] = (),
    signed: Sequence[Seal] = (),
) -> Verdict:
    """Tell what a session's log is by what is said of it in each place; ``path`` is None: the log is gone.

    OSError when the log is there and cannot be read.
    """
    seals = [*here, *elsewhere, *signed]
    if path is None:
        return Verdict(session_id, _became(seals))
    found = examine(path, {seal.bytes for seal in seals})
    verdict = Verdict(session_id, "", completeness=found.lacks)
    if any(seal.copy and _holds(seal, found) for seal in seals):
        verdict.integrity, verdict.record, verdict.copy = "whole", found.seq(found.records), "redacted"
        return verdict
    heads, kept = (
        [seal for seal in some if _is_about(seal, found)] for some in (here, (*elsewhere, *signed))
    )
    good = [
        (seal.records, place)
        for place, some in (("elsewhere", elsewhere), ("signed", signed))
        for seal in some
        if seal in kept and _holds(seal, found)
    ]
    if good:
        records, place = max(good)
        verdict.anchored = place if records == found.records else f"{place} to {found.seq(records)}"
    verdict.integrity, verdict.record = _judged(found, heads, kept)
    return verdict


def _judged(found: Examined, here: Sequence[Seal], kept: Sequence[Seal]) -> tuple[str, int | None]:
    """Return the integrity of a log, and the last record that is known to be good."""
    good = [seal for seal in (*here, *kept) if _holds(seal, found)]
    wrong = [seal for seal in (*here, *kept) if seal not in good]
    size = found.size + found.lacks.torn_bytes
    # A log that was made to fit its own seals: their word counts no more, nor that of its checkpoints.
    is_made_up = bool(wrong) and not any(seal in here for seal in wrong)
    covered = 0 if is_made_up else found.covered
    if not found.is_changed:
        begins = [seal for seal in (kept if is_made_up else (*here, *kept)) if _is_beginning(seal, found)]
        covered = max([covered, *(seal.records for seal in begins)])
    record = found.seq(covered)
    # What was merely cut has no end any more.
    is_cut = found.ended is None and all(seal.bytes > size and _is_same_file(seal, found) for seal in wrong)
    if found.is_changed or (wrong and not is_cut):
        return f"changed at record {record or 0}", record
    if wrong:
        return "shorter than its seal", record
    if not (found.has_checkpoints or found.kind == "on" or good):
        return "not sealed", None
    if any(seal.ended for seal in good) or (found.is_covered_to_end and not found.lacks.torn_bytes):
        return "whole", found.seq(found.records)
    return f"whole_to {record or 0}", record


def _is_about(seal: Seal, found: Examined) -> bool:
    """Whether a seal says what the log must be: not of one that was deleted before this one was begun in its place."""
    if seal.copy or seal.removed_by:
        return False
    return _is_same_file(seal, found) or seal.ended is not None or not found.may_be_anew


def _is_same_file(seal: Seal, found: Examined) -> bool:
    return not seal.started or not found.started or seal.started == found.started


def _is_beginning(seal: Seal, found: Examined) -> bool:
    """Whether a log begins as a seal says."""
    return found.digests.get(seal.bytes) == seal.sha256 and _is_same_file(seal, found)


def _holds(seal: Seal, found: Examined) -> bool:
    """Whether a log is as a seal says: of one that has ended, that nothing follows."""
    is_longer = found.size > seal.bytes or found.lacks.torn_bytes
    return _is_beginning(seal, found) and not (is_longer and (seal.ended or seal.copy))


def _became(seals: Sequence[Seal]) -> str:
    """Return what became of a log that is not there."""
    if removed := [seal.removed_by for seal in seals if seal.removed_by]:
        return f"removed by {removed[-1]}"
    return "replaced by a redacted copy" if any(seal.copy for seal in seals) else "missing"


def first_session_id(path: str) -> str | None:
    """Return whose log a file is, as its first record says. OSError when it cannot be read."""
    with open(path, "rb") as file:
        record = parse(file.readline().removesuffix(b"\n"))
    return None if isinstance(record, str) else record.session_id


def seal_log(data_dir: str, session_id: str, path: str) -> bool:
    """Add the line of a log that nobody writes any more to ``seals.jsonl``; return whether it is there.

    OSError when the log cannot be read.
    """
    found = examine(path)
    return add_seal(
        data_dir,
        {
            "session_id": session_id,
            "started": found.started,
            "bytes": found.size,
            "records": found.records,
            "sha256": found.digests[found.size],
            "ended": found.ended,
        },
    )
