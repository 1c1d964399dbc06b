"""A session as people and the API see it: what it does, since when, from what evidence, what it waits for.

The known ways to hang are named with the figures that they are taken from. They are hints, not verdicts: a tool may
take long, and a model may think for minutes.
"""

from collections.abc import Iterator
from typing import Any

from proxy.acting.verbs import possible
from proxy.events import shown_session
from proxy.events.session import Evidence, Question, Request, Run, Session, Task, Tool
from proxy.events.session_outcome import UNSEEN_END, described
from proxy.events.timestamps import format_timestamp

NO_INIT_S = 30
"""Claude Code begins a turn within seconds, unless it waits for a lock, a network or a plugin."""
SILENT_STREAM_S = 120
"""The API sends pings at least that often, and Claude Code retries after that."""
LONG_TOOL_S = 300
"""Twice the default time limit of the Bash tool, and a minute."""
UNANSWERED_S = 60
"""The SDKs give hooks, and their own control requests, 60 s by default; a person may need longer."""
NO_EXIT_S = 10
"""With one prompt, Claude Code exits within a second of its result."""
_KNOWN = (
    *("session_id", "name", "prompt", "kind", "state", "pid", "command", "cwd", "model", "permission_mode"),
    *("claude_code_version", "claude_session_id", "problems", "counts", "lost_records"),
)
"""What is shown of a session as it is known."""
_FIGURES = (
    *("events", "turns", "subagents", "tokens", "cost_by_model"),
    *("tool_calls", "tool_failures", "tool_denials"),
)
"""The figures that are shown under their own names."""
_AT_ITS_TERMINAL = {"input needed": "input at its terminal", "dialog open": "a dialog at its terminal"}


def describe(session: Session, now_us: int) -> shown_session.Session:
    """Return what ``/status`` says of a session, as far as it follows from its records."""
    over, followed = session.over, session.followed
    known = {name: getattr(session, name) for name in _KNOWN}
    figures = {name: getattr(session.figures, name) for name in _FIGURES}
    return shown_session.Session(
        **known,
        **figures,
        mode="relayed" if followed is None else "followed",
        recording=_recording(session),
        background=followed is not None and followed.background and not over,
        **described(session),
        state_since=_timestamp(session.state_since_us),
        state_for_ms=None if over or not session.state_since_us else _ms(session.state_since_us, now_us),
        evidence=_evidence(session.evidence),
        waits_for=[] if over else waits_for(session, now_us),
        warnings=[{"kind": kind, "message": sentence} for kind, sentence in warnings(session, now_us)],
        started_at=_timestamp(session.started_us),
        last_event_at=_timestamp(session.last_event_us),
        last_record_at=_timestamp(session.last_record_us),
        ended_at=_timestamp(session.ended_us),
        exit_code=session.exit.get("exit_code"),
        signal=session.exit.get("signal"),
        acting=_acting(session),
        run_id=session.run.run_id if session.run and not over else None,
        duration_ms=session.duration_ms(now_us),
        cost=session.figures.cost_usd,
        cost_reason=_cost_reason(session),
    )


def _evidence(known: Evidence) -> shown_session.Evidence:
    source: Any = known.source or ("stated" if known.stated else "inferred")
    return {"seq": known.seq, "message": known.message, "source": source}


def _acting(session: Session) -> Any:
    """Return what others may do to a session."""
    can = () if session.over else possible(session.grant, session.command, paused=session.paused)
    return {"grant": session.grant, "can": list(can), "paused": session.paused and not session.over}


def _recording(session: Session) -> shown_session.Recording:
    """Return whether a session is recorded, and if not, why."""
    followed = session.followed
    if followed is None or (followed.content and followed.not_recorded is None):
        return {"state": "recorded", "why": None}
    if not followed.content:
        return {"state": "states alone", "why": "With --interactive status no content is recorded."}
    return {"state": "not recorded", "why": followed.why_not_recorded}


def _cost_reason(session: Session) -> str | None:
    """Return why it is not known, or not all, what a session has cost; None where it is known."""
    followed = session.followed
    if session.prints == "text":
        return "With text output Claude Code does not say what a turn cost."
    if session.cost_is_mixed:
        return "Claude Code's total holds what the conversation cost before, and it does not say how much that was."
    if followed is None or not (followed.usage or followed.cost_is_mixed):
        return None
    if followed.cost_is_mixed:
        return "Claude Code's total holds what others took of the same conversation."
    if session.over:
        return "Claude Code ended before it wrote what the conversation cost."
    return "Claude Code writes what a conversation cost when that ends."


def waits_for(session: Session, now_us: int) -> list[Any]:
    """Return what a session waits for, each with a ``label`` for people.

    Answers of the caller, its own work in an MCP server of its, tools, tasks, or else the model; and Claude Code, for
    answers to the caller's requests. A tool whose permission is asked for does not run, so nobody waits for it.
    """
    return [wait | {"label": _label(wait)} for wait in _waits(session, now_us)]


def _label(wait: dict[str, Any]) -> str:
    kind = wait.get("kind", "")
    if kind == "can_use_tool":
        return f"permission to use {wait['tool'] or 'a tool'}"
    labels = {
        "answer": f"an answer to {wait.get('kind')}",
        "tool": f"the tool {wait.get('tool')}",
        "client": f"the caller's MCP server {wait.get('server') or ''}".rstrip(),
        "task": f"the task {wait.get('description') or wait.get('task_id')}",
        "claude": f"Claude Code to answer {wait.get('request')}",
        "turn": "the end of the turn",
        "model": "the model",
    }
    runs_there = ", which the caller runs" if wait.get("runs_in") == "client" else ""
    return _AT_ITS_TERMINAL.get(kind) or labels[wait["what"]] + runs_there


def _waits(session: Session, now_us: int) -> list[dict[str, Any]]:
    asked, tools, run = session.asked, session.tools, session.run
    work = {key: question for key, question in session.questions.items() if question.is_work}
    is_asked = {one.tool_use_id for one in asked.values()}
    is_worked_on = {one.tool_use_id for one in work.values()}
    found = []
    for key, one in asked.items():
        found.append(_wait("answer", one, now_us, kind=one.kind, request_id=key, tool=one.tool))
    for key, tool in tools.items():
        if key not in is_asked:
            runs_in = "client" if key in is_worked_on else "claude"
            found.append(_wait("tool", tool, now_us, tool=tool.name, tool_use_id=key, runs_in=runs_in))
    for key, one in work.items():
        if one.tool_use_id not in tools:
            about = {"kind": one.kind, "request_id": key, "server": one.server, "method": one.method}
            found.append(_wait("client", one, now_us, **about))
    for key, task in session.tasks.items():
        found.append(_wait("task", task, now_us, task_id=key, description=task.description))
    if not found and run is not None and session.prints is not None:
        found.append(_wait("turn", run, now_us))
    elif not found and run is not None and session.state != "idle":
        since = max(run.since_us, session.last_output_us)
        found.append(_wait("model", Run(run.run_id, session.last_seq, since), now_us))
    for key, request in session.requests.items():
        found.append(_wait("claude", request, now_us, request=request.subtype, request_id=key))
    return found


def _wait(
    what: str, cause: Run | Tool | Question | Request | Task, now_us: int, **about: Any
) -> dict[str, Any]:
    since = {"since": _timestamp(cause.since_us), "for_ms": _ms(cause.since_us, now_us), "seq": cause.seq}
    return {"what": what, **about, **since}


def warnings(session: Session, now_us: int) -> list[tuple[str, str]]:
    """Return the known ways to hang that a session shows: a name and a sentence each."""
    if session.over:
        return [*_of_recording(session), *_after_the_end(session)]
    return [*_of_recording(session), *_of_the_turn(session, now_us), *_of_requests(session, now_us)]


def _of_recording(session: Session) -> Iterator[tuple[str, str]]:
    if session.followed is not None and session.followed.not_recorded is not None:
        which = "Not recorded" if session.over else "Running, not recorded"
        yield "not_recorded", f"{which}: {session.followed.why_not_recorded}"


def _of_the_turn(session: Session, now_us: int) -> Iterator[tuple[str, str]]:
    run = session.run if session.writes_in_turn else None
    if run is not None and not run.heard and (age := _s(run.since_us, now_us)) >= NO_INIT_S:
        yield "no_init", f"Claude Code has said nothing for {age} s since the prompt."
    elif run is not None and not session.tools and not session.questions:
        silent = _s(max(run.since_us, session.last_output_us), now_us)
        if silent >= SILENT_STREAM_S:
            said = f"Nothing has come from Claude Code for {silent} s in the middle of a turn."
            yield "silent_stream", said
    for key, tool in session.tools.items():
        if (age := _s(tool.since_us, now_us)) >= LONG_TOOL_S and not session.asked:
            yield "tool_running_long", f"The tool {tool.name} ({key}) has been running for {age} s."
    if session.one_prompt and session.figures.turns and session.run is None:
        age = _s(max(session.state_since_us, session.last_output_us), now_us)
        if age >= NO_EXIT_S:
            yield "result_without_exit", f"The result came {age} s ago and the command has not exited."


def _of_requests(session: Session, now_us: int) -> Iterator[tuple[str, str]]:
    for key, question in session.asked.items():
        if question.is_menu:
            continue
        if (age := _s(question.since_us, now_us)) >= UNANSWERED_S:
            kind = "permission_unanswered" if question.kind == "can_use_tool" else "request_unanswered"
            who = "The caller" if session.followed is None else "The user"
            yield kind, f"{who} has not answered {question.kind} ({key}) for {age} s."
    for key, request in session.requests.items():
        if (age := _s(request.since_us, now_us)) >= UNANSWERED_S:
            yield "claude_unanswered", f"Claude Code has not answered {request.subtype} ({key}) for {age} s."


def _after_the_end(session: Session) -> list[tuple[str, str]]:
    if session.crash is not None:
        return [("crashed", "The log does not end and nobody holds it: the wrapper was killed.")]
    if session.state == "failed":
        return [("killed", UNSEEN_END)]
    if session.ended_in_turn:
        return [("exit_without_result", "The command ended in the middle of a turn, without a result.")]
    return []


def _timestamp(timestamp_us: int) -> str | None:
    return format_timestamp(timestamp_us) if timestamp_us else None


def _ms(since_us: int, now_us: int) -> float:
    return max(0.0, (now_us - since_us) / 1000)


def _s(since_us: int, now_us: int) -> int:
    return max(0, (now_us - since_us) // 1_000_000)
