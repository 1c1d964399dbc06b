"""What this client calls otherwise than the recorded one did: ids of its own, which a replay has to use.

Lines are not encoded anew: names are exchanged in the bytes, and all else stays as it was recorded.
"""

import re
from collections.abc import Sequence
from typing import Any

from proxy.claude_command import Call
from proxy.replay.messages import encoded

_ID = re.compile(rb'("(request_id|callback_id)"\s*:\s*)("(?:[^"\\]|\\.)*")')
_DISTINCT = 16
"""An id of so many characters turns up nowhere by chance; a shorter one is exchanged only as a whole text."""


class Renaming:
    """Names of the record and the names that this client has for them, both ways."""

    def __init__(self) -> None:
        self._ids: dict[str, str] = {}
        self._in_fields: dict[tuple[bytes, bytes], bytes] = {}
        """By the name of the field that alone has such an id, and the recorded id."""
        self._pattern: re.Pattern[bytes] | None = None
        self._words: dict[bytes, bytes] = {}

    def call(self, recorded: object, here: object) -> None:
        """Learn the client's name for an id that may turn up anywhere: a session's, a message's."""
        if not isinstance(recorded, str) or not isinstance(here, str) or not recorded or not here:
            return
        self._ids[recorded] = here
        self._words = {_encoded(was): _encoded(is_) for was, is_ in self._ids.items() if was != is_}
        words = sorted(map(re.escape, self._words), key=len, reverse=True)
        self._pattern = re.compile(b"|".join(words)) if words else None

    def call_request(self, recorded: object, here: object) -> None:
        """Learn the client's id of a control request of its own."""
        self._in_fields[b"request_id", encoded(recorded)] = encoded(here)

    def call_hooks(self, recorded: object, here: object) -> list[object]:
        """Learn the client's ids of its hooks from what it gives to ``initialize``, hook by hook.

        Returns the recorded ids for which this client has no hook.
        """
        mine, theirs = _callbacks(here), _callbacks(recorded)
        for place in theirs.keys() & mine.keys():
            self._in_fields[b"callback_id", encoded(theirs[place])] = encoded(mine[place])
        return [recorded_id for place, recorded_id in theirs.items() if place not in mine]

    def outgoing(self, line: bytes) -> bytes:
        """Return a recorded line of Claude Code's as this client understands it."""
        if b'"request_id"' in line or b'"callback_id"' in line:
            line = _ID.sub(lambda found: found[1] + self._in_fields.get((found[2], found[3]), found[3]), line)
        if self._pattern is not None:
            line = self._pattern.sub(lambda found: self._words[found[0]], line)
        return line

    def recorded(self, text: str) -> str:
        """Return what the record calls something that this client names."""
        for was, is_ in self._ids.items():
            text = text.replace(is_, was) if len(is_) >= _DISTINCT else was if text == is_ else text
        return text

    def of_arguments(self, recorded: Sequence[str], here: Sequence[str], session_id: str | None) -> None:
        """Learn from the command lines: a session that the client names is called so.

        ``session_id``: the id of Claude Code's session in the record.
        """
        theirs, mine = Call(recorded).values, Call(here).values
        for option in ("--resume", "--session-id"):
            was, is_ = theirs.get(option), mine.get(option)
            if is_ and was:
                self.call(was, is_)
            elif is_ and option == "--session-id":
                self.call(session_id, is_)


def _encoded(name: str) -> bytes:
    return encoded(name)[1:-1] if len(name) >= _DISTINCT else encoded(name)


def _callbacks(hooks: object) -> dict[tuple[str, int, int], Any]:
    """Return the ids of callbacks by event, matcher and place: what a hook is, whatever its id."""
    found: dict[tuple[str, int, int], Any] = {}
    for event, matchers in hooks.items() if isinstance(hooks, dict) else ():
        for nth, matcher in enumerate(matchers if isinstance(matchers, list) else ()):
            ids = matcher.get("hookCallbackIds") if isinstance(matcher, dict) else None
            for place, id_ in enumerate(ids if isinstance(ids, list) else ()):
                found[str(event), nth, place] = id_
    return found
