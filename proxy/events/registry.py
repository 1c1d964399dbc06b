"""What the recorder of an interactive session says besides lines: Claude Code's registry, and how recording stands.

The registry says what Claude Code does, and often before the line is written that tells why. So states come from here,
and events of a permission from whichever of the two tells the rest: see `match_prompts` and `decided`.
"""

from collections.abc import Callable
from typing import Final, Literal

from proxy.events.emitter import Emitter
from proxy.events.fields import Message, inner, known, number, text
from proxy.events.session import AGENT_TOOLS, Answer, Followed, PermissionPrompt, Question, Task, Tool
from proxy.events.spending import stated_usage
from proxy.events.vocabulary import State

_STATES: dict[str, State] = {"idle": "idle", "shell": "idle", "busy": "executing", "waiting": "waiting"}
"""What the registry's words mean; ``shell`` is idle while a shell runs in the background."""
PERMISSION: Final = "permission prompt"
INPUT: Final = "input needed"
ASKED: Final = "AskUserQuestion"
"""The tool that asks the user; what it waits for is the answer, and no permission."""
_REGISTRY: Final = "registry"
"""The key of the question that the registry tells of: there is one at a time."""
_MOST_PROMPTS = 20
"""Permission prompts that no line has told of yet; more are not open at a time."""


def take(emitter: Emitter, followed: Followed, event_type: str, data: Message) -> None:
    """Take one lifecycle record of a followed session; one of another kind says nothing here."""
    handler = _HANDLERS.get(event_type)
    if handler is not None:
        handler(emitter, followed, data)


# -- what Claude Code does -------------------------------------------------------------------------------------


def _status(emitter: Emitter, followed: Followed, data: Message) -> None:
    emitter.happened(text(data, "since"), _REGISTRY)
    status, waiting_for = text(data, "status"), text(data, "waiting_for")
    if data.get("gone") is True:
        status = None
    else:
        _initialized(emitter, data)
    was_open = emitter.session.questions.pop(_REGISTRY, None) is not None
    if was_open and followed.prompts:
        last = followed.prompts[-1]
        last.until_us = last.until_us or emitter.timestamp_us
    followed.status, followed.background = status, status == "shell"
    followed.states_are_told = followed.states_are_told or status is not None
    if status == "waiting":
        _open_prompt(emitter, followed, waiting_for or "an answer")
    if status in _STATES:
        emitter.change_state(_STATES[status], f"claude_status/{status}", stated=True)
    if status is not None:
        emitter.emit("status_changed", status=status, source=_REGISTRY, **known(waiting_for=waiting_for))
    match_prompts(emitter, followed)


def _initialized(emitter: Emitter, data: Message) -> None:
    session, conversation = emitter.session, text(data, "claude_session_id")
    if conversation is None or conversation == session.claude_session_id:
        return
    version = text(data, "version")
    session.claude_session_id, session.initialized = conversation, True
    session.claude_code_version = version or session.claude_code_version
    about = {"claude_session_id": conversation, "claude_code_version": version, "changed": True}
    emitter.emit("session_initialized", **about)


# -- permissions -----------------------------------------------------------------------------------------------


def _open_prompt(emitter: Emitter, followed: Followed, waiting_for: str) -> None:
    kind = "can_use_tool" if waiting_for == PERMISSION else waiting_for
    emitter.session.questions[_REGISTRY] = Question(kind, emitter.seq, emitter.timestamp_us)
    if waiting_for in (PERMISSION, INPUT) and emitter.timestamp_us > followed.decided_us:
        asked = PermissionPrompt(waiting_for, emitter.seq, emitter.timestamp_us)
        followed.prompts = [*followed.prompts[-_MOST_PROMPTS:], asked]


def match_prompts(emitter: Emitter, followed: Followed) -> None:
    """Say which tool an open prompt asks for, as soon as that is known: the first that was called and has no answer.

    Claude Code asks for one tool after the other, in the order in which the model has called them. For a subagent it
    asks only where a rule says so: what such a call waits for is nearly always a prompt of the subagent's own.
    """
    question = emitter.session.questions.get(_REGISTRY)
    prompt = followed.prompts[-1] if followed.prompts else None
    if question is None or prompt is None or prompt.until_us or prompt.tool_use_id is not None:
        return
    taken = {one.tool_use_id for one in followed.prompts}
    for tool_use_id, tool in emitter.session.tools.items():
        is_meant = (tool.name == ASKED) == (prompt.kind == INPUT) and tool.since_us <= prompt.since_us
        if is_meant and tool_use_id not in taken and not (tool.is_agent or tool.name in AGENT_TOOLS):
            question.tool, question.tool_use_id = tool.name, tool_use_id
            _ask(emitter, prompt, tool_use_id, tool)
            return


def _ask(emitter: Emitter, prompt: PermissionPrompt, tool_use_id: str, tool: Tool) -> None:
    prompt.tool_use_id = tool_use_id
    emitter.ask_permission(f"prompt-{tool_use_id}", _question(prompt, tool_use_id, tool))


def _question(prompt: PermissionPrompt, tool_use_id: str, tool: Tool) -> Question:
    return Question("can_use_tool", prompt.seq, prompt.since_us, tool.name, tool_use_id)


def decided(
    emitter: Emitter, followed: Followed, tool_use_id: str, decision: Literal["allow", "deny"] | None
) -> None:
    """Take the end of a tool's call: what the user decided on it, None where nobody asked.

    Each tool that was asked for gets its answer, and each that was decided on its question: the registry may have been
    too quick to be seen.
    """
    tool = emitter.session.tools.get(tool_use_id)
    if tool is None:
        return
    if decision is not None:
        followed.decided_us = max(followed.decided_us, emitter.timestamp_us)
    now_us = emitter.timestamp_us
    prompt = next((one for one in followed.prompts if one.tool_use_id == tool_use_id), None)
    if prompt is None:
        if decision is None:
            return
        # The one that was answered now, and of which nobody knows yet what it asked for.
        unmatched = (one for one in followed.prompts if one.tool_use_id is None and one.since_us <= now_us)
        prompt = next(unmatched, None) or PermissionPrompt(PERMISSION, emitter.seq, now_us)
        _ask(emitter, prompt, tool_use_id, tool)
    question, answer = _question(prompt, tool_use_id, tool), Answer(decision, "caller", 0)
    until_us = min(prompt.until_us or now_us, now_us)
    emitter.resolve_permission(f"prompt-{tool_use_id}", question, answer, until_us)
    if decision is None and (not prompt.until_us or now_us <= prompt.since_us):
        _take_back(emitter, prompt)
    else:
        followed.prompts = [one for one in followed.prompts if one is not prompt]


def _take_back(emitter: Emitter, prompt: PermissionPrompt) -> None:
    """Say that a prompt asks for another tool than was thought: that one ran while it was open, or before."""
    prompt.tool_use_id = None
    question = emitter.session.questions.get(_REGISTRY)
    if question is not None and question.seq == prompt.seq:
        question.tool = question.tool_use_id = None


# -- how recording stands --------------------------------------------------------------------------------------


def _opened(emitter: Emitter, followed: Followed, data: Message) -> None:
    if text(data, "why") == "subagent":
        _subagent(emitter, followed, data)
        return
    session = emitter.session
    before = inner(data, "cost_before")
    session.spending.begin_conversation(number(before, "totalCostUSD") or 0.0, stated_usage(before) or {})
    followed.usage.clear()
    # A fork goes on from the total of the conversation that it copies, and does not copy that.
    is_unknown = data.get("cost_before") is None and ("cost_before" in data or text(data, "why") == "forked")
    followed.cost_is_mixed = followed.cost_is_mixed or is_unknown


def _subagent(emitter: Emitter, followed: Followed, data: Message) -> None:
    file, parent = text(data, "file") or "", text(data, "parent_tool_use_id")
    agent_id = file.rpartition("/")[2].removesuffix(".jsonl").removeprefix("agent-")
    followed.agents[file] = parent
    call, description = emitter.session.tools.get(parent or ""), text(data, "description") or ""
    fields: Message = {"task_id": agent_id, "description": description}
    fields |= known(tool_use_id=parent, subagent_type=text(data, "agent_type"))
    if call is not None:  # it has not returned, so whoever made it waits for the task
        fields |= {"foreground": True, **call.about_depth(), **emitter.subagent(parent)}
    elif parent not in followed.finished:
        fields["new_subagent"] = True
    if parent not in followed.finished:
        task = Task(description, emitter.seq, emitter.timestamp_us, parent)
        emitter.session.tasks[agent_id] = task
    emitter.emit("task_started", **fields)


def _shared(_emitter: Emitter, followed: Followed, _data: Message) -> None:
    followed.cost_is_mixed = True


def _not_recorded(emitter: Emitter, followed: Followed, data: Message) -> None:
    followed.not_recorded = None if data.get("over") is True else text(data, "why") or "unknown"
    if followed.not_recorded is not None:
        emitter.emit("notification", text=followed.why_not_recorded, kind="not_recorded")


_HANDLERS: dict[str, Callable[[Emitter, Followed, Message], None]] = {
    "claude_status": _status,
    "transcript_opened": _opened,
    "transcript_shared": _shared,
    "not_recorded": _not_recorded,
}
