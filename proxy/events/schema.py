"""The schema ``events`` as it is published: made of the table of events, and of what each of their fields is."""

from typing import Any, Final

from proxy.events.vocabulary import EVENTS, STATES

_TEXT: Final = {"type": "string"}
_COUNT: Final = {"type": ["integer", "null"], "minimum": 0}
_AMOUNT: Final = {"type": ["number", "null"], "minimum": 0}

FIELDS: Final[dict[str, dict[str, Any]]] = {
    "action": {**_TEXT, "description": "What is done to the session, such as `interrupt`."},
    "action_id": {**_TEXT, "description": "The action."},
    "age_ms": {**_AMOUNT, "description": "How long the command had been running before there was a log."},
    "agent_id": {"description": "The subagent that asks."},
    "agents": {"description": "Kinds of subagents, as Claude Code names them."},
    "ahead_of": {
        **_TEXT,
        "description": "The run of the prompt that waited: what came since its start belongs to this one.",
    },
    "api_error_status": {"description": "HTTP status of the API's error."},
    "approval": {
        "type": "object",
        "description": "Who or what allowed or denied the call: `decision` (`allow`, `deny`, `none`), `by`, `lasting`"
        " (`once`, `session`, `always` or null), `mode`, `waited_ms`, `reason`, `source` (what Claude Code says),"
        " `evidence` (the numbers of the records).",
    },
    "args": {"type": "object", "description": "What an action takes."},
    "attempt": {"description": "Which attempt failed, from 1."},
    "blocked_path": {"description": "The path that needs the permission."},
    "by": {"description": "Who has answered, if not the caller: `api`. Of an action: its author."},
    "capture_options": {"description": "What a monitoring session records."},
    "changed": {"type": "boolean", "description": "It is the first, or another one than before."},
    "claude_code_version": {"type": ["string", "null"]},
    "claude_duration_ms": {**_AMOUNT, "description": "How long the turn took, as Claude Code says it."},
    "claude_session_id": {"type": ["string", "null"], "description": "The session, as Claude Code names it."},
    "command": {
        "description": "With `command_received` an object that is valid under `commands`, with `session_started` the"
        " command line."
    },
    "compact_error": {"description": "Why a compaction failed."},
    "compact_result": {"description": "What became of a compaction."},
    "cost_usd": {**_AMOUNT, "description": "US dollars: of the turn; with `session_ended` of all turns."},
    "counts": {"type": "object", "description": "Lines by stream and verdict, up to here."},
    "cwd": {"description": "The working directory."},
    "decision": {"enum": ["allow", "deny"], "description": "How the caller answered."},
    "decision_reason": {"description": "Why Claude Code asks."},
    "depth": {"type": "integer", "minimum": 1, "description": "How many subagents deep it is."},
    "description": {"description": "What a task does."},
    "do": {**_TEXT, "description": "What a rule does: `tell`, `deny`, `pause`, `interrupt` or `stop`."},
    "dropped_ask_rules": {"description": "Rules that ask and that were left out, as nobody could be asked."},
    "duration_ms": {**_AMOUNT, "description": "How long it took by the log's clock, in milliseconds."},
    "effect": {"description": "What an action led to: `ran`, `did_not_run`, `nothing_running`, `exited`."},
    "elapsed_time_seconds": {"description": "How long a tool has been running, as Claude Code says it."},
    "error": {"description": "What went wrong."},
    "error_status": {"description": "HTTP status of the API's error."},
    "errors": {"type": "array", "description": "What went wrong: sentences of a turn, objects of a verdict."},
    "evidence": {
        "type": "array",
        "items": {"type": "integer"},
        "description": "The numbers of the records that show it.",
    },
    "exit_code": {"type": ["integer", "null"]},
    "fallback_model": {"description": "The model that is used instead."},
    "foreground": {
        "type": "boolean",
        "description": "The call that began the task has not returned: its caller waits.",
    },
    "held_back": {"type": "boolean", "description": "The line was not passed on."},
    "hook_event": {"description": "What the hook was called for."},
    "hook_id": {"description": "The call of the hook."},
    "hook_name": {"description": "The hook."},
    "input": {"description": "What a tool is called with."},
    "interrupted": {"type": "boolean", "description": "The call was interrupted."},
    "key": {"description": "The remark, as Claude Code names it."},
    "kind": {
        "type": "string",
        "description": "Of a session: `wrapped` or `monitoring`. Of a remark: what it is about.",
    },
    "known": {**_TEXT, "description": "Why a value is not as good as it could be."},
    "last_tool_name": {"description": "The tool that a task used last."},
    "level": {"description": "How important a remark is."},
    "limit": {"type": "object", "description": "The limit, as Claude Code tells it."},
    "lost_bytes": {"description": "Bytes that are not on record."},
    "lost_records": {"description": "Lines that are not on record."},
    "max_retries": {"description": "How often the API is asked again at most."},
    "mcp_servers": {"description": "MCP servers and their status, as Claude Code tells them."},
    "message_id": {**_TEXT, "description": "The answer that a message is a part of."},
    "mode": {
        "description": "`followed`: an interactive session, which is recorded beside and not relayed. Of a rule:"
        " `dry_run` or `act`."
    },
    "model": {"type": ["string", "null"]},
    "model_usage": {
        "type": "object",
        "description": "What each model took in the session so far: tokens by kind, and `cost_usd`.",
    },
    "name": {"description": "What the session is called."},
    "new_subagent": {"type": "boolean", "description": "The first event that shows a subagent."},
    "origin": {
        "type": "string",
        "description": "Whose message began the turn, if not the caller's, such as `task-notification`.",
    },
    "original_model": {"description": "The model that was to be used."},
    "outcome": {
        "type": ["string", "null"],
        "description": "Of a turn or session: `ok`, `failed`, `limited`, `blocked`, `interrupted` or `crashed`; null"
        " where nothing was recorded that tells. Of a hook: as Claude Code says it. Of a permission without an answer:"
        " `cancelled`.",
    },
    "outcome_reason": {
        "type": ["string", "null"],
        "description": "A sentence that says why, unless it is `ok`.",
    },
    "output": {"description": "What a hook printed."},
    "output_format": {
        "enum": ["text", "json"],
        "description": "What the command prints at its end in place of messages.",
    },
    "parent_tool_use_id": {
        "type": ["string", "null"],
        "description": "The call of the subagent that it belongs to.",
    },
    "patch": {"type": "object", "description": "What changed of a task."},
    "permissionMode": {"description": "The new permission mode."},
    "permission_denials": {"description": "The tool calls of the turn that were denied."},
    "permission_mode": {"type": ["string", "null"]},
    "pid": {"description": "The command's process."},
    "post_tokens": {"description": "Tokens of the conversation after it was compacted."},
    "pre_tokens": {"description": "Tokens of the conversation before it was compacted."},
    "priority": {"description": "How urgent a remark is."},
    "problems": {
        "type": "array",
        "items": _TEXT,
        "description": "What failed at the start: a sentence each.",
    },
    "prompt": {**_TEXT, "description": "What is asked."},
    "prompt_on": {**_TEXT, "description": "Where the prompt is that the record does not have as a message."},
    "prompt_seq": {"type": "integer", "minimum": 0, "description": "The record of the prompt."},
    "raw": {**_TEXT, "description": "The beginning of a line that is no JSON."},
    "reason": {"description": "Why a session ended, or lines were lost."},
    "refusals": {"description": "Refusals since the last such event."},
    "refused": {**_TEXT, "description": "Why nothing is done: the session was started without a grant."},
    "request": {**_TEXT, "description": "The kind of the request that was refused."},
    "request_id": {"type": ["string", "null"], "description": "The control request."},
    "result": {"description": "Of a turn: the answer. Of a tool: its result."},
    "retry_delay_ms": {"description": "How long is waited until the API is asked again."},
    "rules": {"description": "How many permission rules a policy has."},
    "rule": {**_TEXT, "description": "The rule of the configuration that has fired."},
    "running": {"type": "array", "items": _TEXT, "description": "The tools that run."},
    "sha256": {"description": "Of the policy's file."},
    "signal": {"type": ["integer", "string", "null"]},
    "skills": {"description": "Skills, as Claude Code names them."},
    "source": {**_TEXT, "description": "What tells it."},
    "status": {"description": "The status, as Claude Code says it."},
    "stop_reason": {"description": "Why the model stopped."},
    "stream": {**_TEXT, "description": "Where the line passed."},
    "structured_output": {"description": "The answer in the structure that was asked for."},
    "subagent_type": {"description": "The kind of a subagent."},
    "subtype": {
        "description": "The `subtype` of the message. Of a turn that no message ends: `success`, `interrupted` or"
        " `error`."
    },
    "summary": {"description": "What a task did."},
    "task_id": {**_TEXT, "description": "The task."},
    "task_type": {"description": "The kind of a task."},
    "terminal_reason": {"description": "Why the turn ended, as Claude Code says it."},
    "text": {**_TEXT, "description": "What is said."},
    "thinking": {**_TEXT, "description": "What the model thought."},
    "tokens": {"type": "object", "description": "Tokens of all turns by kind."},
    "tool": {**_TEXT, "description": "Name of the tool."},
    "tool_use_id": {**_TEXT, "description": "The call of the tool."},
    "tools": {"type": "array", "description": "Tools, as Claude Code names them."},
    "total_cost_usd": {**_AMOUNT, "description": "US dollars of all turns of the session so far."},
    "traceparent": {
        **_TEXT,
        "description": "The caller's `TRACEPARENT`: the span that the session belongs to.",
    },
    "trigger": {"description": "What caused it."},
    "turns": {
        **_COUNT,
        "description": "Of a turn: `num_turns` as Claude Code counts them. Of a session: the figure `turns`.",
    },
    "type": {"description": "The `type` of the message."},
    "unprompted": {"type": "boolean", "description": "Claude Code began the turn by itself."},
    "usage": {
        "type": ["object", "null"],
        "description": "Tokens that the turn's main agent, a task, or one call of the model took; of"
        " a call, `output_tokens` only where they are known.",
    },
    "validation": {"description": "How lines are judged: `observe`, `enforce` or `off`."},
    "value": {"type": "number", "description": "What was reached of a rule's limit."},
    "verdict": {"enum": ["valid", "invalid", "unknown", "malformed", "text"]},
    "versions": {"description": "Versions of claude-proxy and Python."},
    "waiting_for": {"description": "What Claude Code waits for, as its registry says it."},
    "waiting_ms": {"type": "number", "minimum": 0, "description": "How long the caller took to answer."},
    "warning": {"type": "boolean", "description": "The limit of a rule is near, and not reached."},
    "when": {"type": "object", "description": "The condition of a rule, and its limit."},
    "where": {"description": "The part of claude-proxy that failed."},
    "why": {"description": "Why a policy is not in force."},
}
"""What each field is, as JSON Schema; what comes from a message as it is has no type."""

_HEAD: Final[dict[str, dict[str, Any]]] = {
    "event": {"enum": list(EVENTS), "description": "What happened."},
    "timestamp": {"type": "string", "format": "date-time", "description": "RFC 3339, with a zone."},
    "at": {
        "type": "string",
        "format": "date-time",
        "description": "When it happened, where the record says so: it is recorded later, in an interactive session.",
    },
    "state": {"enum": list(STATES), "description": "The session's state after the event."},
    "session_id": {
        "type": "string",
        "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$",
        "description": "The session, as this proxy names it.",
    },
    "run_id": {
        "type": ["string", "null"],
        "description": "The turn that it belongs to, if it belongs to one.",
    },
    "seq": {
        "type": "integer",
        "minimum": 0,
        "description": "The record in the session log that the event comes from.",
    },
}


def schema() -> dict[str, Any]:
    """Return the schema ``events``, as it is published."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "/events.json",
        "title": "Event",
        "description": "What happened in a session, in the stable vocabulary of this project, as derived from the"
        " wire. The vocabulary is closed, extra fields are allowed.",
        "type": "object",
        "required": ["event", "timestamp"],
        "properties": {**_HEAD, **FIELDS},
    }
