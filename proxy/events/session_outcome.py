"""What became of a session, and of a turn that it cut off: by its last turn, the command's exit, and who stopped it."""

from typing import Final, TypedDict

from proxy.events.fields import integer, text
from proxy.events.outcome import OK, Kind, Outcome, of_failed_print
from proxy.events.session import Session

_CRASHED: Final = Outcome("crashed", "The wrapper was killed: the log does not end, and nobody holds it.")
_KILLED: Final = Outcome("failed", "The wrapper was killed, and the command with it.")
UNSEEN_END: Final = "Claude Code did not end by itself: it was killed, or the machine went down."
_WELL: Final = "exited"
_NO_ANSWER: Final = Outcome("failed", "The command has printed no answer.")
_STOPPED_BY: Final = {128 + number: name for name, number in (("SIGHUP", 1), ("SIGINT", 2), ("SIGTERM", 15))}
"""Exit statuses with which Claude Code, as a shell, says that it was asked to end."""


def of_cut_off(session: Session) -> Outcome:
    """Return what became of a turn that is open though the command has exited."""
    how, stopped = _exit(session)
    # At a terminal, whoever leaves as they are used to has cut the turn off themselves.
    left = session.followed is not None and how == _WELL and session.exit.get("clean") is True
    interrupted = stopped or left or (session.run is not None and session.run.interrupted)
    return Outcome("interrupted" if interrupted else "failed", f"The command {how} in the middle of a turn.")


def of_printed(session: Session, answer: str, error: str) -> Outcome | None:
    """Return what became of the turn of a command that has printed text and exited; None if it was stopped.

    ``answer``, ``error``: what it has printed on stdout and stderr.
    """
    how, stopped = _exit(session)
    if stopped or text(session.exit, "signal") is not None:
        return None
    if how != _WELL:
        return of_failed_print(answer or error or f"The command {how}.")
    is_command = session.run is not None and session.run.is_command
    return OK if answer or is_command else _NO_ANSWER


def of_session(session: Session) -> Outcome | None:
    """Return what became of a session; None while it is not over, and where nobody knows as nothing is recorded."""
    if not session.over:
        return None
    if session.crash is not None or session.exit.get("reason") == "wrapper_killed":
        return _KILLED if session.crash is None else _CRASHED
    if session.run is not None:
        return of_cut_off(session)
    how, stopped = _exit(session)
    killed = text(session.exit, "signal") is not None and not stopped
    if session.last_turn.kind != "ok" and not killed:
        return session.last_turn
    if how == _WELL:
        return _of_good_end(session)
    return Outcome("interrupted" if stopped else "failed", f"The command {how}.")


def _of_good_end(session: Session) -> Outcome | None:
    """Return what became of a session that ended as if all was well: it may be that nobody has seen it end."""
    if session.exit.get("clean") is False:
        return Outcome("failed", UNSEEN_END)
    return None if session.followed is not None and session.followed.not_recorded else OK


class Described(TypedDict):
    """What became of a session, as events and the API say it."""

    outcome: Kind | None
    outcome_reason: str | None


def described(session: Session) -> Described:
    """Return what became of a session as the API says it."""
    became = of_session(session)
    reason = "" if became is None else became.reason
    if became is None and session.over and session.followed is not None:
        reason = f"Nothing of it was recorded. {session.followed.why_not_recorded}"
    return {"outcome": None if became is None else became.kind, "outcome_reason": reason or None}


def _exit(session: Session) -> tuple[str, bool]:
    """Return how the command exited, and whether it was asked to."""
    code, signal = integer(session.exit, "exit_code") or 0, text(session.exit, "signal")
    if signal is not None:
        return f"was ended by {signal}", signal in _STOPPED_BY.values()
    if code in _STOPPED_BY:
        return f"was ended by {_STOPPED_BY[code]} (exit status {code})", True
    return f"exited with status {code}" if code else _WELL, False
