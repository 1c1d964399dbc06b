"""Texts in the records of sessions: a bounded time for each question, and nothing is looked through twice."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from proxy.server.work.pool import Pool
from proxy.server.work.record_search import RecordSearches
from proxy.store import pieces as pieces_module
from proxy.store.embedded.store import EmbeddedStore
from proxy.store.records import Part, RecordPage, RecordQuery
from tests.recorded import LogMaker
from tests.store.contract.engines import WAIT_S, Ear

pytestmark = pytest.mark.anyio


class Asking:
    """A store with one session, and searches in it."""

    def __init__(self, folder: Path) -> None:
        self.log = folder / "sessions" / "made.jsonl"
        self.log.parent.mkdir()
        self.maker = LogMaker()
        lines = self.maker.lines("stdout", *[{"type": "a"}] * 2000, {"type": "needle"})
        self.log.write_bytes(self.maker.started() + lines)
        self.store = EmbeddedStore(str(folder))
        self.store.start(Ear())
        assert self.store.wait_filled(WAIT_S)
        self.asked = 0

    async def run(self, function: Any, *arguments: Any) -> Any:
        """Stand for the pool."""
        self.asked += 1
        return await asyncio.to_thread(function, *arguments)

    async def page(self, searches: RecordSearches, text: str) -> RecordPage:
        """Ask for what holds a text."""
        assert await asyncio.to_thread(self.store.catch_up, WAIT_S)
        pieces = await asyncio.to_thread(self.store.pieces, "made")
        return await searches.page("made", pieces, RecordQuery(text=text), Part(limit=10))


@pytest.fixture
async def asking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Asking]:
    """Such a store, whose sessions are cut small."""
    monkeypatch.setattr(pieces_module, "PIECE_LINES", 10)
    made = await asyncio.to_thread(Asking, tmp_path)
    monkeypatch.setattr(Pool, "run", lambda _, function, *arguments: made.run(function, *arguments))
    yield made
    await asyncio.to_thread(made.store.close)


async def test_a_long_search_comes_in_pieces(asking: Asking) -> None:
    """Without time for all of it, each question goes on where the last one stopped, and says that there is more."""
    searches = RecordSearches(Pool(1), budget_s=0)
    seen = [await asking.page(searches, "needle") for _ in range(20)]
    searched = [page.searched for page in seen]
    assert searched[0] < searched[1] < searched[-1] == 2002
    assert [page.is_complete for page in seen] == [count == 2002 for count in searched]
    assert [row.seq for row in seen[-1].rows] == [2001]
    assert seen[0].rows == []


async def test_what_was_looked_through_is_not_again(asking: Asking) -> None:
    """Asked again, what is new is looked through; another log in its place is looked through anew."""
    searches = RecordSearches(Pool(1))
    assert (await asking.page(searches, "needle")).total == 1
    before = asking.asked
    with asking.log.open("ab") as file:
        file.write(asking.maker.lines("stdout", {"type": "needle"}))
    assert (await asking.page(searches, "needle")).total == 2
    assert asking.asked == before + 1
    asking.log.with_suffix(".new").write_bytes(LogMaker().started())
    asking.log.with_suffix(".new").replace(asking.log)
    assert (await asking.page(searches, "needle")).total == 0
