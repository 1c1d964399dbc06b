"""Sessions that are given one prompt, on the command line or as text on standard input, and those that print.

With ``--output-format text``, the default, no message comes: the command prints its answer at the end, and its exit
ends the turn. With ``json`` it prints its result, or with ``--verbose`` one array of all messages; that ends the turn.
What happens meanwhile is not known.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from proxy import claude_command
from proxy.events import session_outcome, stdout, system
from proxy.events.emitter import Emitter
from proxy.events.session import Prompt, Session
from proxy.sessions.reader import Record

_LONGEST: Final = 20_000
"""Characters of each stream that are kept: what is known of a session is written down with each step of the index."""
_SUBTYPES: Final = {"ok": "success"}
"""What the end of a turn has in place of a result's subtype, by outcome; all others are errors."""


def recognise(session: Session, streams: Mapping[str, bool]) -> claude_command.Call | None:
    """Return the call of a session that is given but one prompt, None for every other; note in it what it prints.

    ``streams``: whether the command line says that a stream carries messages.
    """
    if session.followed is not None or streams.get("stdin", False):
        return None
    call = claude_command.read(session.command)
    if streams.get("stdout", False):
        call = claude_command.guess(session.command)
    elif "stdout" not in streams or call is None or call.is_headless or not call.is_session:
        return None
    elif call.output_format != "stream-json":
        session.prints = "json" if call.output_format == "json" else "text"
    session.one_prompt = True
    return call


def begin(emitter: Emitter, call: claude_command.Call) -> None:
    """Open the turn of the only prompt."""
    if call.operand:
        emitter.start_run(Prompt(emitter.seq, call.operand, emitter.timestamp_us), "session_started")
    else:
        emitter.start_run_of_unknown_prompt("session_started")


def takes(emitter: Emitter, record: Record) -> bool:
    """Take a line that is no message, whatever it looks like; return False for all others, which are left alone."""
    session = emitter.session
    if record.stream == "stdin":
        return session.prints is not None or (session.one_prompt and record.verdict == "text")
    if session.prints == "json":
        return record.stream == "stdout" and record.raw is not None and _take_array(emitter, record.line())
    if session.prints is None:
        return False
    so_far = session.printed.get(record.stream, "")
    if session.run is not None and len(so_far) <= _LONGEST:
        line = record.line()[: 4 * _LONGEST].decode(errors="replace")
        session.printed[record.stream] = (so_far + line + "\n")[: _LONGEST + 1]
    return True


def _take_array(emitter: Emitter, line: bytes) -> bool:
    """Take an array of all messages: what they tell of the session, and the result. When each was, nobody knows."""
    try:
        messages: Any = msgspec.json.decode(line)
    except (ValueError, RecursionError):
        return False
    found = [one for one in messages if isinstance(one, dict)] if isinstance(messages, list) else []
    for message in found:
        if message.get("type") == "system" and message.get("subtype") == "init":
            system.take(emitter, message)
    for message in found:
        if message.get("type") == "result":
            stdout.take(emitter, message)
    return bool(found)


def exited(emitter: Emitter) -> None:
    """End the turn of a command that has printed text and exited. One that was stopped is cut off, as all are."""
    session = emitter.session
    if session.prints != "text" or session.run is None:
        return
    shown = {stream: _shown(printed) for stream, printed in session.printed.items()}
    session.printed = {}
    outcome = session_outcome.of_printed(session, shown.get("stdout", ""), shown.get("stderr", ""))
    if outcome is None:
        return
    session.last_turn = outcome
    fields: dict[str, Any] = {"result": shown.get("stdout", "")}
    if outcome.kind != "ok":
        fields["errors"] = [outcome.reason]
    emitter.end_run("exit", outcome, subtype=_SUBTYPES.get(outcome.kind, "error"), **fields)


def _shown(printed: str) -> str:
    shown = printed.rstrip()
    return shown if len(shown) <= _LONGEST else shown[: _LONGEST - 1] + "…"
