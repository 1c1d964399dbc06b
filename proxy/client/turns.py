"""What becomes of the prompts that a process is sent one by one: each is a command of the run.

They begin and end in the process, which takes one after the other: so it is the events of its session that tell.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any, TypeAlias

from proxy.client.models import Event

_ENDS = frozenset(("run_completed", "run_failed", "run_interrupted"))

Record: TypeAlias = Callable[[str, Mapping[str, Any]], Awaitable[bool]]
"""Records an event in the run, and never fails."""


class Turns:
    """Records each prompt of a session in a run: its start, and its completion or failure."""

    def __init__(self, record: Record, numbers: Iterator[int]) -> None:
        self._record = record
        self._numbers = numbers
        self._open: dict[Any, dict[str, Any]] = {}

    async def take(self, event: Event) -> None:
        """Record what an event tells of a prompt."""
        data, run_id = event.data, event.data.get("run_id")
        match event.event_type:
            case "run_started" if "prompt" in data:
                command = {"action": "prompt", "prompt": data["prompt"], "run_id": run_id}
                about = {"command_id": next(self._numbers), "command": command}
                self._open[run_id] = about
                await self._record("command_started", about)
            case "run_completed" if about := self._open.pop(run_id, {}):
                fields = _of(data, "duration_ms", "result", "outcome")
                await self._record("command_completed", {**about, **fields})
            case "run_failed" | "run_interrupted" if about := self._open.pop(run_id, {}):
                error = {"type": event.event_type, "message": "; ".join(map(str, data.get("errors") or ()))}
                fields = _of(data, "duration_ms", "outcome", "outcome_reason")
                await self._record("command_failed", {**about, **fields, "error": error})

    async def leave(self, error: BaseException) -> None:
        """Record as failed what is not waited for any more."""
        fields = {"type": type(error).__name__, "message": "The process was not followed to its end."}
        for about in self._open.values():
            await self._record("command_failed", {**about, "error": fields})
        self._open.clear()


class Answer:
    """What became of the only prompt of a process, among the turns that Claude Code begins by itself."""

    def __init__(self) -> None:
        self.told: dict[str, Any] = {"result": None}
        """The answer, and the outcome of its turn."""
        self._unprompted: set[Any] = set()

    def take(self, event: Event) -> None:
        """Take the next event of the process's session."""
        data, run_id = event.data, event.data.get("run_id")
        if event.event_type == "run_started" and data.get("unprompted") is True:
            self._unprompted.add(run_id)
        elif event.event_type in _ENDS and run_id not in self._unprompted:
            self.told = {"result": data.get("result"), **_of(data, "outcome", "outcome_reason")}


def _of(data: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: data[name] for name in names if name in data}
