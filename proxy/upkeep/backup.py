"""Makes copies of a data directory: its logs in one archive, which unpacked is a data directory again.

Rules it lives by:

* A copy is there whole and verified, or not at all: it is written beside its place, read back from the disk, compared
  with what was read from the logs, and only then given its name.
* No writer is disturbed. A log that is being written is copied up to its last whole line.
* Seals and signatures go with the logs. They are copied first, so that no log is missing of which there is a seal.
* The index is left out: it is a cache, and made again from the logs.
* A copy never takes the room that sessions need for being recorded, and old copies go only after a new one is there.
* Names are in the order of making, also after the clock was set back.
"""

import contextlib
import hashlib
import io
import json
import os
import re
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import IO

from proxy import __version__
from proxy.events.formatting import error_message
from proxy.sessions import catalogue, firings
from proxy.sessions.identity import LATEST, LOG_SUFFIX, SIGNATURE_SUFFIX, sessions_dir
from proxy.sessions.private import sync_folder
from proxy.sessions.sealing import seals_path
from proxy.store.space import free_bytes
from proxy.upkeep.alone import alone_in

MANIFEST = "backup.json"
SUFFIXES = (firings.SUFFIX, LOG_SUFFIX + SIGNATURE_SUFFIX, LOG_SUFFIX)
"""What the files of a session have behind its id, in the order in which they are copied."""
_NAME = re.compile(r"\d{8}T\d{6}Z\.tar\.gz", re.ASCII)
_FORM = "%Y%m%dT%H%M%SZ"
_PIECE = 1 << 20  # bounds memory


class BackupError(Exception):
    """A copy cannot be made or used; the sentence says why, and nothing has changed."""


class AnotherIsMadeError(BackupError):
    """A copy is being made by somebody else."""


@dataclass(frozen=True, slots=True)
class Backup:
    """A copy that was made."""

    path: str
    bytes: int
    sessions: int
    dropped: list[str]
    """Names of older copies that went for it."""


@dataclass(frozen=True, slots=True)
class Room:
    """What a long work asks again and again: whether there is room on the disk, and whether it is to stop."""

    folder: str
    min_free_bytes: int
    is_stopping: Callable[[], bool]

    def check(self) -> None:
        """Raise BackupError when the work must not go on."""
        if self.is_stopping():
            raise BackupError("the server stops")
        if (free := free_bytes(self.folder)) < self.min_free_bytes:
            raise BackupError(
                f"the disk of {self.folder} has {free} bytes free, and storage.min_free_space keeps"
                f" {self.min_free_bytes} for recording"
            )


def backups_dir(data_dir: str) -> str:
    """Return the folder that holds the copies."""
    return os.path.join(data_dir, "backups")


def list_backups(data_dir: str) -> list[str]:
    """Return the names of the copies that there are, oldest first. Never raises."""
    try:
        return sorted(name for name in os.listdir(backups_dir(data_dir)) if _NAME.fullmatch(name))
    except OSError:
        return []


def make_backup(
    data_dir: str,
    now: datetime,
    *,
    keep: int,
    min_free_bytes: int = 0,
    is_stopping: Callable[[], bool] = lambda: False,
) -> Backup:
    """Make and verify a copy, then drop the oldest ones until ``keep`` are left.

    Raises:
        BackupError: no copy was made; those that there were are untouched.
    """
    folder = backups_dir(data_dir)
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        with alone_in(folder, waits=False):
            _sweep(folder)
            room = Room(folder, min_free_bytes, is_stopping)
            path = os.path.join(folder, _next_name(data_dir, now))
            partial = os.path.join(folder, ".archive.partial")
            try:
                sessions = _write(data_dir, partial, room)
                os.rename(partial, path)
            finally:
                _sweep(folder)
            sync_folder(folder)
            dropped = _drop(data_dir, keep)
            return Backup(path, os.stat(path).st_size, sessions, dropped)
    except BlockingIOError:
        raise AnotherIsMadeError("another copy is being made just now") from None
    except (OSError, tarfile.TarError) as error:
        raise BackupError(f"no copy was made: {error_message(error)}") from error


def _sweep(folder: str) -> None:
    """Remove what an unfinished copy has left behind."""
    for name in os.listdir(folder):
        if name.startswith(".") and ".partial" in name:
            with contextlib.suppress(OSError):
                os.unlink(os.path.join(folder, name))


def _next_name(data_dir: str, now: datetime) -> str:
    """Return a name for this moment that comes behind every other."""
    timestamp = now.astimezone(UTC).replace(microsecond=0)
    if there := list_backups(data_dir):
        newest = datetime.strptime(there[-1].partition(".")[0], _FORM).replace(tzinfo=UTC)
        timestamp = max(timestamp, newest + timedelta(seconds=1))
    return timestamp.strftime(_FORM) + ".tar.gz"


def _drop(data_dir: str, keep: int) -> list[str]:
    dropped = []
    for name in list_backups(data_dir)[:-keep]:
        with contextlib.suppress(OSError):
            os.unlink(os.path.join(backups_dir(data_dir), name))
            dropped.append(name)
    return dropped


def _write(data_dir: str, partial: str, room: Room) -> int:
    """Write and verify the archive; return how many sessions it has."""
    room.check()
    logs = list(reversed(catalogue.list_logs(data_dir)))
    if not logs:  # a copy of nothing would, in the end, take the place of every copy of something
        raise BackupError(f"no copy was made: there are no sessions in {data_dir}")
    files: dict[str, tuple[int, str]] = {}
    fd = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with open(fd, "wb") as file:
        with tarfile.open(fileobj=file, mode="w:gz", compresslevel=3) as archive:
            archive.copybufsize = _PIECE  # type: ignore[attr-defined]
            paths = {os.path.basename(seals_path(data_dir)): seals_path(data_dir)}
            for session_id in logs:
                for suffix in SUFFIXES:
                    name = session_id + suffix
                    paths[f"sessions/{name}"] = os.path.join(sessions_dir(data_dir), name)
            for name, path in paths.items():
                # Few have all of it; or it has expired meanwhile.
                with contextlib.suppress(FileNotFoundError):
                    files[name] = _add(archive, name, path, room)
            _add_latest(archive, data_dir, files)
            _add_manifest(archive, files)
        file.flush()
        os.fsync(file.fileno())
        if hasattr(os, "posix_fadvise"):  # so that what follows reads what is on the disk
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    _verify(partial, files, room)
    return sum(name.startswith("sessions/") and name.endswith(LOG_SUFFIX) for name in files)


def _add(archive: tarfile.TarFile, name: str, path: str, room: Room) -> tuple[int, str]:
    """Add a file as far as it is whole; return its size and checksum."""
    with open(path, "rb") as file:
        # Before the size is asked: whoever has ended by then has written everything.
        running = catalogue.is_running(path)
        status = os.fstat(file.fileno())
        size = _whole_lines(file.fileno(), status.st_size) if running else status.st_size
        member = tarfile.TarInfo(name)
        member.size, member.mode, member.mtime = size, 0o600, status.st_mtime
        summing = _Summing(file, room)
        archive.addfile(member, summing)
        return size, summing.sha256.hexdigest()


def _whole_lines(fd: int, size: int) -> int:
    """Return where the last whole line of a file of that size ends."""
    end = size
    while end > 0:
        start = max(0, end - _PIECE)
        at = os.pread(fd, end - start, start).rfind(b"\n")
        if at >= 0:
            return start + at + 1
        end = start
    return 0


class _Summing:
    """A file whose bytes are summed up as they are read."""

    def __init__(self, file: IO[bytes], room: Room) -> None:
        self.sha256 = hashlib.sha256()
        self._file, self._room = file, room

    def read(self, size: int = -1) -> bytes:
        """Return exactly that many bytes. BackupError when the file has become shorter."""
        self._room.check()
        found = self._file.read(size)
        if len(found) < size:
            raise BackupError("a log became shorter while it was copied")
        self.sha256.update(found)
        return found


def _add_latest(archive: tarfile.TarFile, data_dir: str, files: dict[str, tuple[int, str]]) -> None:
    with contextlib.suppress(OSError):
        target = os.readlink(os.path.join(sessions_dir(data_dir), LATEST))
        if f"sessions/{target}" in files:
            link = tarfile.TarInfo(f"sessions/{LATEST}")
            link.type, link.linkname = tarfile.SYMTYPE, target
            archive.addfile(link)


def _add_manifest(archive: tarfile.TarFile, files: dict[str, tuple[int, str]]) -> None:
    manifest = {
        "format": 1,
        "version": __version__,
        "files": {name: {"bytes": size, "sha256": sha256} for name, (size, sha256) in files.items()},
    }
    content = json.dumps(manifest, indent=1).encode()
    member = tarfile.TarInfo(MANIFEST)
    member.size, member.mode = len(content), 0o600
    archive.addfile(member, io.BytesIO(content))


def _verify(path: str, files: dict[str, tuple[int, str]], room: Room) -> None:
    """Read the archive back and hold it against what went into it."""
    found: dict[str, tuple[int, str]] = {}
    with tarfile.open(path, "r:gz") as archive:
        for member in archive:
            if member.isreg() and (content := archive.extractfile(member)) is not None:
                sha256 = hashlib.sha256()
                while piece := content.read(_PIECE):
                    room.check()
                    sha256.update(piece)
                found[member.name] = (member.size, sha256.hexdigest())
        read_to_end(archive)
    del found[MANIFEST]
    if found != files:
        raise BackupError("what was read back is not what was written: the disk is not to be trusted")


def read_to_end(archive: tarfile.TarFile) -> None:
    """Read what is behind the last member: so that the checksum of the whole is looked at."""
    if archive.fileobj is not None:
        while archive.fileobj.read(_PIECE):
            pass
