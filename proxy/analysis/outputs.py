"""Anomalies of structured output: whether it keeps the schema that the session's caller has asked for.

Claude Code checks what the model gives before it gives it on; what is told here is that it did not, or that somebody
between it and the caller has changed it.
"""

import json
from typing import Any

from proxy import claude_command
from proxy.analysis.findings import Detector, EventContext
from proxy.analysis.spans import Span
from proxy.events.fields import inner, integer, text

_MOST_ERRORS = 5
"""Of one output: who gets one wrong at all mostly gets it wrong in one place."""


class Outputs(Detector):
    """Takes what a session is asked for, and what its turns give."""

    TYPES = frozenset(("session_started", "command_received"))

    def __init__(self) -> None:
        super().__init__()
        self._schema: dict[str, Any] | None = None

    def take(self, context: EventContext) -> None:
        """Take an event."""
        data = context.event.data
        if context.event.event_type == "session_started":
            self._schema = _of_command(data.get("command"))
        elif context.event.event_type == "command_received":
            self._schema = inner(inner(data, "command"), "json_schema") or self._schema
        elif self._schema is not None:
            for span in context.closed:
                if span.kind == "turn" and text(data, "subtype") == "success":
                    self._judge(context, span, self._schema)

    def _judge(self, context: EventContext, turn: Span, schema: dict[str, Any]) -> None:
        # Few sessions ask for a structure.
        from proxy.custom_schemas import TimeLimitError, UnusableSchemaError  # noqa: PLC0415
        from proxy.custom_schemas.judge import violations  # noqa: PLC0415

        data, at = context.event.data, context.at
        if "structured_output" not in data:
            if integer(data, "turns"):  # else it was a command of Claude Code's own, such as /clear
                sentence = f"A turn has no structured output, and its caller asked for one: {turn.label}."
                self.over.add("structured_output", "warning", at, sentence, turn.seq, run_id=turn.id)
            return
        try:
            found = violations(schema, data["structured_output"])
        except (UnusableSchemaError, TimeLimitError) as error:
            self._schema = None  # nothing else would come of it
            sentence = f"Structured output cannot be held to the schema that was asked for: {error}."
            self.over.add("structured_output", "info", at, sentence, turn.seq, run_id=turn.id)
        except ValueError:
            pass  # a thread in which judging cannot be bounded
        else:
            if found:
                first = f"{found[0].path}: {found[0].message}" if found[0].path else found[0].message
                sentence = f"A turn's structured output does not keep the schema that was asked for: {first}."
                errors = [{"path": one.path, "message": one.message} for one in found[:_MOST_ERRORS]]
                facts = {"run_id": turn.id, "errors": errors, "count": len(found)}
                self.over.add("structured_output", "warning", at, sentence, turn.seq, **facts)


def _of_command(command: object) -> dict[str, Any] | None:
    """Return the schema that a command line asks for."""
    words = [str(word) for word in command] if isinstance(command, list) else []
    given = claude_command.guess(words).values.get("--json-schema")
    try:
        schema = None if given is None else json.loads(given)
    except (ValueError, RecursionError):
        return None  # Claude Code refuses it too
    return schema if isinstance(schema, dict) else None
