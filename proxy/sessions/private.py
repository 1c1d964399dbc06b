"""Whose a data directory is, and what is in it: it must be the user's own, and nobody else may write there.

Who else could might plant a token, an index or the address of another server, or let us write where a link leads to.
So what is used of a data directory is looked at when it is opened, and links to files are not followed. (OpenSSH
asks the same of a user's files: ``StrictModes``.)

The relay imports this while the command boots: it needs nothing that ``os`` has not imported.
"""

import errno
import os
import stat


class NotPrivateError(PermissionError):
    """Somebody else has, or may have, a hand in a file or folder; ``strerror`` says how, and what to change."""

    def __init__(self, path: str, why: str) -> None:
        super().__init__(errno.EPERM, why, path)


def make_private_dir(path: str) -> None:
    """Make a folder that is the user's alone, and those above it that are missing, whatever the umask is.

    Raises:
        NotPrivateError: it is there, and not the user's own.
        OSError: it cannot be made.
    """
    try:
        _make_dir(path, 0o700)
    except FileExistsError:
        _check(path, os.stat(path))


def open_private(path: str, flags: int) -> int:
    """Open a file of a data directory and return its descriptor; one that is made is for the user alone.

    Raises:
        NotPrivateError: it is a link, or not the user's own.
        OSError: it cannot be opened.
    """
    try:
        fd = os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise NotPrivateError(path, "it is a link; put a file in its place") from None
        raise
    try:
        status = os.fstat(fd)
        _check(path, status)
        if flags & os.O_CREAT and status.st_mode & 0o600 != 0o600:  # the umask has taken it from the user
            os.fchmod(fd, 0o600)
    except BaseException:
        os.close(fd)
        raise
    return fd


def read_private(path: str) -> bytes:
    """Return what a small file of a data directory holds. Errors as by `open_private`."""
    with open(open_private(path, os.O_RDONLY), "rb") as file:
        return file.read()


def append_line(path: str, line: bytes) -> None:
    """Add a line, which has its newline, to a small file of a data directory. Errors as by `open_private`."""
    with open(open_private(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND), "ab", buffering=0) as file:
        file.write(line)


def replace_file(path: str, content: bytes, *, is_synced: bool = False) -> None:
    """Give a small file of a data directory another content: who reads it finds the former one or this one, whole.

    ``is_synced``: the new content outlives a failure of the machine too; most of what is kept so costs no more than
    work done again.

    Raises:
        NotPrivateError: what was left by an earlier attempt is a link, or not the user's own.
        OSError: it cannot be written; the former content stays.
    """
    fresh = f"{path}.partial"
    try:
        with open(open_private(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), "wb") as file:
            file.write(content)
            if is_synced:
                file.flush()
                os.fsync(file.fileno())
        os.replace(fresh, path)
        if is_synced:
            sync_folder(os.path.dirname(path))
    except OSError:
        try:  # noqa: SIM105 - contextlib takes long to import
            os.unlink(fresh)
        except OSError:
            pass
        raise


def sync_folder(path: str) -> None:
    """Have what a folder lists on the disk. OSError when that cannot be."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def check_data_dir(data_dir: str) -> None:
    """Look at a data directory and at everything that is directly in it; what is missing is no fault.

    Raises:
        NotPrivateError: something is not the user's own.
        OSError: it cannot be looked at.
    """
    try:
        _check(data_dir, os.stat(data_dir))
        paths = [os.path.join(data_dir, name) for name in os.listdir(data_dir)]
    except FileNotFoundError:
        return
    for path in paths:
        try:
            _check(path, os.lstat(path))
            if os.path.isdir(path):  # folders may be links, as to a larger disk
                _check(path, os.stat(path))
        except FileNotFoundError:
            continue  # removed just now


def _check(path: str, status: os.stat_result) -> None:
    if status.st_uid != os.geteuid():
        whose = f"it belongs to another user ({status.st_uid})"
        raise NotPrivateError(path, f"{whose}; use a data directory of your own")
    if stat.S_ISLNK(status.st_mode):
        return  # a link has no rights of its own
    if status.st_mode & stat.S_IWOTH:
        raise NotPrivateError(path, "others may write to it; `chmod go-w` it")
    # Many systems give each user a group of the same number, which may write what the user makes.
    if status.st_mode & stat.S_IWGRP and status.st_gid != status.st_uid:
        raise NotPrivateError(path, "its group may write to it; `chmod g-w` it")


def _make_dir(path: str, mode: int) -> None:
    """Make a folder, and those above it that are missing; no umask takes the user's own rights. OSError."""
    try:
        os.mkdir(path, mode)
    except FileNotFoundError:
        above = os.path.dirname(path)
        if above == path:
            raise
        _make_dir(above, 0o777)
        os.mkdir(path, mode)
    os.chmod(path, os.stat(path).st_mode & mode | 0o700)
