"""A session as people read it: events in, a conversation out, which every view only renders.

``entry``       the shapes: an entry is what one event, or one line of a log, says
``events``      what each kind of event says; ``calls`` what tool calls and their results do
``filters``     which kinds of events a reader may choose
``shortening``  long texts and values, shortened so that both their ends are kept
``markup``      entries as HTML; ``page`` a session as one page to share

The terminal (`proxy.cli.conversation`) and the dashboard (``server/static/conversation.js``) render the same entries.
Nothing here reads a clock or a file.
"""

from proxy.telling.entry import Entry, Part
from proxy.telling.events import tell, tell_crash, tell_record

__all__ = ["Entry", "Part", "tell", "tell_crash", "tell_record"]
