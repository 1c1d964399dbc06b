"""Sessions made by hand: events at moments that a test chooses, as the interpreter would write them."""

from pathlib import Path
from typing import Any

import msgspec

from proxy.analysis import Analysis, SessionAnalysis
from proxy.events import Event, Interpreter, Session
from proxy.events.timestamps import format_timestamp
from proxy.protocol import full, library
from tests.recorded import START_US, records

_DOCUMENT = (Path(__file__).parents[2] / "docs" / "analysis.md").read_text()
DOCUMENTED = {
    line.split("`")[1] for line in _DOCUMENT.splitlines() if line.startswith("| `") and line.count("|") >= 5
}
"""The kinds of anomalies, from their table."""


class Made:
    """Writes the events of one session, one record each, and analyses them."""

    def __init__(self, *, started: bool = True) -> None:
        self.events: list[Event] = []
        self.now_ms = 0.0
        self.state = "starting"
        self.run_id: str | None = None
        self._runs = 0
        self._agents: set[str] = set()
        self._called: set[str] = set()
        if started:
            self.at(0, "session_started", command=["claude"], kind="wrapped")

    def at(self, ms: float, event: str, **fields: Any) -> "Made":
        """Write an event at so many milliseconds from the start."""
        self.now_ms = ms
        us = START_US + round(ms * 1000)
        head = {
            "event": event,
            "timestamp": format_timestamp(us),
            "state": self.state,
            "seq": len(self.events),
        }
        if self.run_id is not None:
            head["run_id"] = self.run_id
        self.events.append(Event(event, us, {**head, **fields}))
        return self

    def begin(self, ms: float, prompt: str = "go") -> "Made":
        """Begin a turn."""
        self._runs += 1
        self.state, self.run_id = "executing", f"run-{self._runs}"
        return self.at(ms, "run_started", prompt=prompt)

    def end(self, ms: float, event: str = "run_completed", **fields: Any) -> "Made":
        """End the turn."""
        self.state = "idle"
        self.at(ms, event, **{"subtype": "success", **fields})
        self.run_id = None
        return self

    def call(self, ms: float, key: str, tool: str = "Bash", given: Any = None, **fields: Any) -> "Made":
        """Call a tool."""
        if "parent_tool_use_id" in fields and fields["parent_tool_use_id"] not in self._agents:
            self._agents.add(fields["parent_tool_use_id"])
            fields["new_subagent"] = True
        self._called.add(key)
        return self.at(
            ms, "tool_started", tool=tool, tool_use_id=key, input=given or {"command": key}, **fields
        )

    def answer(
        self,
        ms: float,
        key: str,
        result: Any = "ok",
        *,
        failed: bool = False,
        denied: bool = False,
        **fields: Any,
    ) -> "Made":
        """Give a tool's result."""
        event = "tool_denied" if denied else "tool_failed" if failed else "tool_completed"
        known = {"tool": "Bash"} if key in self._called else {}
        self._called.discard(key)
        return self.at(ms, event, tool_use_id=key, result=result, **known, **fields)

    def ask(self, ms: float, key: str, tool: str = "Bash", request_id: str = "p") -> "Made":
        """Ask for a permission."""
        self.state = "waiting"
        return self.at(ms, "permission_requested", request_id=request_id, tool=tool, tool_use_id=key)

    def decide(self, ms: float, key: str, decision: str = "allow", request_id: str = "p") -> "Made":
        """Answer it."""
        self.state = "executing"
        fields = {"request_id": request_id, "decision": decision, "tool_use_id": key}
        return self.at(ms, "permission_resolved", **fields)

    def over(self, ms: float, state: str = "ended", **fields: Any) -> "Made":
        """End the session."""
        self.state = state
        return self.at(ms, "session_ended", **{"exit_code": 0, "signal": None, **fields})

    def report(self, now_ms: float | None = None) -> Analysis:
        """Analyse what was written."""
        return analysed(self.events, None if now_ms is None else START_US + round(now_ms * 1000))

    def kinds(self, now_ms: float | None = None) -> list[str]:
        """Return the kinds of the anomalies that are found."""
        return [one.kind for one in self.report(now_ms).anomalies]


def analysed(events: list[Event], now_us: int | None = None, *, crashed: bool = False) -> Analysis:
    """Return the report of some events, held to the published shape."""
    analysis = SessionAnalysis("made")
    for event in events:
        analysis.take(event)
    if crashed:
        session = Session("made")
        session.last_record_us = analysis.last_us
        session.mark_crashed()
        analysis.mark_over(session)
    report = analysis.report(now_us)
    assert_as_published("api/analysis.json", report)
    assert {one.kind for one in report.anomalies} <= DOCUMENTED
    return report


def events_of(log: bytes) -> list[Event]:
    """Return the events of a log."""
    interpreter = Interpreter(Session("made"))
    return [event for record in records(log) for event in interpreter.take(record)]


def assert_as_published(schema: str, answer: object) -> None:
    """Hold an answer to its schema, and the schema to naming everything that is in the answer."""
    value = msgspec.to_builtins(answer)
    judgement = full.judgement(schema, msgspec.json.encode(value))
    assert judgement.verdict == "valid", judgement.errors[:3]
    _assert_named(schema, library.load(schema), value)


def _assert_named(place: str, schema: dict[str, Any], value: Any) -> None:
    if reference := schema.get("$ref"):
        _assert_named(place, library.load(f"api/{reference}"), value)
    elif isinstance(value, list):
        for item in value[:3]:
            _assert_named(f"{place}[]", schema.get("items", {}), item)
    elif isinstance(value, dict) and "properties" in schema:
        assert value.keys() == schema["properties"].keys(), place
        for key, item in value.items():
            _assert_named(f"{place}.{key}", schema["properties"][key], item)
