"""Takes credentials out of the records of a log that has some: for a copy that may be given away."""

from typing import Any

import msgspec

from proxy.redaction.redactor import Redactor

_HEAD = frozenset(("seq", "ts", "session_id", "stream", "verdict", "redacted"))
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])


def without_credentials(record: bytes, redactor: Redactor) -> tuple[bytes, int]:
    """Return a record (one line, without its newline) without credentials, and how many values were replaced.

    ``redacted`` names the places, as if they had been replaced when it was written. ValueError: it is no record.
    """
    fields = _fields.decode(record)
    pointers: list[str] = []
    for name in fields.keys() - _HEAD:
        value, found = _value(name, bytes(fields[name]), redactor)
        fields[name] = msgspec.Raw(value)
        pointers += [f"/{name}{pointer}" for pointer in found]
    if not pointers:
        return record, 0
    before = msgspec.json.decode(fields.get("redacted", b"[]"), type=list[str])
    new = [pointer for pointer in sorted(pointers) if pointer not in before]
    fields["redacted"] = msgspec.Raw(msgspec.json.encode(before + new))
    return msgspec.json.encode(fields), len(new)


def _value(name: str, value: bytes, redactor: Redactor) -> tuple[bytes, tuple[str, ...]]:
    match name:
        case "raw" | "raw_base64":
            # As bytes, which JSON has in base 64.
            data: Any = msgspec.json.decode(value, type=str if name == "raw" else bytes)
            line = data.encode() if isinstance(data, str) else data
            clean = redactor.text(line)
            told = clean.decode() if isinstance(data, str) else clean
            return (value, ()) if clean == line else (msgspec.json.encode(told), ("",))
        case "event":
            return _event(value, redactor)
        case _:
            return redactor.message(value)


def _event(value: bytes, redactor: Redactor) -> tuple[bytes, tuple[str, ...]]:
    event: Any = msgspec.json.decode(value)
    pointers: list[str] = []
    if event.get("event_type") == "session_started" and isinstance(event.get("data"), dict):
        words = event["data"].get("command")
        if isinstance(words, list) and all(isinstance(word, str) for word in words):
            event["data"]["command"], changed = redactor.command(words)
            if changed:
                value = msgspec.json.encode(event)
            pointers = [f"/data/command/{position}" for position in changed]
    value, found = redactor.message(value)
    return value, (*pointers, *(pointer for pointer in found if pointer not in pointers))
