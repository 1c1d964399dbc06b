"""What follows from the records of one session, by whichever store they are kept: events, pieces, drift, its state."""

from collections.abc import Sequence

from proxy.events import Event, Interpreter, Session
from proxy.sessions.drift import Search, SearchState
from proxy.sessions.firings import Firing
from proxy.sessions.reader import Entry, Skipped
from proxy.store.encoding import as_json
from proxy.store.model import RawEvent
from proxy.store.pieces import Cutter, Piece


class Derivation:
    """Takes the lines of one session, in order. It can be gone on with from what a store keeps of it."""

    def __init__(
        self,
        session: Session,
        *,
        last_piece: Piece | None = None,
        drift: SearchState | None = None,
        most_events: int | None = None,
    ) -> None:
        """``most_events`` bounds what is given of a session, never what is known of its state."""
        self.session = session
        self.cutter = Cutter(last_piece)
        self.drift = Search(drift)
        self._interpreter = Interpreter(session)
        self._most_events = most_events

    def take(self, item: Entry | Skipped) -> list[RawEvent]:
        """Take the next line, and return the events that it makes."""
        self.cutter.add(item)
        if isinstance(item, Skipped):
            return []
        self.drift.look_at(item.record)
        return self._as_raw(self._interpreter.take(item.record))

    def expect(self, firings: Sequence[Firing]) -> None:
        """Learn what rules found of the session, all from its beginning."""
        self._interpreter.expect(firings)

    def rest(self) -> list[RawEvent]:
        """Return the events of the rules that have fired since the last line, where no more is known to come."""
        return self._as_raw(self._interpreter.rest())

    def _as_raw(self, events: list[Event]) -> list[RawEvent]:
        if not events:
            return []
        if self._most_events is not None:
            before = self.session.figures.events - len(events)
            events = events[: max(0, self._most_events - before)]
        return [(event_type, timestamp_us, as_json(data)) for event_type, timestamp_us, data in events]
