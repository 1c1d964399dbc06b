"""What changes a centre's database: it hears its hosts, and takes in what they push."""

import threading
from collections.abc import Sequence
from concurrent import futures

from proxy.store.fleet import Arriving, Heard, Pushed, Saying
from proxy.store.postgres import hosts
from proxy.store.postgres.batching import Batcher
from proxy.store.postgres.connections import Writer
from proxy.store.postgres.intake import Intake

_MOST_WAITING_BYTES = 256 << 20
"""Of what is pushed and not stored yet: room for two of the longest lines, which `longest_push` says. Beyond, hosts are
told to wait.
"""


class Centre:
    """What changes a centre's database. Safe to use from several threads."""

    def __init__(self, url: str, *, is_pooled: bool = False, most_events: int | None = None) -> None:
        """``most_events`` bounds what is kept of a session's events."""
        self._intake = Intake(url, is_pooled=is_pooled, most_events=most_events)
        self._heartbeats = Writer(url, is_pooled=is_pooled)
        self._pushes = Batcher("intake", self._intake.take, lambda one: len(one.text))
        self._greetings = Batcher("heartbeats", self._hear)
        self._waiting_bytes, self._turn = 0, threading.Lock()

    def close(self) -> None:
        """Do what was asked for, and let go of the database."""
        for batcher in (self._pushes, self._greetings):
            batcher.close()
        for used in (self._intake, self._heartbeats):
            used.close()

    def hear(self, said: Saying) -> futures.Future[Heard]:
        """Note that a host was heard just now. The future raises StoreError when that cannot be."""
        return self._greetings.submit(said)

    def _hear(self, all_said: Sequence[Saying]) -> list[Heard]:
        with self._heartbeats.transaction() as connection:
            # In one order, so that no two servers wait for each other.
            places = sorted(range(len(all_said)), key=lambda place: all_said[place].host_id)
            heard = {place: hosts.hear(connection, all_said[place]) for place in places}
            return [heard[place] for place in range(len(all_said))]

    def push(self, arriving: Arriving) -> futures.Future[Pushed]:
        """Store what a host pushes. The future raises StoreError when that cannot be: it can be sent again."""
        return self._pushes.submit(arriving)

    def take_room(self, size: int) -> bool:
        """Reserve memory for what is pushed and not stored yet, until `give_room`; return whether there is any left."""
        with self._turn:
            if self._waiting_bytes + size > _MOST_WAITING_BYTES:
                return False
            self._waiting_bytes += size
            return True

    def give_room(self, size: int) -> None:
        """Let go of it."""
        with self._turn:
            self._waiting_bytes -= size
