"""Plays a recorded session to a client: says what Claude Code said, waits where it waited, ends as it ended.

What happened before is in ``recording``, what the client's lines stand for in ``matching``; this is the course of it.
"""

import os
import time
from collections.abc import Mapping
from itertools import islice
from typing import Any, NoReturn

from proxy.replay.acting import AS_CLAUDE, DIVERGED, append_report, die, on_signals
from proxy.replay.differences import Divergences, contrasted, first_difference, named
from proxy.replay.matching import Matching, is_nothing
from proxy.replay.recording import Cue, Recording
from proxy.replay.renaming import Renaming
from proxy.replay.script import signal_number
from proxy.replay.wire import Journal, Wire

_SAID = 20
"""Divergences that are said on stderr; the report has them all."""


class Player:
    """Is the ``claude`` of a recording."""

    def __init__(
        self, recording: Recording, arguments: list[str], settings: Mapping[str, Any], journal: Journal
    ) -> None:
        """``arguments``: the client's.

        ``settings``: ``match``, ``scale`` (the recorded pauses are so many times as long; 0 is none at all),
        ``patience`` in seconds and ``report``, as docs/replay.md has them.
        """
        self._recording = recording
        self._arguments = arguments
        self._match = settings.get("match", "type")
        self._scale = settings.get("scale", 0)
        self._patience_s = settings.get("patience")
        self._report = settings.get("report")
        self._journal = journal
        self._divergences = Divergences()
        self._renaming = Renaming()
        self._matching = Matching(recording, self._match, self._renaming, self._divergences)
        self._wire = Wire(self._matching.receive, journal)
        self._played = 0
        self._clock = time.monotonic()
        on_signals(AS_CLAUDE, self._on_signal)

    def play(self) -> NoReturn:
        """Play it to its end."""
        self._journal.note("started", argv=self._arguments, pid=os.getpid())
        self._begin()
        before = 0.0
        for cue in self._recording.cues:
            if cue.stream == "stdin":
                if not is_nothing(cue.line) and not self._hear(cue):
                    break
                self._played += 1
            else:
                self._pause(cue.at - before)
                self._played += 1  # a client that has read the last line may end this process at once
                self._say(cue)
            before, self._clock = cue.at, time.monotonic()
        else:
            self._close()
        self._matching.settle(None)
        self._matching.miss_the_rest()
        self._end()

    def _begin(self) -> None:
        recording, arguments = self._recording, self._arguments
        if recording.lost:
            self._complain(f"the record lacks {recording.lost} lines, which could not be written then")
        if not arguments:
            return
        self._renaming.of_arguments(recording.arguments, arguments, recording.told("session_id"))
        if self._match == "exact":
            here = [self._renaming.recorded(word) for word in arguments]
            recorded = recording.arguments
            for index, word in enumerate(recorded[: len(here)]):
                if "[redacted]" in word:
                    here[index] = word  # nobody knows what it was
            if found := first_difference(recorded, here):
                path, expected, received = found
                sentence = f"the arguments are not the recorded ones: {contrasted(received, expected)}"
                self._divergences.add("arguments", sentence, path=path, expected=recorded, received=here)

    def _pause(self, seconds: float) -> None:
        """Wait as the record did, from when the line before was played; see meanwhile what comes."""
        until = self._clock + seconds * self._scale
        while self._scale and (left := until - time.monotonic()) > 0:
            self._listen(left)
            self._reply(None, waiting=False)

    def _say(self, cue: Cue) -> None:
        """Say what Claude Code said."""
        if cue.stream == "stderr":
            self._wire.write(cue.line, 2)
        elif self._matching.is_to_be_said(cue):
            self._wire.write(self._renaming.outgoing(cue.line))

    def _hear(self, cue: Cue) -> bool:
        """Wait for the client's line; return whether the record goes on."""
        while self._matching.is_due(cue):
            self._wire.look()
            if self._matching.take(cue) or self._reply(cue):
                return True
            self._answer_ahead()
            if self._wire.ended:
                return self._matching.miss(cue)
            if not self._listen(self._patience_s):
                due = f"{named(cue.kind)} (record {cue.seq})"
                sentence = f"the client said nothing for {self._patience_s:g} s, where the record has {due}"
                self._divergences.add("silent", sentence, seq=cue.seq)
                return False
        return True

    def _listen(self, seconds: float | None) -> bool:
        """Wait for so long until a line comes or the input ends; return whether one of the two is so."""
        heard, was_ended = self._matching.received, self._wire.ended
        return self._wire.wait(
            seconds, lambda: self._matching.received > heard or self._wire.ended != was_ended
        )

    def _answer_ahead(self) -> None:
        """Say what only answers a control request that is here already: a client may wait for it before it goes on.

        The recorded client did not wait.
        """
        for cue in islice(self._recording.cues, self._played, None):
            if cue.stream == "stdin":
                continue
            if not self._matching.is_an_answer(cue):
                return
            self._say(cue)

    def _reply(self, cue: Cue | None, *, waiting: bool = True) -> bool:
        """Answer what has no place in the record; return whether the client has gone on without what is due."""
        lines, gone_on = self._matching.settle(cue, waiting=waiting)
        for line in lines:
            self._wire.answer(line)
        return gone_on

    def _close(self) -> None:
        """Wait for the end of the input, if it was what the recorded session ended by."""
        while _ends_with_the_input(self._recording):
            self._wire.look()
            self._reply(None)
            if self._wire.ended or self._matching.beyond:
                return
            self._listen(None)

    # -- the end -----------------------------------------------------------------------------------------------

    def _on_signal(self, name: str, status: int | str) -> None:
        self._journal.note("signal", signal=name)
        as_recorded = name == self._recording.info.signal or status == self._recording.info.exit_code != 0
        if self._played == len(self._recording.cues):
            self._matching.settle(None)
            self._matching.miss_the_rest()
        elif not as_recorded:
            sentence = f"{name} came before the end, at record {self._recording.cues[self._played].seq}"
            self._divergences.add("signal", sentence, signal=name)
        self._end(None if as_recorded else int(status))

    def _end(self, status: int | None = None) -> NoReturn:
        """End as the record did, or with a status that says that the client went another way."""
        on_signals(AS_CLAUDE, lambda _name, _status: None)  # it ends already
        info, divergences = self._recording.info, self._divergences.found
        for divergence in divergences[:_SAID]:
            self._complain(divergence["sentence"])
        by = info.signal or ("SIGKILL" if info.state == "crashed" else None)
        if status is None:
            status = info.exit_code or 0
        if divergences:
            status, by = DIVERGED, None
        report: dict[str, Any] = {
            "session": info.session_id,
            "log": info.path,
            "match": self._match,
            "arguments": self._arguments,
            "recorded": {"exit_code": info.exit_code, "signal": info.signal},
            "exit_code": None if by else status,
            "signal": by,
            "played": self._played,
            "records": len(self._recording.cues),
            "received": self._matching.received,
            "lost_records": self._recording.lost,
            "divergences": divergences,
        }
        append_report(self._report, report)
        self._journal.note("ended", status=status, signal=by, divergences=len(divergences))
        if by:
            die(signal_number(by))
        os._exit(status)

    def _complain(self, sentence: str) -> None:
        self._wire.write(f"claude-proxy replay: {sentence}\n".encode(errors="replace"), 2)


def _ends_with_the_input(recording: Recording) -> bool:
    """Tell whether the recorded Claude Code went on until its input ended, as far as a record can tell.

    It did not if it died by a signal, was told to end, or failed with a turn unfinished.
    """
    info = recording.info
    if info.state == "running":
        return True
    if info.state == "crashed" or info.signal or not recording.reads:
        return False
    heard = [cue for cue in recording.cues if cue.stream == "stdin" and not is_nothing(cue.line)]
    if not heard and not recording.speaks_messages:
        return False  # the prompt was on the command line
    if heard and heard[-1].kind == "control_request/end_session":
        return False
    prompts = [cue.seq for cue in heard if cue.kind == "user"]
    likely = (cue for cue in recording.cues if cue.stream == "stdout" and b'"result"' in cue.line)
    results = [cue.seq for cue in likely if cue.kind == "result"]
    idle = bool(prompts) and bool(results) and results[-1] > prompts[-1]
    return info.exit_code in (0, None) or idle
