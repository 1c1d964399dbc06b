"""A session as a person reads it in a terminal: who said what, which tools ran, what it took and cost.

Rules it lives by:

* A line is a moment, who, and what; what belongs to a subagent is moved in. Texts are folded beside who said them.
* Everything that was recorded goes through `printable`, and is shortened and says so: the record has the rest.
* Events tell what happened, as they do everywhere; lines that make none (of other programs, of stderr) are shown as
  they are.
"""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, Any, NamedTuple

from rich.text import Text

from proxy.cli.terminal import one_line, printable
from proxy.events import Event, Interpreter, Session
from proxy.events.fields import inner, integer, number, text
from proxy.events.formatting import SUMMARY_FIELDS, format_count, format_dollars, format_duration, quantity
from proxy.events.outcome import of_session
from proxy.events.timestamps import format_timestamp
from proxy.sessions.reader import Skipped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.console import Console

    from proxy.sessions.reader import Entry, Record

__all__ = ["Line", "Reading", "put"]

_LONGEST = 2000
"""Characters of a text that are shown."""
_MOST_LINES = 40
_MOST_RESULT_LINES = 10
_LONGEST_FIELD = 160
_MOST_FIELDS = 6
_WHO = 11
_DEEPEST = 4


class Line(NamedTuple):
    """Something to print: when, how deep in subagents, who, and what."""

    ts: str
    depth: int
    who: str
    what: str
    style: str = ""
    most_lines: int = _MOST_LINES


class Reading:
    """Makes lines of what is in a log."""

    def __init__(self, session_id: str) -> None:
        self._interpreter = Interpreter(Session(session_id))
        self._parents: dict[str, str | None] = {}
        """Calls without a result: who made them, None for the main agent."""
        self._denied: set[str] = set()
        self._about = self._last_said = ""

    def lines(self, item: Entry | Skipped) -> Iterator[Line]:
        """Yield what a piece of the log says to a person, if it says something."""
        if isinstance(item, Skipped):
            yield Line("", 0, "log", f"{item.detail} (byte {item.offset})", "red")
            return
        record = item.record
        events = self._interpreter.take(record)
        if record.stream == "stderr" or (record.stream in ("stdin", "stdout") and not record.has_message):
            if record.verdict != "malformed":  # which is told as an event
                yield Line(record.ts, 0, record.stream, _decoded(record), "dim")
        elif record.verdict == "text" and not events and not isinstance(record.value(), dict):
            yield Line(record.ts, 0, record.stream, _decoded(record), "dim")
        for event in events:
            yield from self._told(event, record)

    def crashed(self) -> Iterator[Line]:
        """Yield what is known from the lock of a log that has no end; no event says it."""
        session = self._interpreter.session
        session.mark_crashed()
        became = of_session(session)
        if became is not None and became.kind == "crashed":
            when = format_timestamp(session.last_record_us)
            yield Line(when, 0, "crashed", "the log has no end: its wrapper was killed", "bold red")

    def _told(self, event: Event, record: Record) -> Iterator[Line]:
        kind, data = event.event_type, event.data
        if record.stream == "api":
            said = json.dumps(data, ensure_ascii=False)
            yield Line(record.ts, 0, "client", f"{kind} {said}", "cyan")
            return
        if kind == "tool_started":
            self._parents[str(data.get("tool_use_id"))] = text(data, "parent_tool_use_id")
        depth = self._depth(data)
        if kind in ("validation_failed", "protocol_drift"):
            yield from _judged(data, _decoded(record))
        elif kind in _VIEWS and not self._is_told_already(kind, data):
            for line in _VIEWS[kind](data):
                yield self._in_context(line, kind, data)._replace(depth=depth)
        if kind in ("tool_completed", "tool_failed"):
            self._parents.pop(str(data.get("tool_use_id")), None)

    def _is_told_already(self, kind: str, data: dict[str, Any]) -> bool:
        """Whether another line says the same: a task's call and its result, each turn's model."""
        if kind.startswith("task_"):
            return text(data, "tool_use_id") in self._parents
        return kind == "session_initialized" and not self._is_new(data)

    def _in_context(self, line: Line, kind: str, data: dict[str, Any]) -> Line:
        match kind:
            case "assistant_message":
                self._last_said = text(data, "text") or self._last_said
            case "run_failed" if line.what.endswith(f"\n{self._last_said}"):
                return line._replace(what=line.what.removesuffix(f"\n{self._last_said}"))
            case "permission_resolved" if data.get("decision") == "deny":
                self._denied.add(str(data.get("tool_use_id")))
            case "tool_failed" if data.get("tool_use_id") in self._denied:
                self._denied.discard(str(data.get("tool_use_id")))
                return line._replace(who="denied")
        return line

    def _is_new(self, data: dict[str, Any]) -> bool:
        names = ("model", "claude_code_version", "permission_mode", "problems")
        about = " ".join(str(data.get(name)) for name in names)
        was, self._about = self._about, about
        return about != was

    def _depth(self, data: dict[str, Any]) -> int:
        parent = text(data, "parent_tool_use_id") or self._parents.get(str(data.get("tool_use_id")))
        depth = 0
        while parent is not None and depth < _DEEPEST:
            depth += 1
            parent = self._parents.get(parent)
        return depth


def put(console: Console, line: Line, before: str) -> str:
    """Print a line; return its date, to be given with the next one: where the date changes, it stands alone."""
    date = line.ts[:10] or before
    if line.who == "user" and before:
        console.print()
    if date != before:
        console.print(Text(f"{date} UTC", style="dim"))
    margin = " " * (10 + 2 * line.depth)
    head = Text.assemble(
        (f"{line.ts[11:19]:8}  ", "dim"),
        " " * (2 * line.depth),
        (f"{one_line(line.who, 40):{_WHO}}", line.style or "bold"),
        " ",
    )
    body_style = line.style if line.style in ("dim", "dim italic") else ""
    body = Text(printable(_shortened(line.what, line.most_lines), keep="\n").expandtabs(4), style=body_style)
    width = max(20, console.width - len(margin) - _WHO - 1) if console.is_terminal else 1 << 30
    pieces = [piece for part in body.split("\n", allow_blank=True) for piece in _folded(part, console, width)]
    if len(pieces) > line.most_lines + 1:
        pieces = [*pieces[: line.most_lines], Text("…")]
    for at, piece in enumerate(pieces or [Text()]):
        printed = head + piece if not at else Text(margin + " " * (_WHO + 1)) + piece
        printed.rstrip()
        console.print(printed)
    return date


def _folded(part: Text, console: Console, width: int) -> list[Text]:
    part.rstrip()
    return list(part.wrap(console, width, overflow="fold")) if part.cell_len > width else [part]


def _shortened(said: str, most_lines: int) -> str:
    said = said.expandtabs(4) if len(said) <= _LONGEST else said
    shown = said[:_LONGEST].rstrip().splitlines()
    lines = shown[:most_lines]
    left = said.count("\n", 0, 1 << 20) + 1 - len(lines) if len(shown) > most_lines else 0
    if len(said) > _LONGEST:
        size = sum(map(len, lines)) + len(lines) - 1
        lines.append(f"… {max(0, len(said) - size):,} more characters")
    elif left > 0:
        lines.append(f"… {quantity(left, 'more line')}")
    return "\n".join(lines)


def _decoded(record: Record) -> str:
    return record.line()[: 4 * _LONGEST].decode(errors="replace").rstrip("\r\n")


# -- how each kind of event reads ------------------------------------------------------------------------------


def _line(data: dict[str, Any], who: str, what: str, style: str = "", most_lines: int = _MOST_LINES) -> Line:
    return Line(str(data.get("timestamp", "")), 0, who, what, style, most_lines)


def _started(data: dict[str, Any]) -> Iterator[Line]:
    command = data.get("command")
    said = shlex.join(map(str, command)) if isinstance(command, list) else ""
    where = f"\nin {data['cwd']}" if data.get("cwd") else ""
    name = f"{data['name']}\n" if data.get("name") else ""
    yield _line(data, "started", f"{name}{said}{where}", "dim")


def _initialized(data: dict[str, Any]) -> Iterator[Line]:
    told = [data.get("model"), f"Claude Code {data.get('claude_code_version')}", data.get("permission_mode")]
    yield _line(data, "init", ", ".join(str(one) for one in told if one), "dim")
    problems = data.get("problems")
    if isinstance(problems, list) and problems:
        yield _line(data, "problem", "\n".join(map(str, problems)), "bold red")


def _ended(data: dict[str, Any]) -> Iterator[Line]:
    code = data.get("exit_code")
    how = text(data, "signal") or (text(data, "reason") if code is None else f"exit status {code}")
    took = format_duration(number(data, "duration_ms") or 0)
    parts = [f"{how} after {took}"]
    if turns := integer(data, "turns"):
        parts.append(quantity(turns, "turn"))
    if (cost := number(data, "cost_usd")) is not None:
        parts.append(format_dollars(cost))
    outcome, why = text(data, "outcome"), text(data, "outcome_reason")
    if outcome not in (None, "ok"):
        parts[-1] += f"\n{outcome}: {why}"
    yield _line(data, "ended", ", ".join(parts), "bold" if outcome in (None, "ok") else "bold red")


def _prompted(data: dict[str, Any]) -> Iterator[Line]:
    if (prompt := text(data, "prompt")) is not None:
        yield _line(data, "user", prompt, "bold cyan")
    elif data.get("unprompted"):
        origin = text(data, "origin")
        yield _line(data, "turn", f"begun by Claude Code{f' ({origin})' if origin else ''}", "bold cyan")


def _said(data: dict[str, Any]) -> Iterator[Line]:
    if thinking := text(data, "thinking"):
        yield _line(data, "thinking", thinking, "dim italic")
    if said := text(data, "text"):
        yield _line(data, "claude", said, "bold green")


def _commanded(data: dict[str, Any]) -> Iterator[Line]:
    command = inner(data, "command")
    match action := text(command, "action"):
        case "prompt" if command.get("queued"):
            yield _line(data, "queued", text(command, "prompt") or "", "cyan")
        case "prompt" | "respond" | "initialize" | "keep_alive":
            pass  # told as what comes of it
        case "request":
            yield _line(data, "client", str(command.get("subtype")), "cyan")
        case _:
            words = [str(value) for name, value in command.items() if name not in ("action", "request_id")]
            yield _line(data, "client", " ".join([str(action).replace("_", " "), *words]), "cyan")


def _called(data: dict[str, Any]) -> Iterator[Line]:
    given = inner(data, "input")
    told = next((name for name in SUMMARY_FIELDS if text(given, name)), None)
    first = f"{data.get('tool')}  {one_line(given[told])}" if told else str(data.get("tool"))
    left = [(name, value) for name, value in given.items() if name != told and value not in (None, "", False)]
    fields = [f"{name}: {_value(value)}" for name, value in left[:_MOST_FIELDS]]
    more = [f"… {quantity(len(left) - _MOST_FIELDS, 'more field')}"] if len(left) > _MOST_FIELDS else []
    if not given and data.get("input") not in (None, {}):
        fields = [_value(data.get("input"))]
    yield _line(data, "tool", "\n".join([first, *fields, *more]), "magenta")


def _value(value: object) -> str:
    said = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return one_line(said, _LONGEST_FIELD)


def _answered(data: dict[str, Any], *, failed: bool = False) -> Iterator[Line]:
    took = number(data, "duration_ms")
    head = " in ".join(
        [str(data.get("tool") or "a call"), *([] if took is None else [format_duration(took)])]
    )
    said = content_text(data.get("result")).strip("\n")
    apart = "\n" if "\n" in said else " "
    what = f"{head}:{apart}{said}" if said.strip() else head
    style = "bold red" if failed else "dim"
    yield _line(data, "failed" if failed else "result", what, style, _MOST_RESULT_LINES)


def _failed(data: dict[str, Any]) -> Iterator[Line]:
    yield from _answered(data, failed=True)


def _asked(data: dict[str, Any]) -> Iterator[Line]:
    yield _line(data, "permission", f"may it use {data.get('tool')}?", "yellow")


def _decided(data: dict[str, Any]) -> Iterator[Line]:
    answer = {"allow": "allowed", "deny": "denied"}.get(str(data.get("decision")), "withdrawn")
    waited = format_duration(number(data, "waiting_ms") or 0)
    yield _line(data, "permission", f"{data.get('tool')} {answer} after {waited}", "yellow")


def _over(data: dict[str, Any]) -> Iterator[Line]:
    outcome = text(data, "outcome") or "ok"
    parts = [
        f"{'completed' if outcome == 'ok' else outcome} after {format_duration(number(data, 'duration_ms') or 0)}"
    ]
    if (cost := number(data, "cost_usd")) is not None:
        total = number(data, "total_cost_usd")
        so_far = f" ({format_dollars(total)} so far)" if total and total != cost else ""
        parts.append(f"{format_dollars(cost)}{so_far}")
    if (calls := integer(data, "turns")) is not None:
        parts.append(quantity(calls, "call") + " of the model")
    errors = data.get("errors")
    why = [str(one) for one in errors] if outcome != "ok" and isinstance(errors, list) else []
    why = [str(data["outcome_reason"])] if outcome == "interrupted" and data.get("outcome_reason") else why
    yield _line(data, "turn ended", "\n".join([", ".join(parts), *why]), "bold" if not why else "bold red")


def _judged(data: dict[str, Any], line: str) -> Iterator[Line]:
    found = data.get("errors")
    errors = [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
    reasons = [f"{one.get('path', '')}: {one.get('message', '')}".lstrip(": ") for one in errors]
    held_back = ", held back" if data.get("held_back") else ""
    kind = "/".join(str(data[key]) for key in ("type", "subtype") if data.get(key))
    what = [f"on {data.get('stream')}{held_back}: {kind}".rstrip(": "), *reasons[:5], one_line(line, 200)]
    yield _line(data, str(data.get("verdict")), "\n".join(what), "red")


def _retried(data: dict[str, Any]) -> Iterator[Line]:
    cause = data.get("error_status") or data.get("error") or "no reason given"
    delay = number(data, "retry_delay_ms")
    wait = "" if delay is None else f", again in {format_duration(delay)}"
    yield _line(data, "retry", f"attempt {data.get('attempt')} at the API failed: {cause}{wait}", "yellow")


def _compacted(data: dict[str, Any]) -> Iterator[Line]:
    before, after = integer(data, "pre_tokens"), integer(data, "post_tokens")
    tokens = [] if before is None else [f"from {format_count(before)} tokens"]
    tokens += [] if after is None else [f"to {format_count(after)}"]
    how = f"({data['trigger']})" if data.get("trigger") else ""
    yield _line(data, "compacted", " ".join(["the conversation", *tokens, how]).strip(), "yellow")


def _limited(data: dict[str, Any]) -> Iterator[Line]:
    limit = inner(data, "limit")
    if text(limit, "status") not in (None, "allowed"):
        which = text(limit, "rateLimitType") or "usage"
        yield _line(data, "limit", f"{which}: {limit.get('status')}", "yellow")


def _lost(data: dict[str, Any]) -> Iterator[Line]:
    lost = quantity(integer(data, "lost_records") or 0, "line")
    yield _line(data, "gap", f"{lost} could not be recorded: {data.get('reason')}", "bold red")


def _wrong(data: dict[str, Any]) -> Iterator[Line]:
    if data.get("source") == "assistant":
        return  # its text has been said, and the turn's end says it again
    about = f"{data['request']} was refused: " if data.get("request") else f"{data.get('source')}: "
    yield _line(data, "error", f"{about}{data.get('error') or data.get('where') or ''}", "red")


def _noted(data: dict[str, Any]) -> Iterator[Line]:
    yield _line(data, "note", text(data, "text") or str(data.get("kind")), "yellow")


def _hooked(data: dict[str, Any]) -> Iterator[Line]:
    if data.get("outcome") in (None, "success"):
        return
    name = data.get("hook_name") or data.get("hook_event")
    said = content_text(data.get("output"))
    yield _line(data, "hook", f"{name}: {data['outcome']}\n{said}".rstrip(), "yellow")


def _task(data: dict[str, Any]) -> Iterator[Line]:
    word = str(data.get("event")).removeprefix("task_")
    said = text(data, "summary") or text(data, "description") or str(data.get("task_id"))
    yield _line(data, "task", f"{word}: {said}", "red" if word == "failed" else "magenta")


def content_text(content: object) -> str:
    """Return the text of a message's content, other blocks by their type."""
    if not isinstance(content, list):
        return "" if content is None else content if isinstance(content, str) else _value(content)
    parts = [block for block in content if isinstance(block, dict)]
    return "\n".join(
        str(part.get("text")) if part.get("type") == "text" else f"[{part.get('type')}]" for part in parts
    )


_VIEWS: dict[str, Callable[[dict[str, Any]], Iterator[Line]]] = {
    "session_started": _started,
    "session_initialized": _initialized,
    "session_ended": _ended,
    "run_started": _prompted,
    "assistant_message": _said,
    "command_received": _commanded,
    "tool_started": _called,
    "tool_completed": _answered,
    "tool_failed": _failed,
    "permission_requested": _asked,
    "permission_resolved": _decided,
    **dict.fromkeys(("run_completed", "run_failed", "run_interrupted"), _over),
    "api_retry": _retried,
    "compaction": _compacted,
    "rate_limited": _limited,
    "recording_gap": _lost,
    "error": _wrong,
    "notification": _noted,
    "hook_completed": _hooked,
    **dict.fromkeys(("task_started", "task_completed", "task_failed", "task_stopped"), _task),
}
"""Others are of no consequence for a reader, and the log has them."""
