"""The events of a recorded session, for subcommands that go through them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from proxy.cli.terminal import read_visibly
from proxy.events import Interpreter, Session
from proxy.sessions.reader import Entry

if TYPE_CHECKING:
    from collections.abc import Iterator

    from proxy.events import Event
    from proxy.sessions.catalogue import SessionInfo


def events_of(info: SessionInfo) -> Iterator[Event]:
    """Yield the events of a session, oldest first. OSError: its log cannot be read."""
    interpreter = Interpreter(Session(info.session_id))
    for _, item in read_visibly({info.path: info.size}):
        if isinstance(item, Entry):
            yield from interpreter.take(item.record)
