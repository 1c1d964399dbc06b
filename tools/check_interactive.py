"""The interactive part of ``tools.check_release``: what Claude Code writes of a session at a terminal.

One conversation with a bit of everything (``tests/rig/conversation.py``) is held in tmux, with a recorder beside it.
What the registry and the transcripts are made of is compared with what ``fixtures/interactive/shape.json`` says of the
release that was recorded last: no page documents either, and states and events are made of them.
"""

from __future__ import annotations

import json
import re
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from proxy.events import Interpreter, Session
from proxy.sessions.reader import Entry, read_log
from tests.rig.answers import Gate
from tests.rig.conversation import PROMPTS, converse, script
from tests.rig.interactive import InteractiveClaude

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.rig.messages_api import MessagesApi

__all__ = ["NAME", "Interactive", "check_interactive", "recorded_release", "sentence"]

NAME = "interactive"
"""What the conversation is called among the scenarios."""
FIXTURES = Path(__file__).parents[1] / "fixtures" / NAME
LOG, SHAPE = "log.jsonl", "shape.json"


class Shape(msgspec.Struct):
    """What registry and transcripts are made of: fields and words, each sorted."""

    registry: list[str]
    statuses: list[str]
    waiting_for: list[str]
    lines: dict[str, list[str]]
    """The fields of each kind of line: a type, with its subtype or the type of its attachment."""


class Interactive(msgspec.Struct):
    """What came of the conversation."""

    new: list[str]
    """What the recorded release does not have, a sentence each."""
    gone: list[str]
    """What only the recorded release has."""
    events: list[str]
    """Kinds of events that came of one of the two alone."""
    failure: str | None = None

    @property
    def is_clean(self) -> bool:
        """Whether the conversation went as it should, and nothing has changed."""
        return not (self.new or self.gone or self.events or self.failure)


def recorded_release() -> str:
    """Return the release that the conversation was recorded with: older ones write less, and are not compared."""
    told = re.search(rb'"version":"([\d.]+)"', (FIXTURES / LOG).read_bytes())
    assert told is not None
    return told[1].decode()


def check_interactive(claude: Path, api: MessagesApi, home: Path, *, record: bool) -> Interactive:
    """Hold the conversation with that Claude Code; keep what was recorded of it where that is asked for."""
    gate = Gate()
    try:
        with InteractiveClaude(api, home, {}) as place:
            place.answer_by(script(place.project, gate))
            converse(place, [*_wrapper(place), _by_its_name(place, claude)], gate)
            (log,) = (place.home / "data/sessions").glob("2*.jsonl")
            place.until(lambda: b'"session_ended"' in log.read_bytes()[-2000:])
            shape = _shape(place)
            if record:
                FIXTURES.mkdir(exist_ok=True)
                (FIXTURES / LOG).write_bytes(log.read_bytes())
                (FIXTURES / SHAPE).write_bytes(
                    msgspec.json.format(msgspec.json.encode(shape), indent=1) + b"\n"
                )
            return _compared(shape, log)
    except Exception:  # whatever it is, it belongs into the report
        return Interactive([], [], [], traceback.format_exc())


def sentence(found: Interactive) -> str:
    """Return what came of it, for people."""
    if found.failure:
        return f"FAILED   {NAME}\n{found.failure}"
    told = [f"         new in {one}" for one in found.new] + [f"         gone: {one}" for one in found.gone]
    told += [
        f"         events that did not come before, or do not come any more: {one}" for one in found.events
    ]
    return "\n".join(
        [f"{'ok' if found.is_clean else 'FOUND':8} {NAME}: {len(PROMPTS)} prompts at a terminal", *told]
    )


def _wrapper(place: InteractiveClaude) -> list[str]:
    program = str(Path(sys.executable).with_name("claude-proxy"))
    return [
        program,
        "--data-dir",
        str(place.home / "data"),
        "--server",
        "off",
        "--interactive",
        "record",
        "--",
    ]


def _by_its_name(place: InteractiveClaude, claude: Path) -> str:
    """Put the program on the path as ``claude``: so no place of this machine is in what is recorded."""
    folder = place.home / ".local/bin"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "claude").symlink_to(claude)
    place.extra["PATH"] = f"{folder}:/usr/local/bin:/usr/bin:/bin"
    return "claude"


def _shape(place: InteractiveClaude) -> Shape:
    lines: dict[str, set[str]] = {}
    for line in place.transcripts().splitlines():
        message = json.loads(line)
        lines.setdefault(_kind(message), set()).update(message)
    return Shape(
        sorted({key for one in place.seen for key in one}),
        sorted({one["status"] for one in place.seen if "status" in one}),
        sorted({one["waitingFor"] for one in place.seen if "waitingFor" in one}),
        {kind: sorted(fields) for kind, fields in sorted(lines.items())},
    )


def _kind(message: dict[str, Any]) -> str:
    further = message.get("subtype") or message.get("attachment", {}).get("type")
    return f"{message['type']}/{further}" if further else str(message["type"])


def _compared(shape: Shape, log: Path) -> Interactive:
    known = msgspec.json.decode((FIXTURES / SHAPE).read_bytes(), type=Shape)
    now, then = set(_flat(shape)), set(_flat(known))
    return Interactive(sorted(now - then), sorted(then - now), sorted(_events(log) ^ _events(FIXTURES / LOG)))


def _flat(shape: Shape) -> Iterator[str]:
    yield from (f"the registry: field {key}" for key in shape.registry)
    yield from (f"the registry: status {word}" for word in shape.statuses)
    yield from (f"the registry: waitingFor {word}" for word in shape.waiting_for)
    for kind, fields in shape.lines.items():
        yield f"transcripts: {kind}"
        yield from (f"transcripts: {kind}, field {field}" for field in fields)


def _events(log: Path) -> set[str]:
    interpreter = Interpreter(Session("checked"))
    records = (item.record for item in read_log(str(log)) if isinstance(item, Entry))
    return {event.event_type for record in records for event in interpreter.take(record)}
