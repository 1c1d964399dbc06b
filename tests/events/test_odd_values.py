"""Whatever stands in a field of a message: what is derived from a log goes on."""

import copy
import json
from collections.abc import Iterator
from typing import Any

import msgspec

from proxy.events import Event, Interpreter, Session, describe
from proxy.sessions.reader import Record
from proxy.shipping import content
from proxy.telling import tell
from tests.recorded import INTERACTIVE_LOGS, NAMES, START_US, records, scenario

ODD: list[Any] = [[], {}, -1, None, "0001-01-01T00:00:00+14:00"]
LOGS = {name: scenario(name) for name in NAMES} | {path.name: path.read_bytes() for path in INTERACTIVE_LOGS}
Path = tuple[str | int, ...]


def fields(value: Any, path: Path = ()) -> Iterator[Path]:
    """Yield the place of each value in a message."""
    if path:
        yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in inner:
        yield from fields(each, (*path, key))


def changed(message: Any, path: Path, value: Any) -> Any:
    """Return a copy of a message with another value at a place."""
    message = copy.deepcopy(message)
    holder = message
    for key in path[:-1]:
        holder = holder[key]
    holder[path[-1]] = value
    return message


def odd(record: Record, seen: set[str]) -> Iterator[Record]:
    """Yield a record with each of its message's fields replaced by each odd value, if that field is new."""
    message = record.value() if record.message else None
    kind = (
        (record.stream, *(message.get(key) for key in ("type", "subtype")))
        if isinstance(message, dict)
        else ()
    )
    for path in fields(message):
        place = (*kind, *("*" if isinstance(key, int) else key for key in path))
        if str(place) in seen:
            continue
        seen.add(str(place))
        for value in ODD:
            raw = msgspec.Raw(json.dumps(changed(message, path, value)).encode())
            yield msgspec.structs.replace(record, message=raw)


def test_no_value_stops_what_is_derived() -> None:
    """Regression: a content block whose type was a list stopped the index, `sessions` and `show` for all sessions."""
    seen: set[str] = set()
    leaves = content.of("figures")
    for log in LOGS.values():
        interpreter = Interpreter(Session("odd"))
        for record in records(log):
            follower = copy.deepcopy(interpreter)
            for other in odd(record, seen):
                for event in follower.take(other):
                    told = Event(
                        event.event_type, event.timestamp_us, json.loads(msgspec.json.encode(event.data))
                    )
                    assert tell(told) is not None
                line = b'{"seq":1,"ts":"2026-01-02T03:04:05.000001Z","session_id":"s","stream":"stdout","message":'
                assert leaves(line + bytes(other.message) + b"}\n").count(b"\n") == 1
            msgspec.json.encode(describe(follower.session, START_US))
            interpreter.take(record)
