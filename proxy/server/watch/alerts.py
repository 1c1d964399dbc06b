"""What somebody should be told of a session: a pure function of how it stands, the moment and the configuration.

An alert has a kind, a subject (a session, or nothing) and an occasion, which tells one alert of a kind from the next:
the same occasion is told once. It holds names and figures, never what was said in the session. Each kind is a key of
the section ``alerts``, which switches it, or sets when it is told.
"""

from collections.abc import Iterator

import msgspec

from proxy import config
from proxy.events import Session
from proxy.events.formatting import quantity
from proxy.events.session_outcome import of_session


class Alert(msgspec.Struct, frozen=True, omit_defaults=True):
    """Something that somebody should know."""

    kind: str
    occasion: str
    text: str
    session_id: str | None = None
    timestamp: str = ""
    comes_again: bool = False
    """Whether the same occasion is news again after a while."""

    @property
    def subject(self) -> str:
        """What it is about: alerts of one kind about one subject are not told in quick succession."""
        return f"{self.kind}:{self.session_id or self.occasion}"


def alerts_of(session: Session, now_us: int, settings: config.Alerts) -> list[Alert]:
    """Return what there is to tell of a session now, whether or not it was told before."""
    found = _of_the_end(session, settings) if session.over else _of_waits(session, now_us, settings)
    name = f"{session.session_id} ({session.name})" if session.name else session.session_id
    return [
        Alert(kind, occasion, f"Session {name}: {sentence}", session.session_id)
        for kind, occasion, sentence in (*found, *_of_what_passed(session, settings))
    ]


def _of_the_end(session: Session, settings: config.Alerts) -> Iterator[tuple[str, str, str]]:
    if not settings.session_failed:
        return
    if session.crash is not None:
        why = "its log does not end and nobody writes it, the wrapper was killed"
        yield "session_failed", "died", f"failed; {why}."
    elif session.state == "failed":
        yield "session_failed", "killed", "failed; Claude Code was killed, or the machine went down."
    elif session.ended_in_turn and (became := of_session(session)) is not None and became.kind == "failed":
        how = session.exit.get("signal") or f"exit status {session.exit.get('exit_code')}"
        yield "session_failed", "in a turn", f"failed; its command ended in the middle of a turn ({how})."


def _of_waits(session: Session, now_us: int, settings: config.Alerts) -> Iterator[tuple[str, str, str]]:
    for key, question in session.asked.items():
        if question.is_menu:  # the user's own
            continue
        if (waited := _waited(question.since_us, now_us, settings.permission_wait)) is not None:
            what = f"a permission for {question.tool}" if question.tool else f"an answer ({question.kind})"
            yield "permission_wait", key, f"has been waiting for {what} for {waited} s."
    if session.asked:
        return
    for key, tool in session.tools.items():
        if (waited := _waited(tool.since_us, now_us, settings.tool_wait)) is not None:
            yield "tool_wait", key, f"the tool {tool.name} has been running for {waited} s."
    run = session.run if session.writes_in_turn else None
    if run is not None and not session.tools:
        since = max(run.since_us, session.last_output_us)
        if (waited := _waited(since, now_us, settings.model_wait)) is not None:
            yield "model_wait", str(since), f"nothing has come from Claude Code for {waited} s in a turn."
    if session.run is None and session.one_prompt and session.figures.turns:
        since = max(session.state_since_us, session.last_output_us)
        if (waited := _waited(since, now_us, settings.exit_wait)) is not None:
            yield "exit_wait", "once", f"its result came {waited} s ago and the command has not exited."


def _of_what_passed(session: Session, settings: config.Alerts) -> Iterator[tuple[str, str, str]]:
    counts = session.counts.values()
    bad = sum(verdicts.get("invalid", 0) + verdicts.get("malformed", 0) for verdicts in counts)
    if settings.invalid_messages is not None and bad >= settings.invalid_messages:
        yield "invalid_messages", "once", f"{quantity(bad, 'message')} invalid or malformed."
    if settings.recording_gap and session.lost_records:
        lost = session.lost_records
        yield (
            "recording_gap",
            str(lost),
            f"{quantity(lost, 'line')} could not be recorded; the disk may be full.",
        )
    cost, budget = session.figures.cost_usd or 0, settings.session_budget
    if budget is not None and cost > budget:
        yield "session_budget", "once", f"has cost ${cost:.2f}, more than ${budget:g}."


def _waited(since_us: int, now_us: int, limit_s: float | None) -> int | None:
    """Return the seconds waited when they have reached the limit; a clock that was set back makes them fewer."""
    waited_us = now_us - since_us
    return None if limit_s is None or waited_us < limit_s * 1_000_000 else waited_us // 1_000_000
