"""Logs of the recorded scenarios in the order that their clients left: they wait for what they asked for.

A fixture holds each stream by itself. These clients wait for the answer to a control request before they go on, and
for the end of a turn before the next prompt: so a line of theirs is put as late as what answers it allows.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.recorded import SCENARIOS, LogMaker

if TYPE_CHECKING:
    from collections.abc import Iterator


def causal(name: str) -> bytes:
    """Return the log of a recorded scenario."""
    folder = SCENARIOS / name
    maker = LogMaker()
    arguments = (folder / "argv").read_text().split("\n")[:-1]
    made = [maker.started(["claude", *arguments])]
    made += [maker.lines(stream, line) for stream, line in in_order(name)]
    made.append(maker.ended(exit_code=int((folder / "exit").read_text())))
    return b"".join(made)


def in_order(name: str) -> Iterator[tuple[str, bytes]]:
    """Yield the lines of both streams."""
    outputs = (SCENARIOS / name / "stdout.jsonl").read_bytes().split(b"\n")[:-1]
    said = [json.loads(line) for line in outputs]
    position = turns = 0
    for line in (SCENARIOS / name / "stdin.jsonl").read_bytes().split(b"\n")[:-1]:
        message = json.loads(line) if line.strip() else {}
        upto = max(position, latest(message, said, turns))
        turns += message.get("type") == "user"
        yield from (("stdout", output) for output in outputs[position:upto])
        position = upto
        yield "stdin", line
    yield from (("stdout", output) for output in outputs[position:])


def latest(message: dict[str, Any], said: list[dict[str, Any]], turns: int) -> int:
    """Return how many lines may come before a client's line: those that do not follow from it."""
    match message.get("type"):
        case "control_request":
            return place(said, lambda m: answered(m) == message["request_id"], behind=0)
        case "control_response":
            asked = message["response"]["request_id"]
            return place(said, lambda m: m["type"] == "control_request" and m["request_id"] == asked)
        case "user" if "uuid" in message:
            return place(said, lambda m: m.get("command_uuid") == message["uuid"], behind=0)
        case "user" if turns:
            results = [index for index, m in enumerate(said) if m["type"] == "result"]
            return results[turns - 1] + 1 if turns <= len(results) else 0
    return 0


def answered(message: dict[str, Any]) -> str | None:
    """Return the id of the control request that a line answers."""
    return message["response"]["request_id"] if message["type"] == "control_response" else None


def place(said: list[dict[str, Any]], wanted: Any, behind: int = 1) -> int:
    """Return the place of the first line that is wanted, or behind it; 0 where there is none."""
    return next((index + behind for index, message in enumerate(said) if wanted(message)), 0)
