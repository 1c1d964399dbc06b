"""What each kind of event says to a reader, and what lines say that are no messages.

Each event is told by itself: whatever telling it takes is in it, so that a view can begin anywhere in a session.
"""

import shlex
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import msgspec

from proxy.events import Event, Session
from proxy.events.fields import inner, integer, items, number, text
from proxy.events.formatting import format_count, format_dollars, format_duration, quantity
from proxy.events.session_outcome import of_session
from proxy.events.spending import told_tokens
from proxy.events.timestamps import format_timestamp
from proxy.sessions.reader import Record
from proxy.telling.calls import call, content_text, one_line, result
from proxy.telling.entry import Entry, Part, Tone
from proxy.telling.shortening import shorten_text, shorten_value

LONGEST = 4000
"""Characters of a text, unless a view has room for more."""
_TEXT_LINES = 40
"""Of what is said by somebody: about a screen."""

Data = dict[str, Any]


def tell(event: Event, longest: int = LONGEST) -> Entry:
    """Return what an event says; an entry without parts says nothing. ``longest``: characters of each text."""
    data, event_type = event.data, event.event_type
    if data.get("event") != event_type or "timestamp" not in data:  # a client's own
        part = Part("client", "client", event_type, fields=data, tone="faint")
        return _entry([part], longest, event_type, {"timestamp": format_timestamp(event.timestamp_us)})
    view = _VIEWS.get(event_type)
    return _entry([] if view is None else list(view(data)), longest, event_type, data)


def tell_record(record: Record | None, events: Sequence[Event], longest: int = LONGEST) -> Iterator[Entry]:
    """Yield what a record and its events say; without a record, what events of none do."""
    yield from (entry for event in events if (entry := tell(event, longest)).parts)
    # Events of rules come first, and are not the record's own.
    if record is not None and (not events or events[-1].event_type == "rule_fired"):
        yield from _line(record, longest)


def _line(record: Record, longest: int) -> Iterator[Entry]:
    """Yield what a line says that makes no event: of stderr, or of a program that speaks no messages."""
    is_line = record.stream in ("stdin", "stdout", "stderr", "transcript")
    # A line may be no message though it happens to be JSON.
    is_text = record.stream == "stderr" or not record.has_message or record.verdict == "text"
    if not is_line or record.verdict == "malformed" or not is_text:
        return
    said = record.line()[: 4 * longest].decode(errors="replace").strip("\r\n")
    if said.strip():
        part = Part("output", record.stream, text=said, form="code", tone="faint", lines=_TEXT_LINES)
        yield _entry([part], longest, "", {"timestamp": record.ts, "seq": record.seq})


def tell_crash(session: Session) -> Iterator[Entry]:
    """Yield what is known from the lock of a log that has no end; no event says it."""
    outcome = of_session(session)
    if outcome is not None and outcome.kind == "crashed":
        part = Part("session", "crashed", "the log has no end: its wrapper was killed", tone="bad")
        yield Entry(format_timestamp(session.last_record_us) if session.last_record_us else "", [part])


def _entry(parts: list[Part], longest: int, event: str, about: Data) -> Entry:
    shown, shortened = [], False
    for part in parts:
        said, has_cut = shorten_text(part.text, longest)
        fields, fields_cut = shorten_value(part.fields, longest)
        if has_cut or fields_cut:
            part, shortened = msgspec.structs.replace(part, text=said, fields=fields), True  # noqa: PLW2901
        shown.append(part)
    return Entry(
        timestamp=text(about, "at") or text(about, "timestamp") or "",
        parts=shown,
        event=event,
        seq=integer(about, "seq"),
        depth=integer(about, "depth") or 0,
        tool_use_id=text(about, "tool_use_id"),
        shortened=shortened,
    )


# -- the session -----------------------------------------------------------------------------------------------


def _started(data: Data) -> Iterator[Part]:
    command = data.get("command")
    said = [shlex.join(map(str, command))] if isinstance(command, list) else []
    if data.get("cwd"):
        said.append(f"in {data['cwd']}")
    yield Part("session", "started", text(data, "name") or "", text="\n".join(said), tone="faint")


def _initialized(data: Data) -> Iterator[Part]:
    if data.get("changed") is not True:
        return  # every turn begins with one
    version = text(data, "claude_code_version")
    shown = [data.get("model"), version and f"Claude Code {version}", data.get("permission_mode")]
    yield Part("session", "init", ", ".join(str(one) for one in shown if one), tone="faint")
    problems = data.get("problems")
    for problem in problems if isinstance(problems, list) else []:
        yield _problem("problem", str(problem))


def _ended(data: Data) -> Iterator[Part]:
    code = data.get("exit_code")
    how = text(data, "signal") or (text(data, "reason") if code is None else f"exit status {code}")
    title = f"{how or 'no exit status'} after {format_duration(number(data, 'duration_ms') or 0)}"
    figures = [quantity(turns, "turn")] if (turns := integer(data, "turns")) else []
    figures += [] if (cost := number(data, "cost_usd")) is None else [format_dollars(cost)]
    outcome = text(data, "outcome") or ("unknown" if data.get("outcome_reason") else "ok")
    why = "" if outcome == "ok" else f"{outcome}: {data.get('outcome_reason')}"
    tone: Tone = "" if outcome == "ok" else "bad"
    yield Part("session", "ended", title, text=why, figures=figures, tone=tone)


# -- who speaks ------------------------------------------------------------------------------------------------


def _prompted(data: Data) -> Iterator[Part]:
    if (prompt := text(data, "prompt")) is not None:
        yield Part("prompt", "user", text=prompt, form="markdown", lines=_TEXT_LINES)
    elif data.get("unprompted"):
        origin = f" ({data['origin']})" if data.get("origin") else ""
        yield Part("prompt", "turn", f"begun by Claude Code{origin}")
    elif data.get("prompt_on"):
        yield Part("prompt", "turn", f"its prompt is on {data['prompt_on']}")


def _said(data: Data) -> Iterator[Part]:
    if thinking := text(data, "thinking"):
        yield Part("thinking", "thinking", text=thinking, tone="faint", lines=_TEXT_LINES)
    elif thinking is not None and not text(data, "text"):
        yield Part("thinking", "thinking", "not shown by the model", tone="faint")
    if said := text(data, "text"):
        yield Part("answer", "claude", text=said, form="markdown", lines=_TEXT_LINES)


def _commanded(data: Data) -> Iterator[Part]:
    command = inner(data, "command")
    match action := text(command, "action"):
        case "prompt" if command.get("queued"):
            yield Part("prompt", "queued", text=text(command, "prompt") or "", form="markdown")
        case "prompt" | "respond" | "initialize" | "keep_alive":
            pass  # told as what comes of it
        case "request":
            yield Part("client", "client", str(command.get("subtype")))
        case _:
            given = [value for name, value in command.items() if name not in ("action", "request_id")]
            words = [str(action).replace("_", " "), *map(one_line, given)]
            yield Part("client", "client", " ".join(words))


# -- tools and permissions -------------------------------------------------------------------------------------


def _called(data: Data) -> Iterator[Part]:
    yield call(text(data, "tool") or "", data.get("input"))


def _answered(data: Data) -> Iterator[Part]:
    yield result(str(data["event"]), data)


def _asked(data: Data) -> Iterator[Part]:
    given = call(text(data, "tool") or "", data.get("input"))
    yield Part("permission", "permission", f"may it use {data.get('tool')}?", given.summary, tone="warn")


def _decided(data: Data) -> Iterator[Part]:
    answer = {"allow": "allowed", "deny": "denied"}.get(str(data.get("decision")), "withdrawn")
    waited = format_duration(number(data, "waiting_ms") or 0)
    tone: Tone = "good" if answer == "allowed" else "warn"
    yield Part("permission", "permission", f"{data.get('tool')} {answer} after {waited}", tone=tone)


# -- the end of a turn -----------------------------------------------------------------------------------------


_TURN_TONES: Final[dict[str, Tone]] = {"ok": "good", "failed": "bad"}


def _over(data: Data) -> Iterator[Part]:
    outcome = text(data, "outcome") or "ok"
    figures = []
    if (cost := number(data, "cost_usd")) is not None:
        paid, so_far = format_dollars(cost), format_dollars(number(data, "total_cost_usd") or cost)
        figures.append(paid if so_far == paid else f"{paid} ({so_far} so far)")
    if tokens := _tokens(told_tokens(data)):
        figures.append(tokens)
    errors, reason = data.get("errors"), text(data, "outcome_reason") or ""
    why = "\n".join(map(str, errors)) if isinstance(errors, list) and outcome != "interrupted" else reason
    word = "completed" if outcome == "ok" else outcome
    title = f"{word} after {format_duration(number(data, 'duration_ms') or 0)}"
    said, tone = "" if outcome == "ok" else why or reason, _TURN_TONES.get(outcome, "warn")
    yield Part("turn", "turn ended", title, text=said, figures=figures, tone=tone, lines=_TEXT_LINES)


def _tokens(tokens: dict[str, int]) -> str:
    written = tokens.pop("output", 0)
    read = sum(tokens.values())
    return f"{format_count(read)} tokens in, {format_count(written)} out" if read or written else ""


# -- what else happens -----------------------------------------------------------------------------------------


def _task(data: Data) -> Iterator[Part]:
    if data.get("foreground") is True:
        return  # its call says the same
    word = str(data.get("event")).removeprefix("task_")
    said = text(data, "summary") or text(data, "description") or str(data.get("task_id"))
    yield Part("task", "task", word, text=said, tone="bad" if word == "failed" else "", lines=_TEXT_LINES)


def _hooked(data: Data) -> Iterator[Part]:
    if data.get("outcome") in (None, "success"):
        return
    title = f"{data.get('hook_name') or data.get('hook_event')}: {data['outcome']}"
    yield _note("hook", title, content_text(data.get("output")))


def _noted(data: Data) -> Iterator[Part]:
    yield _note("note", "", text(data, "text") or str(data.get("kind")))


def _retried(data: Data) -> Iterator[Part]:
    cause = data.get("error_status") or data.get("error") or "no reason given"
    attempt = f"attempt {data.get('attempt')} of {data.get('max_retries')}"
    delay = number(data, "retry_delay_ms")
    wait = "" if delay is None else f", again in {format_duration(delay)}"
    yield _note("retry", f"{attempt} at the API failed: {one_line(cause)}{wait}")


def _compacted(data: Data) -> Iterator[Part]:
    before, after = integer(data, "pre_tokens"), integer(data, "post_tokens")
    tokens = [] if before is None else [f"from {format_count(before)} tokens"]
    tokens += [] if after is None else [f"to {format_count(after)}"]
    how = f"({data['trigger']})" if data.get("trigger") else ""
    yield _note("compacted", " ".join(["the conversation", *tokens, how]).strip())


def _limited(data: Data) -> Iterator[Part]:
    limit = inner(data, "limit")
    if text(limit, "status") not in (None, "allowed"):
        yield _note("limit", f"{text(limit, 'rateLimitType') or 'usage'}: {limit.get('status')}")


def _note(label: str, title: str, said: str = "") -> Part:
    return Part("note", label, title, text=said, tone="warn", lines=_TEXT_LINES)


# -- what is wrong ---------------------------------------------------------------------------------------------


def _judged(data: Data) -> Iterator[Part]:
    held_back = ", held back" if data.get("held_back") else ""
    kind = "/".join(str(data[key]) for key in ("type", "subtype") if data.get(key))
    errors = list(items(data, "errors"))[:5]
    reasons = [f"{one.get('path', '')}: {one.get('message', '')}".lstrip(": ") for one in errors]
    said = "\n".join([*reasons, one_line(data.get("raw") or "")]).strip("\n")
    title = f"on {data.get('stream')}, record {data.get('seq')}{held_back}: {kind}".rstrip(": ")
    yield _problem(str(data.get("verdict")), title, said)


def _lost(data: Data) -> Iterator[Part]:
    lost = quantity(integer(data, "lost_records") or 0, "line")
    yield _problem("gap", f"{lost} could not be recorded: {data.get('reason')}")


def _acted(data: Data) -> Iterator[Part]:
    by, given = inner(data, "by"), one_line(inner(data, "args"))
    who = f" by {by['name']}" if by.get("name") else ""
    yield Part("note", "action", f"{data.get('action')}{who}", given if given != "{}" else "", tone="warn")


def _action_ended(data: Data) -> Iterator[Part]:
    said = text(data, "effect") or text(data, "error") or "done"
    ended = str(data["event"]).removeprefix("action_")
    tone: Tone = "good" if ended == "confirmed" else "bad" if ended == "failed" else "warn"
    yield Part("note", "action", f"{data.get('action')} {ended}: {said}", tone=tone)


def _policy(data: Data) -> Iterator[Part]:
    rules = quantity(integer(data, "rules") or 0, "rule")
    if data["event"] == "policy_applied":
        yield Part("note", "policy", f"in force: {rules}", tone="good")
    else:
        yield _problem("policy", f"not in force: {rules}: {data.get('why')}")


def _ruled(data: Data) -> Iterator[Part]:
    ((condition, limit),) = (data.get("when") or {"": None}).items()
    reached = f"{data.get('rule')}: {condition} is {data.get('value')}, the limit {limit}"
    does = "is near" if data.get("warning") else str(data.get("do"))
    how = " (dry run)" if data.get("mode") == "dry_run" else ""
    how += ": not possible without --act" if "refused" in data else ""
    yield _problem("rule", reached, f"{does}{how}")


def _wrong(data: Data) -> Iterator[Part]:
    if data.get("source") == "assistant":
        return  # its text has been said, and the turn's end says it again
    about = f"{data['request']} was refused" if data.get("request") else str(data.get("source"))
    yield _problem("error", f"{about}:", str(data.get("error") or data.get("where") or ""))


def _problem(label: str, title: str, said: str = "") -> Part:
    return Part("problem", label, title, text=said, tone="bad", lines=_TEXT_LINES)


_VIEWS: Final[dict[str, Callable[[Data], Iterator[Part]]]] = {
    "session_started": _started,
    "session_initialized": _initialized,
    "session_ended": _ended,
    "run_started": _prompted,
    "assistant_message": _said,
    "command_received": _commanded,
    "tool_started": _called,
    **dict.fromkeys(("tool_completed", "tool_failed", "tool_denied"), _answered),
    "permission_requested": _asked,
    "permission_resolved": _decided,
    **dict.fromkeys(("run_completed", "run_failed", "run_interrupted"), _over),
    **dict.fromkeys(("task_started", "task_completed", "task_failed", "task_stopped"), _task),
    "hook_completed": _hooked,
    "notification": _noted,
    "api_retry": _retried,
    "compaction": _compacted,
    "rate_limited": _limited,
    **dict.fromkeys(("validation_failed", "protocol_drift"), _judged),
    "recording_gap": _lost,
    "error": _wrong,
    "action_requested": _acted,
    **dict.fromkeys(("action_confirmed", "action_failed", "action_refused"), _action_ended),
    **dict.fromkeys(("policy_applied", "policy_failed"), _policy),
    "rule_fired": _ruled,
}
TOLD: Final = frozenset(_VIEWS)
"""Kinds of events that say something; others are of no consequence to a reader, and the log has them."""
