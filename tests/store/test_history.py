"""What an analysis asks of the index: the same as counting through, however many events there are."""

from collections import Counter

import pytest

from proxy.events.timestamps import format_timestamp
from proxy.store import history as history_module
from proxy.store import ranks
from proxy.store.history import History
from proxy.store.queries import Queries
from tests.recorded import START_US
from tests.store.test_index import index

HOUR_US = 3_600_000_000
COUNT = 3 * ranks.CHUNK
STEP_US = 2_500_000  # some chunks lie within an hour, others across its end


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> History:
    """An index with some chunks of events of two types, of one session."""
    folder = tmp_path_factory.mktemp("history")
    (folder / "sessions").mkdir()
    lines = [
        f'{{"seq":{number},"ts":"{format_timestamp(START_US + number * (STEP_US if number < ranks.CHUNK else 1000))}",'
        f'"session_id":"a","stream":"api","event":{{"event_type":"{"odd" if number % 2 else "even"}","data":{{}}}}}}\n'
        for number in range(COUNT)
    ]
    (folder / "sessions" / "a.jsonl").write_text("".join(lines))
    index(folder)
    return History(Queries(str(folder)).reading)


def through(history: History) -> list[tuple[int, str]]:
    """Return moment and type of all events, read one by one."""
    found: list[tuple[int, str]] = []
    while True:
        piece = history.events_of("a", found[-1][0] if found else 0)
        assert piece is not None
        found += [(moment_us, event_type) for event_type, moment_us, _ in piece.events]
        if piece.is_last:
            return found


def test_a_session_is_read_in_pieces(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every event comes once, however much is read at a time; nobody's session has none."""
    whole = through(history)
    for name, most in (("_READ_ROWS", 5000), ("_READ_BYTES", 3000)):
        with monkeypatch.context() as patch:
            patch.setattr(history_module, name, most)
            assert through(history) == whole
    assert len([kind for _, kind in through(history) if kind in ("odd", "even")]) == COUNT
    assert history.events_of("nobody", 0) is None


@pytest.mark.parametrize(
    "bounds", [(None, None), (1000, -1000), (COUNT // 4, None), (None, 100), (5000, 5000 - COUNT)]
)
def test_hours_are_those_of_counting_through(history: History, bounds: tuple[int | None, int | None]) -> None:
    """Start exclusive, end inclusive, wherever they lie."""
    events = through(history)
    after, until = (None if place is None else events[place][0] for place in bounds)
    wanted = Counter(
        (moment // HOUR_US * HOUR_US, kind)
        for moment, kind in events
        if (after is None or moment > after) and (until is None or moment <= until)
    )
    found = {(hour, kind): count for hour, kind, count in history.counts(after, until, HOUR_US)}
    assert found == dict(wanted)


def test_data_of_some_types(history: History) -> None:
    """Only those, and only within the bounds."""
    events = through(history)
    found = list(history.data_of(("odd",), events[100][0], events[200][0]))
    assert sorted(moment for moment, _, _ in found) == [us for us, kind in events[101:201] if kind == "odd"]
