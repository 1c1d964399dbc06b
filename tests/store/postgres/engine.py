"""The store of a centre for the contract: a host in this process pushes what is recorded."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from proxy.fleet import Hello
from proxy.sessions.firings import Firing, encoded
from proxy.store.fleet import Arriving, Outcome, Saying
from proxy.store.postgres.connections import connect, writing
from proxy.store.postgres.hosts import hear
from proxy.store.postgres.intake import Intake
from proxy.store.postgres.rebuild import rebuild
from proxy.store.postgres.removal import remove_sessions
from proxy.store.postgres.store import PostgresStore
from proxy.store.postgres.tables import read_sessions
from tests.store.contract.engines import Ear, Engine
from tests.store.postgres.cluster import shared_cluster

if TYPE_CHECKING:
    from proxy.store import Store


class Centre:
    """A centre's store, and one host."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._lines: dict[str, int] = {}
        self._fired: dict[str, int] = {}
        self._rest: dict[str, bytes] = {}
        self._most_events: int | None = None
        self._open()

    def _open(self) -> None:
        self.ear = Ear()
        self.intake = Intake(self.url, most_events=self._most_events)
        self.store: Store = PostgresStore(self.url)
        self.store.start(self.ear)

    def host(self, host_id: str = "host-1") -> str:
        """Let a host be heard, and return its id."""
        with connect(self.url) as connection, writing(connection):
            hear(
                connection,
                Saying(host_id, "everybody", 0, Hello(protocol=1, version="1", name="laptop", sent_at="")),
            )
        return host_id

    def put(
        self, session_id: str, records: bytes, *, live: bool = False, fired: Sequence[Firing] = ()
    ) -> None:
        """Push whole lines, and what rules have found."""
        whole, newline, rest = (self._rest.pop(session_id, b"") + records).rpartition(b"\n")
        self._rest[session_id] = rest
        self._push(session_id, whole + newline, running=live, fired=fired)

    def end(self, session_id: str) -> None:
        """Claim that the writer is gone."""
        self._push(session_id, b"", running=False)

    def remove(self, session_id: str) -> None:
        """Remove a session, as retention does."""
        with connect(self.url) as connection, writing(connection):
            rows = list(read_sessions(connection, "WHERE session_id = %s FOR UPDATE", (session_id,)))
            remove_sessions(connection, rows)
        self._lines.pop(session_id, None)
        self._fired.pop(session_id, None)

    def settle(self) -> None:
        """Everything is there once it was pushed."""

    def reopen(self, **options: Any) -> None:
        """Close the store and open it again."""
        self.close()
        self._most_events = options.get("most_events", self._most_events)
        self._open()

    def reset(self) -> None:
        """Derive everything anew."""
        list(rebuild(self.url, everything=True, most_events=self._most_events))
        assert self.ear.has_begun_anew()

    def close(self) -> None:
        """Close everything."""
        self.store.close()
        self.intake.close()

    def _push(self, session_id: str, text: bytes, *, running: bool, fired: Sequence[Firing] = ()) -> None:
        one = Arriving(self.host(), None, session_id, self._lines.get(session_id, 0), text, running)
        found, before = [encoded(one)[:-1] for one in fired], self._fired.get(session_id, 0)
        (pushed,) = self.intake.take([one._replace(firings=found, firings_from=before)])
        assert pushed.answer.outcome is Outcome.STORED
        self._lines[session_id] = pushed.answer.next_line
        self._fired[session_id] = before + len(fired)


@contextmanager
def postgres(_: Path) -> Iterator[Engine]:
    """Give the store of a centre, in a database of its own."""
    with shared_cluster().database() as url:
        engine = Centre(url)
        try:
            yield engine
        finally:
            engine.close()
