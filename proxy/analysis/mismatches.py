"""Anomalies of what does not fit together: calls without results, results without calls, unknown and invalid lines."""

import msgspec

from proxy.analysis.findings import MOST_RECORDS, Detector, EventContext, Findings, Place
from proxy.analysis.report import Severity
from proxy.events.approved_calls import DECIDED
from proxy.events.fields import Message, items, text
from proxy.events.formatting import one_line

_MOST_SHAPES = 200  # different ones: shapes that somebody made up must not fill memory
_OTHER = "(other)"


class _Group(msgspec.Struct):
    """Things of one shape: told once, with how often."""

    at: Place
    count: int = 0
    records: list[int | None] = []
    about: dict[str, object] = {}


class Mismatches(Detector):
    """Takes what is left over, and what was judged."""

    TYPES = frozenset((*DECIDED, "protocol_drift", "validation_failed"))

    def __init__(self) -> None:
        super().__init__()
        self._groups: dict[tuple[str, ...], _Group] = {}

    def take(self, context: EventContext) -> None:
        """Take an event."""
        at, ended, data = context.at, context.event.event_type, context.event.data
        for span in context.closed:
            if span.outcome != "unfinished":
                continue
            if span.kind == "tool" and ended in ("run_completed", "task_completed"):
                what = "turn is complete" if ended == "run_completed" else "subagent is done"
                sentence = f"A tool call has no result, though its {what}: {span.label}."
                facts = {"tool": span.name}
                self.over.add("unmatched_tool_call", "warning", span.began, sentence, context.seq, **facts)
            elif span.kind in ("subagent", "task"):
                what = "subagent" if span.kind == "subagent" else "background task"
                sentence = f"A {what} was still running when the session ended: {span.label}."
                self.over.add("cut_off_task", "info", span.began, sentence, context.seq, task=span.id)
        if ended in DECIDED and "tool" not in data:  # else it names its call, which may have been over before
            self._group(("unmatched_tool_result",), at)
        elif ended == "protocol_drift":
            about = {name: text(data, name) for name in ("stream", "type", "subtype")}
            self._group(("drift", *(one or "" for one in about.values())), at, **about)
        elif ended == "validation_failed":
            self._invalid(data, at)

    def find(self, findings: Findings) -> None:
        """Write down what was found, things of one shape together."""
        super().find(findings)
        for (kind, *_), group in self._groups.items():
            severity, sentence = _SAID[kind](group)
            findings.add(kind, severity, group.at, sentence, *group.records, count=group.count, **group.about)

    def _invalid(self, data: Message, at: Place) -> None:
        first = next(items(data, "errors"), {})
        about: dict[str, object] = {name: text(data, name) for name in ("stream", "verdict", "type")}
        about["path"] = one_line(text(first, "path") or "")
        key = tuple(map(str, about.values()))
        about["message"] = one_line(text(first, "message") or "", 200)
        if data.get("held_back") is True:
            about["held_back"] = True
        self._group(("invalid_message", *key), at, **about)

    def _group(self, key: tuple[str, ...], at: Place, **about: object) -> None:
        if key not in self._groups and len(self._groups) >= _MOST_SHAPES:
            key, about = (key[0], _OTHER), {}
        group = self._groups.setdefault(key, _Group(at, about=about))
        group.count += 1
        if len(group.records) < MOST_RECORDS:
            group.records.append(at[0])


def _drift(group: _Group) -> tuple[Severity, str]:
    about = group.about
    what = "/".join(str(about[name]) for name in ("type", "subtype") if about.get(name)) or "other kinds"
    stream = about.get("stream") or "the streams"
    return "info", f"{_times(group)} of a kind that the specification does not have, on {stream}: {what}."


def _invalid(group: _Group) -> tuple[Severity, str]:
    about = group.about
    if not about:
        return "warning", f"{_times(group)} of other shapes did not fit the specification."
    where = f" at {about['path']}" if about["path"] else ""
    kind = f" ({about['type']})" if about["type"] else ""
    held_back = ", held back" if about.get("held_back") else ""
    judged = f"{about['verdict']}{held_back}{where}: {about['message']}"
    return "warning", f"{_times(group)} on {about['stream']}{kind} {judged}"


def _result(group: _Group) -> tuple[Severity, str]:
    which = "A tool result belongs" if group.count == 1 else f"{group.count} tool results belong"
    return "warning", f"{which} to no call that was seen."


def _times(group: _Group) -> str:
    return "A message" if group.count == 1 else f"{group.count} messages"


_SAID = {"drift": _drift, "invalid_message": _invalid, "unmatched_tool_result": _result}
