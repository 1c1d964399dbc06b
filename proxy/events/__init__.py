"""What happened in a session, derived from its records: pure, so that old logs can be read with better eyes.

``vocabulary``   the table of events with their fields, and the table of states
``interpreter``  one state machine a session: records in, events out
``stdin``        the client's messages, ``stdout`` and ``system`` Claude Code's
``transcript``   what an interactive Claude Code writes of itself, ``registry`` what it says that it does
``emitter``      makes the events for all of these, and changes states and runs
``session``      what is known of a session at one point of its log; JSON in and out, so that it can be kept
``outcome``      what became of a turn and of a session, ``figures`` what they add up to, ``spending`` what they cost
``approvals``    who or what decided on a call, ``approved_calls`` as the event of its result says it
``formatting``   durations, costs and counts for people
``status``       a session as people and the API see it, with what it waits for and how it may be hanging, in the shape
                 of ``shown_session``

Nothing here reads a clock or a file: time arrives in the records.
"""

from proxy.events.interpreter import Event, Interpreter
from proxy.events.session import Session
from proxy.events.status import describe

__all__ = ["Event", "Interpreter", "Session", "describe"]
