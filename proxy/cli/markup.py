"""Events as HTML, for a page that is shared: pure, and safe whatever was recorded.

Rules it lives by:

* Everything that was recorded goes through `escaped`, and stands in an element of its own whose direction is found
  by its first letter: no markup, no control character, no order of writing reaches beyond it.
* What is long is shortened and says so. Lists of events become elements one by one, so a long session needs no memory.
"""

import html
import json
import re
from collections.abc import Callable
from typing import Any

from proxy.events import Event
from proxy.events.formatting import format_dollars
from proxy.events.formatting import format_duration as duration
from proxy.events.vocabulary import FAILURES
from proxy.sessions.reader import Record

__all__ = ["Conversation", "escaped"]

_LONGEST = 20_000
_CONTROLS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)
_TELLING = ("command", "file_path", "pattern", "query", "url", "path", "description", "prompt", "skill")
"""As in `formatting`, but here the details are there to be opened, and a command is better than what it is called."""


def escaped(value: object, longest: int = _LONGEST) -> str:
    """Return a text for HTML, of at most so many characters; control characters are made visible."""
    text = str(value)
    more = len(text) - longest
    shown = _CONTROLS.sub(_visible, text[:longest])
    return html.escape(shown) + (f" … {more:,} more characters" if more > 0 else "")


def _visible(match: "re.Match[str]") -> str:
    code = ord(match[0])
    if match[0] == "\r":
        return ""
    return chr(0x2400 + code) if code < 0x20 else f"⟨U+{code:04X}⟩"


class Conversation:
    """Makes elements of events, oldest first; remembers which call belongs to which subagent."""

    def __init__(self) -> None:
        self._parents: dict[str, str | None] = {}

    def element(self, event: Event) -> str:
        """Return the element of an event, empty for one that says nothing to a person."""
        data, view = event.data, _VIEWS.get(event.event_type)
        if event.event_type == "tool_started":
            parent = data.get("parent_tool_use_id")
            self._parents[str(data.get("tool_use_id"))] = parent if isinstance(parent, str) else None
        inside = "" if view is None else view(event.event_type, data)
        if not inside:
            return ""
        moment, seq = escaped(data.get("timestamp", "")), data.get("seq", "")
        when = f'<time datetime="{moment}" title="{moment}, record {seq}">{moment[11:19]}</time>'
        marks = f"{event.event_type}{' bad' if event.event_type in FAILURES else ''} depth{self._depth(data)}"
        return f'<article class="{marks}">{when}<div>{inside}</div></article>\n'

    @staticmethod
    def line(record: Record) -> str:
        """Return the element of a line that is no message and makes no event: of stderr, of another program."""
        moment, said = escaped(record.ts), record.line()[: 4 * _LONGEST].decode(errors="replace")
        when = f'<time datetime="{moment}" title="{moment}, record {record.seq}">{moment[11:19]}</time>'
        inside = f'<p class="head">{escaped(record.stream)}</p>{_text(said, "pre")}'
        return f'<article class="line">{when}<div>{inside}</div></article>\n'

    def _depth(self, data: dict[str, Any]) -> int:
        parent = data.get("parent_tool_use_id") or self._parents.get(str(data.get("tool_use_id")))
        depth = 0
        while isinstance(parent, str) and depth < 4:
            depth += 1
            parent = self._parents.get(parent)
        return depth


def _started(_: str, data: dict[str, Any]) -> str:
    command = data.get("command")
    return _note("Session started", " ".join(map(str, command)) if isinstance(command, list) else "")


def _over(_: str, data: dict[str, Any]) -> str:
    code = data.get("exit_code")
    how = data.get("signal") or (data.get("reason") if code is None else f"exit status {code}")
    outcome = data.get("outcome") or "ok"
    why = "" if outcome == "ok" else f"; {outcome}: {data.get('outcome_reason')}"
    return _note("Session ended", f"{how} after {_took(data)}{why}")


def _prompt(_: str, data: dict[str, Any]) -> str:
    prompt = data.get("prompt")
    if data.get("unprompted"):
        origin = f" ({escaped(data['origin'])})" if data.get("origin") else ""
        return f'<p class="who">a turn that Claude Code began{origin}</p>'
    return (
        f'<p class="who">user</p>{_prose("(not recorded as a message)" if prompt is None else str(prompt))}'
    )


def _answer(_: str, data: dict[str, Any]) -> str:
    thinking, text = data.get("thinking"), data.get("text")
    thought = f"<details><summary>thinking</summary>{_text(thinking)}</details>" if thinking else ""
    return thought + (_prose(str(text)) if text else "")


def _asked(_: str, data: dict[str, Any]) -> str:
    command = data.get("command")
    if not isinstance(command, dict):
        return ""
    if command.get("queued"):
        return _note("Queued", command.get("prompt"))
    if command.get("action") in ("interrupt", "set_model", "set_permission_mode"):
        words = [str(value) for name, value in command.items() if name != "request_id"]
        return _note("The client asks", " ".join(words))
    return ""


def _call(_: str, data: dict[str, Any]) -> str:
    arguments = data.get("input")
    told = arguments if isinstance(arguments, dict) else {}
    line = next((told[name] for name in _TELLING if isinstance(told.get(name), str)), "")
    summary = " ".join(str(line)[:400].split())[:200]
    return (
        f'<details class="call"><summary><b dir="auto">{escaped(data.get("tool"), 200)}</b>'
        f' <bdi dir="auto">{escaped(summary)}</bdi></summary>{_text(_json(arguments), "pre")}</details>'
    )


def _result(event_type: str, data: dict[str, Any]) -> str:
    text = _plain(data.get("result"))
    head = f"{escaped(data.get('tool') or 'result', 200)}{' failed' if event_type == 'tool_failed' else ''}"
    shown = _text(text, "pre")
    if text.count("\n") > 12 or len(text) > 1200:
        first = escaped(" ".join(text[:400].split())[:160])
        shown = f'<details><summary><bdi dir="auto">{first}</bdi> …</summary>{shown}</details>'
    return f'<p class="head">{head} <span class="figures">{_took(data)}</span></p>{shown}'


def _permission(event_type: str, data: dict[str, Any]) -> str:
    if event_type == "permission_requested":
        return _note("May it use", data.get("tool"))
    answer = {"allow": "Allowed", "deny": "Denied"}.get(str(data.get("decision")), "Withdrawn")
    waited = data.get("waiting_ms")
    after = f" after {duration(waited)}" if isinstance(waited, int | float) else ""
    return _note(answer, f"{data.get('tool', '')}{after}")


def _ended(event_type: str, data: dict[str, Any]) -> str:
    figures = [_took(data)]
    if isinstance(cost := data.get("cost_usd"), int | float):
        figures.append(format_dollars(cost))
    if isinstance(turns := data.get("turns"), int):
        figures.append(f"{turns} {'call' if turns == 1 else 'calls'} of the model")
    errors = data.get("errors") if event_type != "run_completed" else None
    why = _text("\n".join(map(str, errors)), "pre") if isinstance(errors, list) else ""
    outcome = str(data.get("outcome") or "ok")
    word = "completed" if outcome == "ok" else outcome
    return f'<p class="end"><b>Turn {escaped(word)}</b> <span class="figures">{" · ".join(figures)}</span></p>{why}'


def _judged(_: str, data: dict[str, Any]) -> str:
    errors = data.get("errors")
    reasons = [str(one.get("message", "")) for one in errors if isinstance(one, dict)] if errors else []
    kind = "/".join(str(data[key]) for key in ("type", "subtype") if data.get(key))
    return _note(f"{data.get('stream')}: {data.get('verdict')}", "; ".join(reasons) or kind)


def _said(event_type: str, data: dict[str, Any]) -> str:
    names = ("text", "error", "reason", "trigger", "attempt", "error_status", "lost_records")
    said = ", ".join(str(data[name]) for name in names if data.get(name) is not None)
    return _note(event_type.replace("_", " "), said)


def _task(event_type: str, data: dict[str, Any]) -> str:
    said = data.get("summary") or data.get("description") or data.get("task_id")
    return _note(event_type.replace("_", " "), said)


def _note(word: str, text: object) -> str:
    return f'<p class="note"><b>{escaped(word)}</b> <bdi dir="auto">{escaped("" if text is None else text)}</bdi></p>'


def _text(text: object, kind: str = "p") -> str:
    return f'<{kind} class="text" dir="auto">{escaped(text)}</{kind}>'


def _prose(text: str) -> str:
    """Return what somebody said, with the code in it set apart."""
    if len(text) > _LONGEST:
        return _text(text)
    parts = re.split(r"^```", text, flags=re.MULTILINE)
    found = []
    for index, part in enumerate(parts):
        if index % 2:  # its first line names the language
            found.append(
                f'<pre class="text code" dir="ltr">{escaped(part.partition(chr(10))[2].rstrip())}</pre>'
            )
        elif part.strip():
            found.append(_text(part.strip("\n")))
    return "".join(found)


def _took(data: dict[str, Any]) -> str:
    took = data.get("duration_ms")
    return duration(took) if isinstance(took, int | float) else ""


def _plain(content: object) -> str:
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return "" if content is None else _json(content)
    return "\n".join(
        str(block.get("text")) if block.get("type") == "text" else f"[{block.get('type')}]"
        for block in content
        if isinstance(block, dict)
    )


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2, default=str)


_VIEWS: dict[str, Callable[[str, dict[str, Any]], str]] = {
    "session_started": _started,
    "session_ended": _over,
    "run_started": _prompt,
    "assistant_message": _answer,
    "command_received": _asked,
    "tool_started": _call,
    **dict.fromkeys(("tool_completed", "tool_failed"), _result),
    **dict.fromkeys(("permission_requested", "permission_resolved"), _permission),
    **dict.fromkeys(("run_completed", "run_failed", "run_interrupted"), _ended),
    **dict.fromkeys(("validation_failed", "protocol_drift"), _judged),
    **dict.fromkeys(("api_retry", "compaction", "recording_gap", "error", "notification"), _said),
    **dict.fromkeys(("task_started", "task_completed", "task_failed", "task_stopped"), _task),
}
"""How each kind of event reads; others are of no consequence for a reader, and the log has them."""
