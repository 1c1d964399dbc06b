"""What is changed is found and named rightly, and what is lawful is no alarm."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.sessions import sealing
from proxy.sessions.record import StreamRecords, lifecycle
from proxy.sessions.sealing import SealedLog, seals_path
from proxy.sessions.writer import SessionLog
from proxy.upkeep.seals import Seal, newest_checkpoint, read_seals
from proxy.upkeep.verification import Verdict, examine, first_session_id, seal_log, verify
from tests.sessions.test_writer import files_end_at
from tests.tiers import examples

if TYPE_CHECKING:
    from collections.abc import Iterator

RECORDS = StreamRecords("s", "stdout")
LIES = b'{"type":"x","t":"\\"stream\\":\\"proxy\\"","forwarded":false,"redacted":["a"],"truncated":true}'
"""A message that says what records say."""


def begin(data_dir: Path) -> SealedLog:
    """Begin a sealed session."""
    return SealedLog(str(data_dir), "s", lifecycle("s", "session_started", {"format": 1, "seal": "on"}))


def fill(log: SessionLog, count: int) -> None:
    """Append records, one at a time."""
    for number in range(count):
        log.append([RECORDS.message(b'{"type":"x","n":%d}' % number, "valid")])


def finished(data_dir: Path, count: int = 12) -> Path:
    """Return the log of a sealed session that has ended, with a checkpoint each four records or so."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sealing, "_RECORDS", 4)
        log = begin(data_dir)
        fill(log, count)
        log.append_end({"exit_code": 0})
        log.close()
    return Path(log.path)


def here(data_dir: Path) -> list[Seal]:
    """Return the lines of ``seals.jsonl``."""
    path = Path(seals_path(str(data_dir)))
    return [seal for _, seal in read_seals(path.read_bytes()).lines] if path.exists() else []


def judged(path: Path, *, elsewhere: list[Seal] | None = None, alone: bool = False) -> Verdict:
    """Return the verdict on a log, by its seals (or ``alone``, by its checkpoints)."""
    return verify("s", str(path), [] if alone else here(path.parent.parent), elsewhere or [])


def live_heads(data_dir: Path) -> Iterator[Seal]:
    """Record a session, and yield its newest checkpoint from time to time."""
    log = begin(data_dir)
    for _ in range(3):
        fill(log, 1500)
        yield newest_checkpoint(log.path) or pytest.fail("there is no checkpoint")
    log.append_end({})
    log.close()


# -- what is as it was ---------------------------------------------------------------------------------------


def test_whole(tmp_path: Path) -> None:
    """A log that nobody has touched is whole, with its line of seals and by itself."""
    path = finished(tmp_path)
    last = len(path.read_bytes().splitlines()) - 1
    for verdict in (judged(path), judged(path, alone=True)):
        assert (verdict.integrity, verdict.record, verdict.anchored) == ("whole", last, "here only")
        assert verdict.completeness is not None
        assert verdict.completeness.has_end
        assert not verdict.is_alarm


def test_whole_as_far_as_it_goes(tmp_path: Path) -> None:
    """Of a session that runs, or whose wrapper died, what is before the newest checkpoint is known."""
    log = begin(tmp_path)
    log.append([])
    fill(log, 1500)
    assert judged(Path(log.path)).integrity == "whole_to 1001"
    log.close()
    with open(log.path, "ab") as file:
        file.write(b'{"seq":15')
    verdict = judged(Path(log.path))
    assert (verdict.integrity, verdict.is_alarm) == ("whole_to 1001", False)
    assert verdict.completeness is not None
    assert (verdict.completeness.torn_bytes, verdict.completeness.has_end) == (9, False)
    assert seal_log(str(tmp_path), "s", log.path)
    assert judged(Path(log.path)).integrity == "whole_to 1502"


def test_not_sealed(tmp_path: Path) -> None:
    """A log without seals is told apart from one that holds."""
    log = SessionLog(str(tmp_path), "s", lifecycle("s", "session_started", {"format": 1}))
    fill(log, 3)
    log.close()
    verdict = judged(Path(log.path))
    assert (verdict.integrity, verdict.record, verdict.is_alarm) == ("not sealed", None, False)


def test_an_ordinary_log_is_sealed_afterwards(tmp_path: Path) -> None:
    """Any log that is over can get its line, and is held to it from then on."""
    log = SessionLog(str(tmp_path), "s", lifecycle("s", "session_started", {"format": 1}))
    fill(log, 3)
    log.append_end({})
    log.close()
    path = Path(log.path)
    assert seal_log(str(tmp_path), first_session_id(log.path) or "", log.path)
    assert judged(path).integrity == "whole"
    path.write_bytes(path.read_bytes().replace(b'"n":1', b'"n":7'))
    assert judged(path).integrity == "changed at record 0"


# -- what is lawful ------------------------------------------------------------------------------------------


def test_a_log_that_was_deleted_under_its_writer(tmp_path: Path) -> None:
    """It is begun anew, which is whole, and says that something is missing; heads of the old one say nothing of it."""
    log = begin(tmp_path)
    fill(log, 1500)
    old = newest_checkpoint(log.path)
    assert old is not None
    os.unlink(log.path)
    log._look_ns = 0
    fill(log, 10)
    log.append_end({})
    log.close()
    verdict = judged(Path(log.path), elsewhere=[old])
    assert (verdict.integrity, verdict.anchored, verdict.is_alarm) == ("whole", "here only", False)
    assert verdict.completeness is not None
    assert (verdict.completeness.gaps, verdict.completeness.reasons) == (1, ["the log was deleted"])


def test_a_log_that_goes_when_it_has_ended_is_not_excused(tmp_path: Path) -> None:
    """Another log in the place of one that had ended is a changed one, also if it says that it was begun anew."""
    seal = here(finished(tmp_path / "a").parents[1])
    assert verify("s", None, seal).integrity == "missing"
    log = begin(tmp_path / "b")
    fill(log, 5)
    os.unlink(log.path)
    log._look_ns = 0
    log.append_end({})
    log.close()
    assert judged(Path(log.path), elsewhere=seal).is_alarm


def test_what_is_known_to_have_gone_is_not_missing() -> None:
    """Retention, and a copy in place of the log, are told; only what nobody knows of is missing."""
    seal = Seal("s", bytes=9, records=1, sha256="0", ended="x")
    assert verify("s", None, [seal]).is_alarm
    for after, said in (
        (Seal("s", removed_by="retention"), "removed by retention"),
        (Seal("s", copy="redacted", bytes=3, sha256="1"), "replaced by a redacted copy"),
    ):
        verdict = verify("s", None, [seal, after])
        assert (verdict.integrity, verdict.is_alarm) == (said, False)


def test_a_full_disk_is_a_gap_and_no_change(tmp_path: Path) -> None:
    """Integrity and completeness are two things."""
    log = begin(tmp_path)
    fill(log, 3)
    with files_end_at(os.stat(log.path).st_size + 50):
        fill(log, 7)
    fill(log, 3)
    log.append_end({})
    log.close()
    verdict = judged(Path(log.path))
    assert verdict.integrity == "whole"
    assert verdict.completeness is not None
    assert (verdict.completeness.gaps, verdict.completeness.lost_records) == (1, 7)
    assert verdict.completeness.reasons[0].startswith("EFBIG")


def test_counted_is_what_records_say_and_not_what_messages_say(tmp_path: Path) -> None:
    """Held back, redacted and truncated records are counted, whatever messages pretend."""
    log = begin(tmp_path)
    log.append(
        [
            RECORDS.message(LIES, "valid"),
            RECORDS.message(LIES, "invalid", held_back=True),
            RECORDS.message(LIES, "valid", redacted=["/t"]),
            RECORDS.text(b"half", "text", truncated=True),
            RECORDS.text(LIES, "text"),
            lifecycle("s", "not_recorded", {"why": "no_transcript"}),
            lifecycle("s", "not_recorded", {"why": "no_transcript", "over": True}),
        ]
    )
    log.close()
    lacks = examine(log.path).lacks
    assert (lacks.held_back, lacks.redacted, lacks.truncated) == (1, 1, 1)
    assert (lacks.gaps, lacks.reasons) == (1, ["no_transcript"])


# -- what is changed -----------------------------------------------------------------------------------------


@settings(max_examples=examples(150))
@given(st.data())
def test_any_change_is_found(data: st.DataObject) -> None:
    """A byte, a record that is gone, two that are swapped, one that is repeated: found, behind the last good record."""
    with tempfile.TemporaryDirectory() as folder:
        path = finished(Path(folder))
        lines = path.read_bytes().splitlines(keepends=True)
        number = data.draw(st.integers(0, len(lines) - 1))
        kind = data.draw(st.sampled_from(["byte", "removed", "swapped", "repeated", "added"]))
        match kind:
            case "byte":
                place = data.draw(st.integers(0, len(lines[number]) - 1))
                byte = data.draw(st.integers(0, 255).filter(lambda byte: byte != lines[number][place]))
                lines[number] = lines[number][:place] + bytes([byte]) + lines[number][place + 1 :]
            case "removed":
                del lines[number]
            case "swapped":
                other = data.draw(st.integers(0, len(lines) - 1).filter(lambda other: other != number))
                number, other = sorted([number, other])
                lines[number], lines[other] = lines[other], lines[number]
            case "repeated":
                lines.insert(number, lines[number])
            case _:
                lines.insert(number, b'{"seq":1,"ts":"","session_id":"s","stream":"proxy"}\n')
        path.write_bytes(b"".join(lines))
        verdict = judged(path)
        is_cut = kind == "removed" and number == len(lines)
        assert verdict.integrity.startswith("shorter" if is_cut else "changed at record ")
        assert verdict.record is None or verdict.record <= (number - 1 if kind != "repeated" else number)
        # By the checkpoints alone, what is before the last of them is found.
        last = max(place for place, line in enumerate(lines) if b'"checkpoint"' in line)
        if number < last - 1:
            assert judged(path, alone=True).integrity == verdict.integrity


@settings(max_examples=examples(60))
@given(st.data())
def test_any_cut_is_found_by_the_seal_alone(data: st.DataObject) -> None:
    """A log that lost its end is shorter than its seal; without one it looks like that of a wrapper that died."""
    with tempfile.TemporaryDirectory() as folder:
        path = finished(Path(folder))
        whole = path.read_bytes()
        path.write_bytes(whole[: data.draw(st.integers(0, len(whole) - 1))])
        assert judged(path).integrity == "shorter than its seal"
        assert judged(path, alone=True).integrity.startswith(("whole_to", "not sealed"))


def test_what_is_appended_is_found(tmp_path: Path) -> None:
    """Nothing follows on the end of a session."""
    path = finished(tmp_path)
    last = len(path.read_bytes().splitlines()) - 1
    for more in (b"{", b'{"seq":99}\n'):
        with path.open("ab") as file:
            file.write(more)
        verdict = judged(path)
        assert (verdict.integrity, verdict.record) == (f"changed at record {last}", last)


def test_a_log_that_was_made_to_fit(tmp_path: Path) -> None:
    """Who writes log and seals anew is found by heads that were sent elsewhere, and by nothing else."""
    heads = list(live_heads(tmp_path))
    path = tmp_path / "sessions" / "s.jsonl"
    (seal,) = here(tmp_path)
    assert judged(path, elsewhere=[*heads, seal]).anchored == "elsewhere"
    assert judged(path, elsewhere=heads).anchored == f"elsewhere to {heads[-1].records - 1}"
    forged = path.read_bytes().replace(b'"n":1400}', b'"n":1}')
    path.unlink()
    Path(seals_path(str(tmp_path))).unlink()
    log = SealedLog(str(tmp_path), "s", lifecycle("s", "session_started", {"format": 1, "seal": "on"}))
    log._clock.head = iter(  # type: ignore[method-assign]
        line.partition(b'"session_id"')[0] for line in forged.splitlines()
    ).__next__
    for line in forged.splitlines()[1:-1]:
        if b'"checkpoint"' not in line:
            log.append([(line.partition(b'Z",')[2] + b"\n",)])
    log.append_end({})
    log.close()
    assert not judged(path).is_alarm
    verdict = judged(path, elsewhere=heads)
    assert verdict.integrity == f"changed at record {heads[0].records - 1}"


def test_a_log_that_ended_and_is_cut_before_a_head(tmp_path: Path) -> None:
    """A head of a live session, kept elsewhere, finds a tail that is gone though nobody has sealed the log."""
    *_, head = live_heads(tmp_path)
    path = tmp_path / "sessions" / "s.jsonl"
    path.write_bytes(path.read_bytes()[: head.bytes - 1])
    assert judged(path, elsewhere=[head], alone=True).integrity == "shorter than its seal"


# -- the lines themselves ------------------------------------------------------------------------------------


@settings(max_examples=examples(60))
@given(st.data())
def test_a_changed_line_of_seals_is_found(data: st.DataObject) -> None:
    """A line that is changed, removed or moved is named; only what the last one says cannot be told by the lines."""
    with tempfile.TemporaryDirectory() as folder:
        for number in range(5):
            assert sealing.add_seal(folder, {"session_id": f"s{number}"})
        lines = Path(seals_path(folder)).read_bytes().splitlines(keepends=True)
        assert read_seals(b"".join(lines)).changed_at is None
        number = data.draw(st.integers(0, 3))
        if data.draw(st.booleans()):
            del lines[number]
        else:
            place = data.draw(st.integers(0, len(lines[number]) - 2))
            byte = data.draw(st.integers(32, 126).filter(lambda byte: byte != lines[number][place]))
            lines[number] = lines[number][:place] + bytes([byte]) + lines[number][place + 1 :]
        found = read_seals(b"".join(lines)).changed_at
        assert found is not None
        assert max(1, number) <= found <= number + 1


def test_a_line_whose_writer_was_killed_is_no_change(tmp_path: Path) -> None:
    """Half a line is passed over, with and without lines behind it."""
    path = Path(seals_path(str(tmp_path)))
    assert sealing.add_seal(str(tmp_path), {"session_id": "a"})
    with path.open("ab") as file:
        file.write(b'{"session_')
    assert read_seals(path.read_bytes()).changed_at is None
    assert sealing.add_seal(str(tmp_path), {"session_id": "b"})
    found = read_seals(path.read_bytes())
    assert (found.changed_at, [seal.session_id for _, seal in found.lines]) == (None, ["a", "b"])
    assert read_seals(path.read_bytes() + b"no line\n").changed_at == 4


def test_the_newest_checkpoint(tmp_path: Path) -> None:
    """What is sent of a live session is its newest checkpoint, and no message that looks like one."""
    log = begin(tmp_path)
    log.append([])
    first = newest_checkpoint(log.path)
    assert first is not None
    assert (first.records, first.ended) == (1, None)
    fake = json.dumps({"stream": "proxy", "event": {"event_type": "checkpoint", "data": {}}}).encode()
    for size in (0, 100_000):
        log.append([RECORDS.message(fake[:-1] + b',"pad":"%b"}' % (b"." * size), "valid")])
        assert newest_checkpoint(log.path) == first
    log.close()
