"""One log that the index follows, and how far it has."""

import msgspec

from proxy.events import Session
from proxy.events.session_outcome import of_session
from proxy.sessions.reader import LogReader
from proxy.store.counting import Tally
from proxy.store.derivation import Derivation
from proxy.store.embedded.rows import SessionRow
from proxy.store.encoding import as_json
from proxy.store.model import Totals


class TrackedLog(msgspec.Struct):
    """One log, and how far it is indexed."""

    id: int
    session_id: str
    path: str
    inode: int = 0
    offset: int = 0
    mark_at: int = 0
    mark: bytes = b""
    over: bool = False
    fired_bytes: int = 0
    """How much was read of what rules found; what was read in a process before is read again."""
    session: Session | None = None
    """Known while the log is read, and as long as the session is live."""
    derivation: Derivation | None = None
    tally: Tally = msgspec.field(default_factory=Tally)
    totals: Totals = msgspec.field(default_factory=Totals)
    """What the session has added to the sums over all."""
    reader: LogReader | None = None
    behind: bool = True
    """Whether there may be more in the log than was read."""

    def row(self, session: Session) -> SessionRow:
        """Return how the log and its session stand, for the index."""
        became = of_session(session)
        outcome = "" if became is None else became.kind
        place = (session.started_us, self.inode, self.offset, self.mark_at, self.mark, int(self.over))
        return SessionRow(self.id, self.session_id, *place, outcome, as_json(session))

    def reset(self) -> None:
        """Forget all that was read: it is another log."""
        self.id = self.inode = self.offset = self.mark_at = self.fired_bytes = 0
        self.mark, self.over, self.session, self.derivation = b"", False, None, None
        self.tally, self.totals = Tally(), Totals()

    def let_go(self) -> None:
        """Forget what can be had again from the index."""
        self.close()
        self.derivation = None

    def close(self) -> None:
        """Close the file; it is opened again when there is more to read."""
        if self.reader is not None:
            self.reader.close()
        self.reader = None
