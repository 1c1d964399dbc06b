"""The events of a recorded session, for subcommands that go through them."""

from collections.abc import Iterator

from proxy.cli.terminal import read_visibly
from proxy.events import Event, Interpreter, Session
from proxy.sessions.catalogue import SessionInfo
from proxy.sessions.reader import Entry


def events_of(info: SessionInfo) -> Iterator[Event]:
    """Yield the events of a session, oldest first. OSError: its log cannot be read."""
    interpreter = Interpreter(Session(info.session_id))
    for _, item in read_visibly({info.path: info.size}):
        if isinstance(item, Entry):
            yield from interpreter.take(item.record)
