"""A data directory is used only where nobody but the user has a hand in it."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from proxy.sessions.private import (
    NotPrivateError,
    check_data_dir,
    make_private_dir,
    open_private,
    replace_file,
)
from tests.command_line import claude_proxy

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

USED = os.O_RDWR | os.O_CREAT


def mode(path: Path) -> int:
    """Return the rights of a file or folder."""
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def tight_umask() -> object:
    """The umask takes everything, from the user too."""
    before = os.umask(0o777)
    yield
    os.umask(before)


@pytest.mark.usefixtures("tight_umask")
def test_no_umask_takes_what_the_user_needs(tmp_path: Path) -> None:
    """Folders that are made can be used by the user, and by nobody else where that is asked for; files too."""
    make_private_dir(str(tmp_path / "above" / "data"))
    assert mode(tmp_path / "above") == mode(tmp_path / "above" / "data") == 0o700
    os.close(open_private(str(tmp_path / "file"), USED))
    assert mode(tmp_path / "file") == 0o600


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    """Nothing else is left in the folder; where it cannot be put in place, what was there stays."""
    path = tmp_path / "file"
    for content in (b"a longer first one", b"another"):
        replace_file(str(path), content)
        assert (path.read_bytes(), mode(path), os.listdir(tmp_path)) == (content, 0o600, ["file"])
    (tmp_path / "folder").mkdir()
    with pytest.raises(IsADirectoryError):
        replace_file(str(tmp_path / "folder"), b"")
    assert sorted(os.listdir(tmp_path)) == ["file", "folder"]


def test_folders_above_have_the_rights_that_the_umask_gives(tmp_path: Path) -> None:
    """Only the data directory itself is closed to others, not what it happens to be in."""
    before = os.umask(0o022)
    make_private_dir(str(tmp_path / "above" / "data"))
    os.umask(before)
    assert (mode(tmp_path / "above"), mode(tmp_path / "above" / "data")) == (0o755, 0o700)


def test_what_is_there_stays_as_it_is(tmp_path: Path) -> None:
    """A folder that others may read is the user's decision."""
    (tmp_path / "data").mkdir(mode=0o755)
    make_private_dir(str(tmp_path / "data"))
    assert mode(tmp_path / "data") == 0o755


@pytest.mark.parametrize(
    ("rights", "group", "said"),
    [
        (0o700, None, None),
        (0o755, None, None),
        (0o757, None, "others may write to it; `chmod go-w` it"),
        (0o775, None, "its group may write to it; `chmod g-w` it"),
        (0o775, os.geteuid(), None),
        (0o1777, None, "others may write to it"),
    ],
)
def test_rights_of_others(tmp_path: Path, rights: int, group: int | None, said: str | None) -> None:
    """Who else may read is the user's business; who else may write is told; a user's own group is the user."""
    place = tmp_path / "data"
    place.mkdir()
    if os.geteuid() == 0:
        os.chown(place, 0, 12345 if group is None else group)
    elif rights & 0o020:
        pytest.skip("another group is root's to give")
    place.chmod(rights)
    (place / "file").touch()
    (place / "file").chmod(rights & 0o666)
    if os.geteuid() == 0:
        os.chown(place / "file", 0, 12345 if group is None else group)
    asked: list[Callable[[], object]] = [
        lambda: make_private_dir(str(place)),
        lambda: check_data_dir(str(place)),
        lambda: os.close(open_private(str(place / "file"), os.O_RDONLY)),
    ]
    for ask in asked:
        if said is None:
            ask()
        else:
            with pytest.raises(NotPrivateError) as raised:
                ask()
            assert said in str(raised.value)


def test_another_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What belongs to another user is not used, whatever its rights."""
    (tmp_path / "file").touch(mode=0o600)
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    for ask in (
        lambda: make_private_dir(str(tmp_path)),
        lambda: check_data_dir(str(tmp_path)),
        lambda: open_private(str(tmp_path / "file"), USED),
    ):
        with pytest.raises(NotPrivateError, match="belongs to another user"):
            ask()


def test_links(tmp_path: Path) -> None:
    """A link in a file's place is not followed; a folder may be one, to a folder of the user's own."""
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    (tmp_path / "data").mkdir(mode=0o700)
    (tmp_path / "data" / "sessions").symlink_to("../elsewhere")
    (tmp_path / "data" / "server.log").symlink_to("../elsewhere/log")
    make_private_dir(str(tmp_path / "data" / "sessions"))
    check_data_dir(str(tmp_path / "data"))
    for flags in (USED, os.O_RDONLY):
        with pytest.raises(NotPrivateError, match="it is a link"):
            open_private(str(tmp_path / "data" / "server.log"), flags)
    assert not (tmp_path / "elsewhere" / "log").exists()
    (tmp_path / "elsewhere").chmod(0o777)
    with pytest.raises(NotPrivateError, match="others may write"):
        check_data_dir(str(tmp_path / "data"))


def test_what_is_missing_is_no_fault(tmp_path: Path) -> None:
    """A data directory that is yet to be made has nothing wrong with it."""
    check_data_dir(str(tmp_path / "nowhere"))


def wrapped(data_dir: Path, *options: str) -> subprocess.CompletedProcess[bytes]:
    """Run a command behind the wrapper, with a data directory."""
    command = [
        sys.executable,
        "-m",
        "proxy",
        "--server",
        "off",
        "--data-dir",
        str(data_dir),
        *options,
        "--",
        "cat",
    ]
    return subprocess.run(command, input=b'{"type":"x"}\n', capture_output=True, check=False, timeout=60)


@pytest.mark.parametrize("options", [(), ("--session-id", "mine")])
def test_a_wrapper_in_a_loose_data_directory_runs_unrecorded(
    tmp_path: Path, options: tuple[str, ...]
) -> None:
    """Nothing is written where others may write; the command runs undisturbed, and `status` and `serve` say why."""
    data_dir = tmp_path / "data"
    data_dir.mkdir()
    data_dir.chmod(0o777)
    ran = wrapped(data_dir, *options)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, b'{"type":"x"}\n', b"")
    assert list(data_dir.iterdir()) == []
    said = f"{data_dir}: others may write to it; `chmod go-w` it"
    assert claude_proxy("--data-dir", str(data_dir), "status").stdout.startswith(
        f"Nothing is recorded: {said}.\n"
    )
    served = claude_proxy("--data-dir", str(data_dir), "serve")
    assert (served.status, served.stderr) == (1, f"claude-proxy: the data directory cannot be used: {said}\n")
    made = claude_proxy("--data-dir", str(data_dir), "token", "create", "x")
    assert (made.status, made.stdout) == (1, "")
    data_dir.chmod(0o700)
    assert wrapped(data_dir, *options).returncode == 0
    assert len(list((data_dir / "sessions").glob("*.jsonl"))) == 2


@pytest.mark.usefixtures("tight_umask")
def test_a_wrapper_under_a_tight_umask_records(tmp_path: Path) -> None:
    """Its data directory, and what is in it, can be used by the user."""
    assert wrapped(tmp_path / "data").returncode == 0
    (log,) = (path for path in (tmp_path / "data" / "sessions").iterdir() if not path.is_symlink())
    assert (mode(tmp_path / "data"), mode(log.parent), mode(log)) == (0o700, 0o700, 0o600)
