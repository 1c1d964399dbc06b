"""Unpacks a copy into an empty data directory.

Rules it lives by:

* Nothing of the archive is trusted: what it may hold is a closed list of names, all of them plain files; each is
  compared with the archive's own checksums before any of it gets its place.
* Everything is unpacked beside its place. The logs come into it by a single renaming: killed before, the directory is
  as empty as it was; killed after, it is all there. The index is made from the logs.
"""

import contextlib
import hashlib
import json
import os
import shutil
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any

from proxy.events.formatting import error_message
from proxy.sessions import catalogue
from proxy.sessions.identity import LATEST, LOG_SUFFIX, sessions_dir
from proxy.sessions.sealing import SEALS, seals_path
from proxy.store.embedded.database import remove_index
from proxy.upkeep.backup import MANIFEST, SUFFIXES, BackupError, read_to_end

_PIECE = 1 << 20  # bounds memory
_LARGEST_MANIFEST = 1 << 28  # far beyond the manifest of any data directory


@dataclass(frozen=True, slots=True)
class Restored:
    """What was restored."""

    sessions: int
    bytes: int


def restore(archive: str, data_dir: str) -> Restored:
    """Unpack a copy into a data directory without sessions. Its server must not run.

    Raises:
        BackupError: the archive is none of ours or damaged, the directory is not empty, or the disk is full; the
            directory is as it was.
    """
    beside = os.path.join(data_dir, ".restore.partial")
    try:
        if catalogue.list_logs(data_dir):
            raise BackupError(f"{data_dir} holds sessions already; give an empty directory with --data-dir")
        os.makedirs(data_dir, mode=0o700, exist_ok=True)
        shutil.rmtree(beside, ignore_errors=True)
        os.mkdir(beside, 0o700)
        os.mkdir(os.path.join(beside, "sessions"), 0o700)
        try:
            sums = _unpack(archive, beside)
            _link_newest(beside)
            os.sync()
            _put_in_place(beside, data_dir)
        finally:
            shutil.rmtree(beside, ignore_errors=True)
    except OSError as error:
        raise BackupError(f"nothing was restored: {error_message(error)}") from error
    logs = [
        size for name, (size, _) in sums.items() if name.startswith("sessions/") and name.endswith(LOG_SUFFIX)
    ]
    return Restored(len(logs), sum(logs))


def _unpack(archive: str, beside: str) -> dict[str, tuple[int, str]]:
    """Unpack and check everything; return sizes and checksums."""
    found: dict[str, tuple[int, str]] = {}
    manifest: dict[str, Any] | None = None
    try:
        with tarfile.open(archive, "r:gz") as members:
            for member in members:
                name = member.name
                if member.isdir() and name == "sessions":
                    continue
                if member.issym() and name == f"sessions/{LATEST}":
                    continue  # ours to make again
                content = members.extractfile(member) if _is_allowed(member) else None
                if content is None or name in found or (name == MANIFEST and manifest is not None):
                    raise BackupError(f"{archive} holds {name!r}, which no backup does")
                if name == MANIFEST:
                    manifest = _manifest(content)
                else:
                    found[name] = _copy(content, os.path.join(beside, name), member.mtime)
            read_to_end(members)
    except (tarfile.TarError, EOFError, zlib.error, ValueError, OverflowError) as error:
        raise BackupError(f"{archive} is no whole backup: {error}") from None
    if manifest is None:
        raise BackupError(f"{archive} is no whole backup: its list of files ({MANIFEST}) is missing")
    if found != manifest:
        wrong = sorted(name for name in {*found, *manifest} if found.get(name) != manifest.get(name))
        raise BackupError(f"{archive} is damaged: {wrong[0]!r} is not what the list of files says")
    return found


def _is_allowed(member: tarfile.TarInfo) -> bool:
    if not member.isreg() or member.issparse():
        return False
    if member.name in (MANIFEST, SEALS):
        return True
    folder, _, name = member.name.partition("/")
    ids = [name.removesuffix(suffix) for suffix in SUFFIXES if name.endswith(suffix)]
    return folder == "sessions" and name != LATEST and any(map(catalogue.is_session_id, ids))


def _manifest(content: IO[bytes]) -> dict[str, Any]:
    text = content.read(_LARGEST_MANIFEST + 1)
    if len(text) > _LARGEST_MANIFEST:
        raise ValueError("its list of files is too long")
    try:
        said = json.loads(text)
        if said["format"] != 1:
            raise BackupError("the backup is of another format; a newer claude-proxy can restore it")
        return {name: (about["bytes"], about["sha256"]) for name, about in said["files"].items()}
    except (TypeError, KeyError, AttributeError, RecursionError):
        raise ValueError("its list of files is none") from None


def _copy(content: IO[bytes], path: str, mtime: float) -> tuple[int, str]:
    sha256, size = hashlib.sha256(), 0
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with open(fd, "wb") as file:
        while piece := content.read(_PIECE):
            file.write(piece)
            sha256.update(piece)
            size += len(piece)
    os.utime(path, (mtime, mtime))
    return size, sha256.hexdigest()


def _link_newest(beside: str) -> None:
    if logs := catalogue.list_logs(beside):
        os.symlink(logs[0] + LOG_SUFFIX, os.path.join(sessions_dir(beside), LATEST))


@contextlib.contextmanager
def _seals_in_place(beside: str, data_dir: str) -> Iterator[None]:
    """Give the seals their place, before the logs have theirs; put back what was there if these do not get it.

    BackupError: there are others already.
    """
    path, fresh, before = seals_path(data_dir), os.path.join(beside, SEALS), os.path.join(beside, "before")
    there, restored = _content(path), _content(fresh)
    if there.startswith(restored):
        yield
        return
    if not restored.startswith(there):
        raise BackupError(f"{path} has the seals of other sessions; give an empty directory")
    with contextlib.suppress(FileNotFoundError):
        os.link(path, before)
    os.rename(fresh, path)
    try:
        yield
    except OSError:
        if os.path.exists(before):
            os.rename(before, path)
        else:
            os.unlink(path)
        raise


def _content(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return b""


def _put_in_place(beside: str, data_dir: str) -> None:
    remove_index(data_dir)  # of no sessions, as there are none
    with contextlib.suppress(FileNotFoundError):
        os.unlink(os.path.join(sessions_dir(data_dir), LATEST))  # a link to nothing
    with _seals_in_place(beside, data_dir):
        # Fails when a session has begun meanwhile: its folder is not empty.
        os.rename(sessions_dir(beside), sessions_dir(data_dir))
