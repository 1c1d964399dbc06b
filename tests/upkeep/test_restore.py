"""Restoring: the same answers as before, from archives that are whole and harmless, or nothing at all."""

import gzip
import io
import json
import os
import resource
import shutil
import tarfile
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from proxy.server.background import take_lock
from proxy.sessions import catalogue
from proxy.sessions.identity import new_session_id
from proxy.upkeep import restore as restore_module
from proxy.upkeep.backup import BackupError, make_backup
from proxy.upkeep.restore import restore
from tests.command_line import claude_proxy
from tests.faults import killed_between_lines
from tests.recorded import LogMaker, scenario
from tests.server.conftest import serving
from tests.store.embedded.test_indexer import content, fill, index

NAMES = ["simple", "subagent", "tool_deny", "interrupt"]


@pytest.fixture
def anyio_backend() -> str:
    """Run tests on asyncio, which aiohttp needs."""
    return "asyncio"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A data directory with sessions and an index."""
    fill(tmp_path / "source", NAMES)
    index(tmp_path / "source")
    return tmp_path / "source"


@pytest.fixture
def archive(source: Path) -> str:
    """A copy of it."""
    return make_backup(str(source), datetime(2026, 1, 2, tzinfo=UTC), keep=1).path


def packed(path: Path, members: list[tuple[tarfile.TarInfo, bytes]]) -> str:
    """Write an archive of one's own."""
    with tarfile.open(path, "w:gz") as archive:
        for member, data in members:
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return str(path)


def unpacked(archive: str) -> Iterator[tuple[tarfile.TarInfo, bytes]]:
    """Yield what is in an archive."""
    with tarfile.open(archive) as members:
        for member in members:
            file = members.extractfile(member) if member.isreg() else None
            yield member, file.read() if file else b""


def damaged(data: bytes, at: int) -> bytes:
    """Return an archive with one wrong byte."""
    return data[:at] + bytes([data[at] ^ 0x55]) + data[at + 1 :]


def unzipped(data: bytes) -> bytes | None:
    """Return what is in an archive, or nothing when it cannot be told."""
    try:
        return gzip.decompress(data)
    except (OSError, EOFError, zlib.error):
        return None


def is_untouched(data_dir: Path) -> bool:
    """Whether there is nothing in the directory: no log, no index, nothing half."""
    return not data_dir.exists() or os.listdir(data_dir) == []


@pytest.mark.anyio
async def test_all_answers_are_the_same(source: Path, archive: str, tmp_path: Path) -> None:
    """A server over what was restored answers every question as the server over the original did."""
    restore(archive, str(tmp_path / "target"))
    questions = ["/status", "/api/v1/monitoring/sessions"]
    questions += [f"/api/v1/monitoring/sessions/s{number}" for number in range(len(NAMES))]
    pages = "/api/v1/monitoring/events?limit=10000"
    questions += [pages, pages + "&offset=0", pages + "&event_types=tool_started,run_completed&order=desc"]
    questions += [f"{pages}&session_id=s{number}" for number in range(len(NAMES))]
    answers = []
    for data_dir in (source, tmp_path / "target"):
        async with serving(data_dir) as rig:
            answers.append({question: await rig.get(question) for question in questions})
            for answer in answers[-1].values():
                answer.pop("after", None)  # a place in this index
                for one in (answer, *answer.get("sessions", [])):
                    one.pop("log", None)  # a path, which is another one
            counts = await rig.get("/api/v1/monitoring/status")
            answers[-1]["counts"] = {name: counts[name] for name in ("total_sessions", "total_events")}
    assert answers[0] == answers[1]
    assert len(answers[0][pages]["events"]) > 50


def test_all_files_of_a_session_come_back(tmp_path: Path) -> None:
    """Regression: log, signature and firings of a session, by an id as sessions have it when nobody chooses one."""
    source, target, session_id = tmp_path / "source", tmp_path / "target", new_session_id()
    source.joinpath("sessions").mkdir(parents=True)
    log = scenario("simple", LogMaker(session_id))
    files = {f"{session_id}.jsonl": log, f"{session_id}.jsonl.sig": b"sig\n", f"{session_id}.rules": b"{}\n"}
    for name, data in files.items():
        source.joinpath("sessions", name).write_bytes(data)
    made = make_backup(str(source), datetime(2026, 1, 2, tzinfo=UTC), keep=1)
    assert restore(made.path, str(target)).sessions == 1
    assert {
        path.name: path.read_bytes()
        for path in target.joinpath("sessions").iterdir()
        if not path.is_symlink()
    } == files


def test_what_was_restored_is_for_its_owner_alone(archive: str, tmp_path: Path) -> None:
    """Modes are ours, whatever the archive and the umask say; times are those of the logs, which retention needs."""
    archive_ = packed(tmp_path / "loose.tar.gz", list(unpacked(archive)))
    before = os.umask(0)
    try:
        restore(archive_, str(tmp_path / "target"))
    finally:
        os.umask(before)
    for folder, _, names in os.walk(tmp_path / "target"):
        assert os.stat(folder).st_mode & 0o777 == 0o700
        for name in names:
            if not os.path.islink(os.path.join(folder, name)):
                assert os.stat(os.path.join(folder, name)).st_mode & 0o777 == 0o600
    assert (tmp_path / "target" / "sessions" / "s0.jsonl").stat().st_mtime == pytest.approx(
        (tmp_path / "source" / "sessions" / "s0.jsonl").stat().st_mtime
    )


def test_only_into_an_empty_directory(source: Path, archive: str) -> None:
    """What is there is never mixed with what was."""
    with pytest.raises(BackupError, match="holds sessions already"):
        restore(archive, str(source))
    assert len(catalogue.list_logs(str(source))) == len(NAMES)


def test_a_session_that_begins_meanwhile_is_not_touched(archive: str, tmp_path: Path) -> None:
    """A log that comes up while the copy is unpacked stays, and nothing is restored."""
    target = tmp_path / "target"
    link_newest = restore_module._link_newest

    def and_begin(beside: str) -> None:
        (target / "sessions").mkdir()
        (target / "sessions" / "new.jsonl").write_text("mine")
        link_newest(beside)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(restore_module, "_link_newest", and_begin)
        with pytest.raises(BackupError, match="nothing was restored"):
            restore(archive, str(target))
    assert [path.name for path in target.rglob("*.jsonl")] == ["new.jsonl"]


@pytest.mark.parametrize("before", [None, b"", b'{"session_id":"s0"}\n'])
def test_seals_are_put_back_where_nothing_was_restored(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: bytes | None
) -> None:
    """They get their place before the logs do; without these they would tell of sessions that are missing."""
    (source / "seals.jsonl").write_bytes(b'{"session_id":"s0"}\n{"session_id":"s1"}\n')
    archive = make_backup(str(source), datetime(2026, 1, 2, tzinfo=UTC), keep=1).path
    target = tmp_path / "target"
    target.mkdir(mode=0o700)
    seals = target / "seals.jsonl"
    if before is not None:
        seals.write_bytes(before)
    link_newest = restore_module._link_newest

    def and_begin(beside: str) -> None:
        (target / "sessions").mkdir()
        (target / "sessions" / "new.jsonl").write_text("mine")
        link_newest(beside)

    with monkeypatch.context() as patch:
        patch.setattr(restore_module, "_link_newest", and_begin)
        with pytest.raises(BackupError, match="nothing was restored"):
            restore(archive, str(target))
    assert (seals.read_bytes() if seals.exists() else None) == before
    shutil.rmtree(target / "sessions")
    restore(archive, str(target))
    assert seals.read_bytes() == (source / "seals.jsonl").read_bytes()


def _link(name: str, target: str, kind: bytes) -> tuple[tarfile.TarInfo, bytes]:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member, b""


HOSTILE: dict[str, tuple[tarfile.TarInfo, bytes]] = {
    "climbs": (tarfile.TarInfo("../evil.jsonl"), b"x"),
    "climbs within": (tarfile.TarInfo("sessions/../../evil.jsonl"), b"x"),
    "absolute": (tarfile.TarInfo("/tmp/evil.jsonl"), b"x"),
    "link": _link("sessions/a.jsonl", "/etc/passwd", tarfile.SYMTYPE),
    "link of the folder": _link("sessions", "/tmp", tarfile.SYMTYPE),
    "hard link": _link("sessions/a.jsonl", "/etc/passwd", tarfile.LNKTYPE),
    "device": _link("sessions/a.jsonl", "", tarfile.CHRTYPE),
    "pipe": _link("sessions/a.jsonl", "", tarfile.FIFOTYPE),
    "another file": (tarfile.TarInfo("server.lock"), b"x"),
    "tokens": (tarfile.TarInfo("tokens.json"), b"x"),
    "no log": (tarfile.TarInfo("sessions/.bashrc"), b"x"),
    "deeper": (tarfile.TarInfo("sessions/a/b.jsonl"), b"x"),
    "the link as a file": (tarfile.TarInfo("sessions/latest.jsonl"), b"x"),
    "twice": (tarfile.TarInfo("sessions/s0.jsonl"), b"x"),
    "index journal": (tarfile.TarInfo("index.sqlite3-wal"), b"x"),
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("first", [True, False])
def test_hostile_archives_are_refused(archive: str, tmp_path: Path, name: str, first: bool) -> None:
    """What no copy of ours holds is named, and nothing is written anywhere."""
    members = list(unpacked(archive))
    members.insert(0 if first else len(members), HOSTILE[name])
    bad = packed(tmp_path / "bad.tar.gz", members)
    with pytest.raises(BackupError, match="which no backup does"):
        restore(bad, str(tmp_path / "target"))
    assert is_untouched(tmp_path / "target")
    assert not list(tmp_path.glob("*evil*"))


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.9, 0.999])
def test_a_cut_archive_is_refused(archive: str, tmp_path: Path, share: float) -> None:
    """A copy whose end is missing is none."""
    data = Path(archive).read_bytes()
    (tmp_path / "cut.tar.gz").write_bytes(data[: int(len(data) * share)])
    with pytest.raises(BackupError, match="is no whole backup"):
        restore(str(tmp_path / "cut.tar.gz"), str(tmp_path / "target"))
    assert is_untouched(tmp_path / "target")


@pytest.mark.parametrize("place", range(0, 100, 7))
def test_a_damaged_archive_is_refused(archive: str, tmp_path: Path, place: int) -> None:
    """A single wrong byte anywhere in the content is found, but one by which the content is the same."""
    data = Path(archive).read_bytes()
    at = 10 + (len(data) - 30) * place // 100
    while unzipped(damaged(data, at)) == unzipped(
        data
    ):  # few are, at no certain places: the logs name folders
        at += 1
    (tmp_path / "bad.tar.gz").write_bytes(damaged(data, at))
    with pytest.raises(BackupError):
        restore(str(tmp_path / "bad.tar.gz"), str(tmp_path / "target"))
    assert is_untouched(tmp_path / "target")


@pytest.mark.parametrize("change", ["other content", "one missing", "one more", "no list", "foreign list"])
def test_the_list_of_files_is_held_against_the_files(archive: str, tmp_path: Path, change: str) -> None:
    """An archive that is well formed and not what its list says is refused."""
    members = list(unpacked(archive))
    names = [member.name for member, _ in members]
    at, listed = names.index("sessions/s0.jsonl"), names.index("backup.json")
    if change == "other content":
        members[at] = (members[at][0], members[at][1].replace(b"claude", b"clyde!"))
    elif change == "one missing":
        del members[at]
    elif change == "one more":
        members.insert(0, (tarfile.TarInfo("sessions/s77.jsonl"), b"x"))
    elif change == "no list":
        del members[listed]
    else:
        members[listed] = (members[listed][0], json.dumps({"format": 1, "files": [1, 2]}).encode())
    with pytest.raises(BackupError):
        restore(packed(tmp_path / "bad.tar.gz", members), str(tmp_path / "target"))
    assert is_untouched(tmp_path / "target")


@pytest.mark.parametrize("limit", [0, 1000, 30_000])
def test_a_full_disk_restores_nothing(archive: str, tmp_path: Path, limit: int) -> None:
    """Where it does not fit, the directory is as empty as before, and a sentence says so."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        with pytest.raises(BackupError, match="nothing was restored"):
            restore(archive, str(tmp_path / "target"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert is_untouched(tmp_path / "target")


@pytest.mark.parametrize("every", [85, pytest.param(5, marks=pytest.mark.slow)])
def test_killed_at_every_step(source: Path, archive: str, tmp_path: Path, every: int) -> None:
    """Whatever line it is killed at: all sessions are there or none, and restoring again gives all."""
    target = tmp_path / "target"
    logs = {path.name: path.read_bytes() for path in (source / "sessions").glob("s*.jsonl")}
    deaths, before = 0, content(source)
    for _ in killed_between_lines(lambda: restore(archive, str(target)), [restore_module], every=every):
        deaths += 1
        there = catalogue.list_logs(str(target))
        if there:
            assert {path.name: path.read_bytes() for path in target.glob("sessions/s*.jsonl")} == logs
        else:
            restore(archive, str(target))
        if deaths % 10 == 0 or there:
            index(target)
            assert content(target) == before
        shutil.rmtree(target)
    assert deaths > (20 if every == 5 else 1)
    index(target)
    assert content(target) == before
    assert not (target / ".restore.partial").exists()


def test_the_command_needs_a_stopped_server_and_an_empty_directory(archive: str, tmp_path: Path) -> None:
    """`restore` says what it did; or in a sentence, with status 1, why it did nothing."""
    target = tmp_path / "target"
    words = ["restore", archive, "--json", "--data-dir", str(target)]
    lock = take_lock(str(target))
    assert lock is not None
    ran = claude_proxy(*words)
    assert ran.status == 1
    assert "runs; stop it first" in ran.stderr
    os.close(lock)
    ran = claude_proxy(*words)
    assert ran.status == 0
    said: Any = json.loads(ran.stdout)
    assert said["sessions"] == len(NAMES)
    ran = claude_proxy(*words)
    assert ran.status == 1
    assert "holds sessions already" in ran.stderr


@pytest.mark.parametrize("exists", [True, False])
def test_what_could_not_be_restored_leaves_nothing(tmp_path: Path, exists: bool) -> None:
    """Regression: a failed `restore` left a folder with a lock in it; folders that were there stay."""
    (tmp_path / "bad").write_bytes(b"no archive")
    target = tmp_path / "there" / "target"
    if exists:
        target.parent.mkdir()
    ran = claude_proxy("restore", str(tmp_path / "bad"), "--data-dir", str(target))
    assert ran.status == 1
    assert "is no whole backup" in ran.stderr
    assert target.parent.exists() is exists
    assert not target.exists()
