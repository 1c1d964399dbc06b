"""Acting on live sessions: what is asked for, and what the API tells of questions and actions."""

from typing import Any, Literal

import msgspec

from proxy.telling.acting import Action, OpenQuestion


class ActionRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Body of `POST /api/v1/monitoring/sessions/{session_id}/actions`: one action, and what it takes."""

    action: Literal["interrupt", "deny", "allow", "pause", "resume", "mode", "model", "stop"]
    key: str | None = None
    """The same key again, of the same client, is the same action: it is not done twice."""
    request_id: str | None = None
    """Of `allow` and `deny`: the question."""
    message: str | None = None
    """Of `deny`: what the model is told."""
    stop_turn: bool | None = None
    """Of `deny`: ends the turn too."""
    updated_input: dict[str, Any] | None = None
    """Of `allow`: the tool's input, in place of its own."""
    remember: bool | None = None
    """Of `allow`: for the rest of the session."""
    value: str | None = None
    """Of `mode` and `model`."""
    how: Literal["end", "drain", "term"] | None = None
    """Of `stop`."""

    def arguments(self) -> dict[str, Any]:
        """Return what the action takes."""
        given = msgspec.structs.asdict(self)
        del given["action"], given["key"]
        return {name: value for name, value in given.items() if value is not None}


class ActionAnswer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What has become of an action so far."""

    action_id: str
    seq: int
    """Its record."""
    state: Literal["sent", "confirmed", "failed"]
    """`sent` until the wire shows its effect."""
    effect: str | None = None
    error: str | None = None


class ActionPage(msgspec.Struct, frozen=True, kw_only=True):
    """Actions on a session, newest first."""

    actions: list[Action]
    total: int
    """How many there are in all."""


class QuestionPage(msgspec.Struct, frozen=True, kw_only=True):
    """Questions for permission that are open, oldest first."""

    questions: list[OpenQuestion]
