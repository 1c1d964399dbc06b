"""One log that the index follows, and how far it has."""

from dataclasses import dataclass

from proxy.events import Interpreter, Session
from proxy.sessions.reader import LogReader
from proxy.store.ranks import Tally

__all__ = ["Followed"]


@dataclass(slots=True)
class Followed:
    """One log, and how far it is indexed."""

    id: int
    session_id: str
    path: str
    inode: int = 0
    offset: int = 0
    mark_at: int = 0
    mark: bytes = b""
    over: bool = False
    skipped: int = 0
    session: Session | None = None
    interpreter: Interpreter | None = None
    tally: Tally | None = None
    reader: LogReader | None = None
    behind: bool = True
    """Whether there may be more in the log than was read."""

    def let_go(self) -> None:
        """Forget what can be had again from the index."""
        self.close()
        self.interpreter = self.tally = None

    def close(self) -> None:
        """Close the file; it is opened again when there is more to read."""
        if self.reader is not None:
            self.reader.close()
        self.reader = None
