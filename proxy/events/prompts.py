"""Which turn a prompt is answered in that came while Claude Code worked on another.

Claude Code does not say so of a message without a `uuid`, as the Agent SDKs send it. This is what it was seen to do:

* Between two calls of the model it takes what waits into the turn that runs, but slash commands, messages that ask
  nothing, and those with `priority: "later"` (2.0.76 to 2.1.332).
* At the end of a turn it puts all prompts that wait to the model together, as one turn (2.1.101 to 2.1.332); before
  (2.1.47 and earlier), each in a turn of its own.
* What waits at the end of a turn is taken at once. It may say that it is idle in between, but for a moment only.

A prompt that came so late that it may have missed a turn is taken to wait, until it is seen not to. Of a message with a
`uuid`, newer releases say when it is taken and when it is done (`command_lifecycle`).
"""

import re
from itertools import takewhile
from typing import Final

import msgspec

from proxy.events.emitter import Emitter
from proxy.events.fields import Message, text
from proxy.events.outcome import OK
from proxy.events.session import MOST_OPEN, Prompt, Session

_JOINED_SINCE: Final = (2, 1, 101)
_AT_ONCE_US: Final = 2_000_000
"""What waits at the end of a turn is taken by then: within 20 ms, or 2 s after an interrupt on a busy machine."""
_IDLE_US: Final = 100_000
"""Its word that it is idle counts from then on: it was running again after 5 ms with a prompt that had waited."""
_READ_US: Final = 20_000
"""A prompt is read by then: one that came 6 ms before the model was called was seen to miss it."""
_RANKS: Final = {"now": 0, "later": 2}
_DONE: Final = ("completed", "cancelled", "discarded", "refused")


def prompt_text(content: object) -> str:
    """Return what a user says, never empty: blocks that are no text, and nothing at all, are named in brackets."""
    if isinstance(content, str):
        return content or "[empty]"
    if not isinstance(content, list):
        return "[empty]"
    blocks = (block for block in content if isinstance(block, dict))
    parts = [text(block, "text") or f"[{text(block, 'type') or 'block'}]" for block in blocks]
    return "\n".join(parts) or "[empty]"


def waits(emitter: Emitter, prompt: Prompt) -> bool:
    """Return whether a prompt of the client has to wait, and keep it until its turn; else a run begins with it."""
    session = emitter.session
    settle(emitter, "user")
    if session.run is None and not session.queued:
        return False
    session.queued = [*session.queued[1 - MOST_OPEN :], prompt]
    return True


def begin_next(emitter: Emitter, message: str) -> None:
    """Open the run of the prompt that waits first, and of those that are put to the model with it."""
    session = emitter.session
    first, *others = sorted(session.queued, key=lambda one: _RANKS.get(one.priority, 1))
    joined = [first, *takewhile(lambda one: _is_put_together(session, first, one), others)]
    session.queued = others[len(joined) - 1 :]
    words = "\n".join(prompt.prompt for prompt in joined)
    emitter.start_run(msgspec.structs.replace(first, prompt=words), message, waited=True)


def model_called(session: Session, message_id: str | None) -> None:
    """Take a message of the main agent: what waited before the model was called again, has been taken into the turn."""
    run = session.run
    if run is None or (message_id is not None and message_id == run.message_id):
        return
    run.message_id = message_id
    if run.results_us:
        read_us = run.results_us - _READ_US
        session.queued = [one for one in session.queued if one.stays or one.received_us > read_us]
        run.took_in = run.took_in or run.since_us <= read_us
        run.results_us = 0


def begun(session: Session) -> None:
    """Take the `init` of a turn that is open already: what was put to the model with its prompt waits no more."""
    if session.run is not None:
        session.run.is_set_aside = False
    session.queued = [prompt for prompt in session.queued if not prompt.is_taken]


def replayed(session: Session, words: str) -> None:
    """Take what `--replay-user-messages` shows: the prompts that are put to the model now, one below the other."""
    run = session.run
    if run is None or run.interrupted:  # then they are put back, and wait on
        return
    # The first of a turn begins with the prompt that opened it.
    left = f"\n{words}\n" if run.is_replayed else f"{words}\n"
    run.is_replayed = True
    waiting = []
    for prompt in session.queued:
        before, found, after = left.partition(f"\n{prompt.prompt}\n")
        if found:
            left = f"{before}\n{after}"
        else:
            waiting.append(prompt)
    session.queued = waiting


def lifecycle(emitter: Emitter, message: Message) -> None:
    """Take what becomes of a message with a `uuid`."""
    session, uuid, state = emitter.session, text(message, "command_uuid"), text(message, "state")
    if uuid is None:
        return
    if state == "started":
        for prompt in session.queued:
            prompt.is_taken = prompt.is_taken or prompt.uuid == uuid
    elif state in _DONE:
        session.queued = [prompt for prompt in session.queued if prompt.uuid != uuid]


def stated(emitter: Emitter, state: str) -> None:
    """Take Claude Code's word of its state."""
    session = emitter.session
    settle(emitter, f"session_state_changed/{state}")
    session.states_are_stated = True
    session.idle_us = emitter.timestamp_us if state == "idle" else 0


def settle(emitter: Emitter, message: str) -> None:
    """Let nothing wait that Claude Code would have taken by now."""
    session, now_us = emitter.session, emitter.timestamp_us
    if session.states_are_stated:
        if session.idle_us and now_us - session.idle_us > _IDLE_US:
            nothing_waits(emitter, message)
    elif now_us - session.result_us > _AT_ONCE_US:
        nothing_waits(emitter, message)


def nothing_waits(emitter: Emitter, message: str) -> None:
    """Take that Claude Code has nothing to do: what came before the last result was taken into its turn."""
    session = emitter.session
    if session.run is not None and session.run.is_set_aside:
        emitter.end_run(message, OK)
    if session.run is None:
        session.queued = [prompt for prompt in session.queued if prompt.received_us > session.result_us]


def _is_put_together(session: Session, first: Prompt, other: Prompt) -> bool:
    if other.is_taken:
        return True
    version = tuple(map(int, re.findall(r"\d+", session.claude_code_version or "")))
    are_alike = (first.origin, first.asks, first.is_later) == (other.origin, other.asks, other.is_later)
    are_questions = not (first.is_command or other.is_command)
    waited = other.received_us < session.result_us
    return are_alike and are_questions and waited and (not version or version >= _JOINED_SINCE)
