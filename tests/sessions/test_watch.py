"""Changes of files are heard of, whatever is there when the watch begins."""

from __future__ import annotations

import ctypes
import os
import shutil
import threading
from typing import TYPE_CHECKING

import pytest

from proxy.sessions.watch import Watch

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BOUND_S = 20.0


@pytest.fixture
def watch() -> Iterator[Watch]:
    """A watch on nothing yet."""
    watch = Watch()
    yield watch
    watch.close()


def begin(watch: Watch, *paths: Path) -> None:
    """Watch these from now on."""
    watch.set_paths(map(str, paths))
    watch.wait(0.0)


@pytest.mark.linux("inotify names what has changed")
def test_a_file_that_changes_is_named(watch: Watch, tmp_path: Path) -> None:
    """Of a watched folder the names of its files that were written are told."""
    begin(watch, tmp_path)
    (tmp_path / "a").write_bytes(b"1")
    assert watch.wait(BOUND_S) == {"a"}
    assert watch.wait(0.0) == set()


@pytest.mark.linux("inotify names what has changed")
def test_a_single_file_is_watched_without_its_neighbours(watch: Watch, tmp_path: Path) -> None:
    """A watched file wakes when it grows, and not when another one does."""
    (tmp_path / "a").touch()
    begin(watch, tmp_path / "a")
    (tmp_path / "b").write_bytes(b"1")
    assert watch.wait(0.0) == set()
    (tmp_path / "a").write_bytes(b"1")
    assert watch.wait(BOUND_S) == {"a"}


@pytest.mark.linux("inotify names what has changed")
def test_what_is_missing_is_watched_as_soon_as_it_is_there(watch: Watch, tmp_path: Path) -> None:
    """Folders may be made one in the other after the watch began; what is in them already may be new as well."""
    begin(watch, tmp_path / "x" / "y")
    (tmp_path / "x" / "y").mkdir(parents=True)
    assert watch.wait(BOUND_S) is None
    (tmp_path / "x" / "y" / "a").touch()
    assert watch.wait(BOUND_S) == {"a"}


@pytest.mark.linux("inotify names what has changed")
def test_a_folder_above_is_watched_only_until_the_path_is_there(watch: Watch, tmp_path: Path) -> None:
    """What else happens in the folder in which a path was missing wakes nobody once the path is there."""
    begin(watch, tmp_path / "x" / "y")
    (tmp_path / "x" / "y").mkdir(parents=True)
    while watch.wait(0.0) != set():  # what is told of the making, and of the end of the watch above
        pass
    (tmp_path / "other").touch()
    (tmp_path / "x" / "other").touch()
    assert watch.wait(0.0) == set()


@pytest.mark.linux("inotify names what has changed")
def test_a_folder_that_is_removed_and_made_again_is_watched_again(watch: Watch, tmp_path: Path) -> None:
    """That a watched folder goes may change anything, and what comes in its place is watched."""
    folder = tmp_path / "x"
    folder.mkdir()
    begin(watch, folder)
    shutil.rmtree(folder)
    assert watch.wait(BOUND_S) is None
    folder.mkdir()
    while watch.wait(BOUND_S) is not None:
        pass
    (folder / "a").touch()
    assert watch.wait(BOUND_S) == {"a"}


@pytest.mark.linux("inotify names what has changed")
def test_what_is_watched_no_more_is_silent(watch: Watch, tmp_path: Path) -> None:
    """After the paths have changed only the new ones wake."""
    for name in ("x", "y"):
        (tmp_path / name).mkdir()
    begin(watch, tmp_path / "x", tmp_path / "y")
    begin(watch, tmp_path / "y")
    (tmp_path / "x" / "a").touch()
    (tmp_path / "y" / "b").touch()
    assert watch.wait(BOUND_S) == {"b"}


def test_a_change_before_the_watch_begins_is_not_missed(watch: Watch, tmp_path: Path) -> None:
    """Who looks, then watches, then waits, misses nothing that came between: the first wait says to look again."""
    watch.set_paths([str(tmp_path)])
    assert watch.wait(BOUND_S) is None


@pytest.mark.linux("inotify names what has changed")
def test_a_descriptor_and_a_call_end_the_wait(watch: Watch, tmp_path: Path) -> None:
    """A wait without a limit ends when a descriptor can be read, or another thread says so."""
    begin(watch, tmp_path)
    read, write = os.pipe()
    os.write(write, b".")
    assert watch.wait(None, also=read) == set()
    threading.Thread(target=watch.wake).start()
    assert watch.wait(None) == set()
    os.close(read)
    os.close(write)


@pytest.mark.parametrize("result", [None, -1])
def test_without_the_kernels_help_everything_may_have_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, result: int | None
) -> None:
    """Where inotify is missing (None) or its limit is reached (-1), a wait ends soon and says to look at all."""

    class Library:
        def __init__(self, *_: object, **__: object) -> None:
            if result is not None:
                self.inotify_init1 = lambda _flags: result

    monkeypatch.setattr(ctypes, "CDLL", Library)
    watch = Watch(str(tmp_path), blind_s=0.001)
    assert watch.wait(None) is None
    watch.close()


def test_without_the_kernels_help_a_library_names_what_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who follows many logs hears which have changed, and does not have to look at all of them each time."""
    monkeypatch.setattr("proxy.sessions.watch._has_inotify", lambda: False)
    watch = Watch(str(tmp_path), by_library=True)
    try:
        heard: set[str] = set()
        while "a" not in heard:  # it begins to listen a moment later; the test's own time is the bound
            (tmp_path / "a").write_bytes(b"1")
            heard |= watch.wait(0.05) or set()
        assert heard == {"a"}
        threading.Thread(target=watch.wake).start()
        while watch.wait(None) is not None:  # of what came before
            pass
    finally:
        watch.close()


@pytest.mark.linux("inotify names what has changed")
def test_what_was_moved_away_is_watched_where_it_was(watch: Watch, tmp_path: Path) -> None:
    """Another folder of the same name is the one that counts, whether it comes at once or later."""
    folder = tmp_path / "x"
    folder.mkdir()
    begin(watch, folder)
    folder.rename(tmp_path / "y")
    assert watch.wait(BOUND_S) is None
    folder.mkdir()
    assert watch.wait(BOUND_S) is None
    (folder / "a").touch()
    assert watch.wait(BOUND_S) == {"a"}


@pytest.mark.linux("inotify names what has changed")
def test_what_comes_together_is_told_together(tmp_path: Path) -> None:
    """Who lets things settle is told once of what was written in steps."""
    gate, began = threading.Event(), threading.Event()
    watch = Watch(settle_s=BOUND_S)
    begin(watch, tmp_path)

    def settle(seconds: float) -> None:
        assert seconds == BOUND_S
        began.set()
        gate.wait(BOUND_S)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("proxy.sessions.watch.time.sleep", settle)
        told: list[set[str] | None] = []
        waiter = threading.Thread(target=lambda: told.append(watch.wait(BOUND_S)))
        waiter.start()
        (tmp_path / "a").touch()
        assert began.wait(BOUND_S)
        (tmp_path / "b").touch()
        gate.set()
        waiter.join()
    assert told == [{"a", "b"}]
    watch.close()
