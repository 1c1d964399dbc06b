"""What is said in an interactive session that has a bit of everything, and what the model answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.rig.answers import Failure, Gate, Reply, says, text, thinking, tool, uses

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.rig.interactive import InteractiveClaude
    from tests.rig.messages_api import Script

__all__ = ["PROMPTS", "converse", "script"]

PROMPTS = (
    "hello there",
    "run it please",
    "refuse it please",
    "a long answer please",
    "ask a subagent",
    "fail now please",
    "ask me something",
    "work in the background",
    "hello once more",
)
"""What is typed, in order."""
_LOOK_INSIDE = "look inside the file"


def script(project: Path, gate: Gate) -> Script:
    """Return what the model answers; ``gate``: where the long answer stops."""
    question = {"question": "Which one?", "header": "Pick", "multiSelect": False}
    choices = [{"label": name, "description": name} for name in ("One", "Two")]
    return {
        PROMPTS[0]: [Reply((thinking("A greeting."), text("Hello to you.")))],
        PROMPTS[1]: [uses("Bash", command="touch made", description="make a file"), says("It is made.")],
        PROMPTS[2]: [uses("Bash", command="touch refused", description="make another"), says("Not seen.")],
        PROMPTS[3]: [says("A long answer, of which the end is never seen by anybody.", gate=gate)],
        PROMPTS[4]: [
            uses("Agent", description="look", prompt=_LOOK_INSIDE, subagent_type="general-purpose"),
            says("Asked."),
        ],
        _LOOK_INSIDE: [uses("Read", file_path=str(project / "file.txt")), says("One line.")],
        PROMPTS[5]: [Failure(400, "invalid_request_error", "not like this")],
        PROMPTS[6]: [
            uses("AskUserQuestion", questions=[{**question, "options": choices}]),
            says("One it is."),
        ],
        PROMPTS[7]: [
            Reply(
                (tool("Bash", command="sleep 2; echo late", description="later", run_in_background=True),),
                stop_reason="tool_use",
            ),
            says("It runs."),
        ],
        PROMPTS[8]: [says("Hello again.")],
    }


def converse(place: InteractiveClaude, command: Sequence[str | Path], gate: Gate) -> int:
    """Hold the whole conversation at a terminal, with ``command``; return the process id that it had."""
    (place.project / "file.txt").write_text("one line\n")
    pid = place.start([*command, "--permission-mode", "default"])
    place.say(PROMPTS[0])
    place.say(PROMPTS[1], then="waiting")
    place.answer("Enter")
    place.say(PROMPTS[2], then="waiting")
    place.answer("Escape")
    place.say(PROMPTS[3], then="busy")
    gate.wait_until_reached()
    place.answer("Escape")
    gate.open()
    place.say(PROMPTS[4])
    place.until(lambda: "One line." in place.transcripts())  # the subagent works in the background
    place.until_status("idle")
    place.say(PROMPTS[5])
    place.say(PROMPTS[6], then="waiting")
    place.answer("Enter")
    place.say(PROMPTS[7], then="shell")
    place.until(lambda: "completed (exit code 0)" in place.transcripts())
    place.until_status("idle")
    first = place.registration()["sessionId"]
    place.type("/clear")
    place.press("Enter")
    place.until(lambda: place.registration().get("sessionId", first) != first)
    place.say(PROMPTS[8])
    place.until(lambda: "Hello again." in place.transcripts())
    place.leave()
    return pid
