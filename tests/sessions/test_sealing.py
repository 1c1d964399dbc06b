"""Sealed logs: every checkpoint is true, whatever the disk does and whoever changes the file under its writer."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.sessions import sealing
from proxy.sessions.beginning import log_class
from proxy.sessions.record import Alike, StreamRecords, lifecycle
from proxy.sessions.sealing import SealedLog, add_seal, seals_path
from proxy.sessions.writer import SessionLog
from tests.sessions.logs import read_log
from tests.sessions.test_writer import files_end_at
from tests.tiers import examples

if TYPE_CHECKING:
    from collections.abc import Sequence

RECORDS = StreamRecords("s", "stdout")
STEPS = ["one", "line", "alike", "several", "long", "full", "removed", "replaced", "stuck"]


def open_log(data_dir: Path, look_s: float = 0.0) -> SealedLog:
    """Return the log of a sealed session that has just started."""
    data = {"format": 1, "seal": "on"}
    return SealedLog(str(data_dir), "s", lifecycle("s", "session_started", data), look_s=look_s)


def events(path: Path) -> list[tuple[int, str, Any]]:
    """Return what is told in each lifecycle record: where it begins, its kind and data. Torn lines are passed over."""
    found, place = [], 0
    for line in path.read_bytes().splitlines(keepends=True):
        with contextlib.suppress(ValueError):
            if event := json.loads(line).get("event"):
                found.append((place, event["event_type"], event["data"]))
        place += len(line)
    return found


def checked(path: Path) -> int:
    """Hold each checkpoint of a log against the bytes before it; return how many there are."""
    whole = path.read_bytes()
    said = [(place, data) for place, kind, data in events(path) if kind == "checkpoint" and data]
    for place, data in said:
        digest = sha256(whole[:place]).hexdigest()
        assert data == {"bytes": place, "records": whole.count(b"\n", 0, place), "sha256": digest}
    return len(said)


def lines(data_dir: Path) -> list[dict[str, Any]]:
    """Return the lines of ``seals.jsonl``, each of which holds the hash of the one before."""
    raw = Path(seals_path(str(data_dir))).read_bytes().splitlines()
    found = [json.loads(line) for line in raw]
    assert [line["prev"] for line in found] == [None, *(sha256(line).hexdigest() for line in raw[:-1])][
        : len(raw)
    ]
    return found


def message(number: int, size: int = 0) -> bytes:
    """Return a message."""
    return b'{"type":"x","n":%d,"pad":"%b"}' % (number, b"." * size)


def do(log: SessionLog, step: str, number: int) -> None:
    """Do something to a log, or to its file."""
    path = Path(log.path)
    body = RECORDS.message(message(number), "valid")
    match step:
        case "one":
            log.append([body])
        case "line":
            log.append_line(RECORDS.valid, message(number) + b"\n")
        case "alike":
            alike = [message(number + more) for more in range(5)]
            log.append(Alike(RECORDS.valid, alike, sum(map(len, alike))))
        case "several":
            log.append([body, body, body])
        case "long":
            log.append([RECORDS.message(message(number, 300_000), "valid")])
        case "full":
            with files_end_at(path.stat().st_size + 100 if path.exists() else 0):
                log.append([body])
        case "stuck":  # nor can a part of a record be taken back
            with (
                pytest.MonkeyPatch.context() as patch,
                files_end_at(path.stat().st_size + 100 if path.exists() else 0),
            ):
                patch.setattr(os, "ftruncate", refuse)
                log.append([body])
        case "removed":
            path.unlink(missing_ok=True)
        case _:  # as by `sed -i` that changes nothing
            if path.exists():
                shutil.copyfile(path, f"{path}.new")
                os.rename(f"{path}.new", path)


def refuse(*_: object) -> None:
    """Fail as a disk does."""
    raise OSError(5, "Input/output error")


@settings(max_examples=examples(150))
@given(st.lists(st.sampled_from(STEPS), max_size=14), st.sampled_from([0.0, 1e9]))
def test_every_checkpoint_is_true(steps: Sequence[str], look_s: float) -> None:
    """Full disks, records in part, a log that is removed or replaced: what a checkpoint says is before it, is."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(sealing, "_RECORDS", 3)
        log = open_log(Path(folder), look_s)
        for number, step in enumerate(steps):
            do(log, step, number)
        assert log.append_end({"exit_code": 0})
        log.close()
        path = Path(log.path)
        assert checked(path) >= 1
        kinds = [kind for _, kind, _ in events(path)]
        assert kinds[-2:] in (["checkpoint", "session_ended"], ["checkpoint", "recording_gap"])
        (line,) = lines(Path(folder))
        whole = path.read_bytes()
        assert (line["bytes"], line["sha256"]) == (len(whole), sha256(whole).hexdigest())
        assert line["records"] == whole.count(b"\n")


def test_checkpoints_come_by_records_and_by_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkpoint follows the first record, each thousand, and the first append five seconds after the last one."""
    now = [100.0]
    monkeypatch.setattr(sealing, "time", SimpleNamespace(monotonic=lambda: now[0]))
    log = open_log(tmp_path)
    body = RECORDS.message(b'{"type":"x"}', "valid")
    for _ in range(2500):
        log.append([body])
    now[0] += 4.9
    log.append([body])
    now[0] += 0.1
    log.append([body])
    log.close()
    found = [
        record.data["records"]
        for record in read_log(Path(log.path)).records
        if record.event_type == "checkpoint"
    ]
    assert found == [1, 1002, 2003, 2505]


def test_numbers_are_as_without_seals(tmp_path: Path) -> None:
    """A caller that asks for a record's number gets that of its record, and not of a checkpoint."""
    log = open_log(tmp_path)
    numbers = [log.append_numbered([RECORDS.message(b'{"type":"x"}', "valid")]) for _ in range(1200)]
    records = read_log(Path(log.path)).records
    log.close()
    assert [records[number or 0].stream for number in numbers] == ["stdout"] * 1200


def test_a_checkpoint_never_costs_a_record(tmp_path: Path) -> None:
    """Where there is room for a record and not for a checkpoint, the record is there."""
    log = open_log(tmp_path)
    log._append([])
    path = Path(log.path)
    log._covered = 0  # a checkpoint is due
    body = RECORDS.message(b"1", "valid")
    room = 14 + len("2026-01-01T00:00:00.000000Z") + 6 + sum(map(len, body))
    with files_end_at(path.stat().st_size + room):
        assert log.append([body])
    log.close()
    assert read_log(path).records[-1].stream == "stdout"
    checked(path)


def test_taken_over(tmp_path: Path) -> None:
    """Whoever goes on with a log of a writer that died sums up what is there."""
    first = open_log(tmp_path)
    first.append([RECORDS.message(b'{"type":"x"}', "valid")])
    first.close()
    path, log = Path(first.path), open_log(tmp_path)
    last = read_log(path).records[-1]
    log.take_over(os.open(path, os.O_RDWR | os.O_APPEND), last.fields["seq"], 0)
    log.append([RECORDS.message(b'{"type":"y"}', "valid")])
    log.append_end({})
    log.close()
    assert checked(path) == 3
    assert lines(tmp_path)[0]["bytes"] == path.stat().st_size


def test_lines_are_chained(tmp_path: Path) -> None:
    """Each line of seals has the hash of the line before, also of one whose writer was killed in it."""
    assert add_seal(str(tmp_path), {"session_id": "a"})
    assert add_seal(str(tmp_path), {"session_id": "b"})
    lines(tmp_path)
    path = Path(seals_path(str(tmp_path)))
    with path.open("ab") as file:
        file.write(b'{"session_id":"to')
    assert add_seal(str(tmp_path), {"session_id": "c"})
    raw = path.read_bytes().splitlines()
    assert raw[2] == b'{"session_id":"to'
    assert json.loads(raw[3])["prev"] == sha256(raw[2]).hexdigest()


def test_a_full_disk_leaves_no_half_a_line(tmp_path: Path) -> None:
    """A line of seals is there whole or not at all, and that it is not is no failure of the session."""
    assert add_seal(str(tmp_path), {"session_id": "a"})
    path = Path(seals_path(str(tmp_path)))
    before = path.read_bytes()
    with files_end_at(len(before) + 10):
        assert not add_seal(str(tmp_path), {"session_id": "b"})
    assert path.read_bytes() == before
    assert path.stat().st_mode & 0o777 == 0o600


def test_off_is_the_ordinary_log() -> None:
    """Sessions that are not sealed have the log that they always had."""
    assert log_class("off") is log_class(None) is SessionLog
    assert log_class("on") is SealedLog


def test_a_session_without_seals_does_not_import_them() -> None:
    """What is off costs nothing: not even an import."""
    program = "import sys, proxy.relay.relay; print('proxy.sessions.sealing' in sys.modules, 'hashlib' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["False", "False"]


ORDINARY = """
import sys
from proxy.sessions.record import StreamRecords, lifecycle
from proxy.sessions.beginning import log_class
log = log_class("off")(sys.argv[1], "s", lifecycle("s", "session_started", {}), look_s=3600)
for _ in range(50):
    log.append_line(StreamRecords("s", "stdout").valid, b'{"type":"x"}\\n')
log.append_end({})
log.close()
"""


@pytest.mark.skipif(
    subprocess.run("strace -o /dev/null true", shell=True, check=False, capture_output=True).returncode != 0,
    reason="needs strace, and leave to use it",
)
def test_off_costs_no_system_call(tmp_path: Path) -> None:
    """Without seals a record is one write, the log is never read, and no other file is touched for it."""
    trace, data_dir = tmp_path / "trace", tmp_path / "data"
    command: list[str | Path] = ["strace", "-qq", "-o", trace, sys.executable, "-c", ORDINARY, data_dir]
    subprocess.run(command, check=True)
    opened, _, after = trace.read_text().partition('s.jsonl", O_RDWR')[2].partition("\n")
    fd = opened.rpartition("= ")[2]
    calls = [line.partition("(")[0] for line in after.splitlines() if re.match(rf"\w+\({fd}[,)]", line)]
    others = [call for call in calls if call not in ("flock", "newfstatat", "fstat", "statx")]
    assert others == ["write"] * 52 + ["close"]
    assert os.listdir(data_dir) == ["sessions"]
