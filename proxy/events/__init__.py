"""What happened in a session, derived from its records: pure, so that old logs can be read with better eyes.

``vocabulary``   the names of events and states
``session``      what is known of a session at one moment; JSON in and out, so that it can be kept
``interpreter``  one state machine a session: records in, events out
``stdin``        the client's messages, ``stdout`` and ``system`` Claude Code's
``formatting``        durations, costs and counts for people
``status``       a session as people and the API see it, with what it waits for and how it may be hanging

Nothing here reads a clock or a file: time arrives in the records.
"""

from proxy.events.interpreter import Event, Interpreter
from proxy.events.session import Session
from proxy.events.status import describe

__all__ = ["Event", "Interpreter", "Session", "describe"]
