"""What the events of a session tell of how far it has gone, beyond what its state holds. Memory is bounded."""

from proxy.analysis.findings import EventContext
from proxy.analysis.loops import Loops
from proxy.analysis.spans import Spans, seq_of
from proxy.events import Event
from proxy.events.fields import inner, text

NEEDED_FOR = frozenset(("calls_in_turn", "same_call", "same_round", "files_written"))
"""The conditions that need it."""
_MOST_FILES = 100_000  # beyond, any limit of a rule has been passed
_MOST_EVIDENCE = 20  # evidence to look at
_WRITES = {
    "Write": "file_path",
    "Edit": "file_path",
    "MultiEdit": "file_path",
    "NotebookEdit": "notebook_path",
}
"""The tools that write files, and where they name them; what a shell command writes is not known."""


class Progress:
    """Takes the events of one session, in order."""

    def __init__(self) -> None:
        self.calls = 0
        """Tool calls in the turn that is open, or was last."""
        self._files: set[str] = set()
        self._writing: dict[str, str] = {}
        self._spans, self._loops = Spans(), Loops()

    @property
    def files(self) -> int:
        """How many different files were written."""
        return len(self._files)

    def repeated(self, *, rounds: bool) -> tuple[int, list[int]]:
        """Return how often one call is being made in a row, or a round of several, and the last records of it."""
        found = [(0, list[int]())]
        for series in self._loops.going_on():
            if series.same_answers and (len(series.calls) > 1) == rounds:
                records = [seq for seq in series.records if seq is not None]
                found.append((series.times, records[-_MOST_EVIDENCE:]))
        return max(found)

    def take(self, event: Event) -> None:
        """Take the next event."""
        seq, closed, data = seq_of(event.data), self._spans.take(event), event.data
        self._loops.take(EventContext(event, seq, closed))
        call = text(data, "tool_use_id") or ""
        match event.event_type:
            case "run_started":
                self.calls = 0
            case "tool_started":
                self.calls += 1
                path = text(inner(data, "input"), _WRITES.get(text(data, "tool") or "", ""))
                if path is not None and len(self._writing) < _MOST_FILES:
                    self._writing[call] = path
            case "tool_completed" if call in self._writing and len(self._files) < _MOST_FILES:
                self._files.add(self._writing.pop(call))
            case "tool_failed" | "tool_denied":
                self._writing.pop(call, None)
