"""What was taken out of the index is remembered, as exactly as somebody who was away needs it."""

import contextlib
import os
from pathlib import Path

import pytest

from proxy.store import removals
from proxy.store.database import connect, index_path
from proxy.store.indexer import Arrival, Indexer
from proxy.store.queries import Queries
from tests.store.test_index import fill, index, settle


def is_missing(
    folder: Path, after_id: int, session_id: str | None = None, *types: str, told: int = 0
) -> bool:
    """Ask as a stream does."""
    found = Queries(str(folder)).behind(
        after_id, 10, told=told, session_id=session_id, event_types=types or None
    )
    return found.missing.any


@pytest.fixture
def filled(tmp_path: Path) -> tuple[Path, list[Arrival]]:
    """Three sessions, the second of which was removed; and what came of all."""
    fill(tmp_path, ["simple", "tool_deny", "interrupt"])
    arrivals = index(tmp_path)
    (tmp_path / "sessions" / "s1.jsonl").unlink()
    index(tmp_path)
    return tmp_path, arrivals


def test_only_what_was_not_heard_is_missing(filled: tuple[Path, list[Arrival]]) -> None:
    """Behind the last removed event nothing is missing, before it something is: of each type, to the event."""
    folder, arrivals = filled
    gone = [one for one in arrivals if one.session_id == "s1"]
    for name in {one.event_type for one in arrivals}:
        last = max((one.id for one in gone if one.event_type == name), default=0)
        assert not is_missing(folder, last, None, name)
        assert is_missing(folder, last - 1, None, name) is (last > 0)
    assert is_missing(folder, gone[-1].id - 1)
    assert not is_missing(folder, gone[-1].id)
    assert not is_missing(folder, 0, None, "nobody.says.this")


def test_of_a_session_only_its_own_removal_counts(filled: tuple[Path, list[Arrival]]) -> None:
    """Who listens to a session hears nothing of the removal of others."""
    folder, arrivals = filled
    last = max(one.id for one in arrivals if one.session_id == "s1")
    assert is_missing(folder, 0, "s1")
    assert not is_missing(folder, last, "s1")
    assert not is_missing(folder, 0, "s0")
    assert not is_missing(folder, 0, "never-there")


def test_what_was_told_is_not_told_again(filled: tuple[Path, list[Arrival]]) -> None:
    """A removal that is known already is none; one more is."""
    folder, _ = filled
    known = Queries(str(folder)).behind(0, 10, told=0, session_id=None, event_types=None).missing.removal
    assert not is_missing(folder, 0, told=known)
    (folder / "sessions" / "s2.jsonl").unlink()
    index(folder)
    assert is_missing(folder, 0, told=known)


def test_numbers_are_not_used_again(filled: tuple[Path, list[Arrival]]) -> None:
    """The place of who has heard everything stays, also when the newest events are those that go."""
    folder, arrivals = filled
    (folder / "sessions" / "s2.jsonl").unlink()
    index(folder)
    assert Queries(str(folder)).place_of(None) == arrivals[-1].id
    assert not is_missing(folder, arrivals[-1].id)


def test_a_log_that_was_replaced_was_removed(tmp_path: Path) -> None:
    """Another log in the place of one takes its events out as well."""
    fill(tmp_path, ["simple", "tool_deny"])
    arrivals = index(tmp_path)
    path = tmp_path / "sessions" / "s0.jsonl"
    path.with_suffix(".new").write_bytes(path.read_bytes())
    path.with_suffix(".new").replace(path)
    os.truncate(path, path.read_bytes().index(b"\n") + 1)
    index(tmp_path)
    last = max(one.id for one in arrivals if one.session_id == "s0")
    assert is_missing(tmp_path, last - 1, "s0")
    assert not is_missing(tmp_path, last, "s0")


def test_of_very_many_removals_the_older_ones_are_put_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The table stays small; of the older ones only that is lost which session it was."""
    monkeypatch.setattr(removals, "_MOST_SESSIONS", 2)
    fill(tmp_path, ["simple"] * 8)
    arrivals = index(tmp_path)
    ends = {one.session_id: one.id for one in arrivals}
    indexer = Indexer(str(tmp_path))
    for number in range(1, 8):
        (tmp_path / "sessions" / f"s{number}.jsonl").unlink()
        settle(indexer)
    indexer.close()
    with contextlib.closing(connect(index_path(str(tmp_path)), read_only=True)) as connection:
        names = {name for (name,) in connection.execute("SELECT DISTINCT session FROM removed")}
    assert names == {"", "s5", "s6", "s7"}
    assert is_missing(tmp_path, ends["s7"] - 1)
    assert not is_missing(tmp_path, ends["s7"])
    assert is_missing(tmp_path, ends["s4"] - 1, "s1")  # it may have been: better told once too often
    assert not is_missing(tmp_path, ends["s4"], "s1")
    assert not is_missing(tmp_path, 0, "s0")
