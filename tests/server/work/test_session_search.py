"""What was said in all sessions: every one of them is looked through once, whatever happens to them meanwhile."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from proxy.api.search import FoundSession
from proxy.server.work.session_search import Place, look_through, merged, next_step, query_of
from proxy.store import pieces as pieces_module
from proxy.store.embedded import indexer
from proxy.store.embedded.store import EmbeddedStore
from tests.recorded import START_US, LogMaker
from tests.store.contract.engines import WAIT_S, Ear


class Folder:
    """A data directory with sessions, each a second later than the one before, and what is found in them."""

    def __init__(self, path: Path) -> None:
        self.sessions = path / "sessions"
        self.sessions.mkdir()
        self.store = EmbeddedStore(str(path))

    def add(self, number: int, *texts: str) -> LogMaker:
        """Record a session in which such prompts are said."""
        maker = LogMaker(f"s{number}", START_US + number * 1_000_000)
        prompts = [{"type": "user", "message": {"role": "user", "content": text}} for text in texts]
        (self.sessions / f"s{number}.jsonl").write_bytes(maker.started() + maker.lines("stdin", *prompts))
        return maker

    def settle(self) -> None:
        """Wait until all of it is in the store."""
        assert self.store.catch_up(WAIT_S)

    def step(
        self, place: Place | None, text: str = "needle"
    ) -> tuple[list[FoundSession], Place | None, int, bool]:
        """Take one step of a search."""
        query = query_of(text)
        step = next_step(self.store, query, place)
        found, is_read = look_through(step.parts, query)
        return found, step.place, step.searched, step.is_complete and is_read


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Folder]:
    """Such a folder, whose sessions are cut into pieces of ten lines."""
    monkeypatch.setattr(pieces_module, "PIECE_LINES", 10)
    folder = Folder(tmp_path)
    folder.store.start(Ear())
    yield folder
    folder.store.close()


def names(found: list[FoundSession]) -> list[str]:
    """Return which sessions were found."""
    return [one.session_id for one in found]


def test_every_session_is_looked_through_once(folder: Folder) -> None:
    """Short ones several at a time, a long one in pieces; what was found of one is put together."""
    for number in range(40):
        folder.add(number, *(["hay", "needle"] if number % 2 else ["hay"]))
    folder.add(40, *["needle in the hay"] * 400)
    folder.settle()
    found: list[FoundSession] = []
    place, searched, steps = None, 0, 0
    while True:
        more, place, count, is_complete = folder.step(place)
        assert is_complete
        found, searched, steps = merged(found, more), searched + count, steps + 1
        if place is None:
            break
    assert steps > 4
    assert searched == 41
    assert names(found) == ["s40", *(f"s{number}" for number in range(39, 0, -2))]
    assert [one.total for one in found[:2]] == [400, 1]
    assert [one.seq for one in found[0].records] == [1, 2, 3]
    assert found[0].records[0].snippet == "needle in the hay"


def test_what_begins_and_what_is_removed_meanwhile(folder: Folder) -> None:
    """Neither lets a search pass over a session, nor look through one twice."""
    for number in range(20):
        folder.add(number, "needle")
    folder.settle()
    first, place, _, _ = folder.step(None)
    assert names(first) == [f"s{number}" for number in range(19, 3, -1)]
    folder.add(20, "needle")
    for gone in (19, 10, 3):
        (folder.sessions / f"s{gone}.jsonl").unlink()
    folder.settle()
    assert place is not None
    more, place, _, _ = folder.step(place)
    assert names(more) == ["s2", "s1", "s0"]
    assert place is None


def test_what_cannot_be_read_is_said(folder: Folder) -> None:
    """A log that another has replaced since it was indexed makes the answer incomplete, and the others are given."""
    for number in range(3):
        folder.add(number, "needle")
    folder.settle()
    query = query_of("needle")
    step = next_step(folder.store, query, None)
    assert step.is_complete
    log = folder.sessions / "s1.jsonl"
    log.rename(folder.sessions / "away")
    log.write_bytes((folder.sessions / "away").read_bytes())
    found, is_read = look_through(step.parts, query)
    assert names(found) == ["s2", "s0"]
    assert not is_read


def test_what_is_not_indexed_yet_is_said(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was recorded after the index has looked is not found, and the answer says that there may be more."""
    maker = folder.add(0, "hay")
    folder.settle()
    monkeypatch.setattr(indexer.Indexer, "step", lambda *_, **__: [])
    with (folder.sessions / "s0.jsonl").open("ab") as log:
        log.write(maker.lines("stdin", {"type": "user", "message": {"content": "needle"}}))
    assert folder.step(None) == ([], None, 1, False)
