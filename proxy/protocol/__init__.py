"""The specification at work: is this line a message, and is it a right one?

`Judge` gives each line of a stream its `Judgement`; `is_message` tells whether a stream carries messages at all.
What a message looks like is defined in `schemas/` and nowhere else. Nothing here does I/O, apart from reading those
files when a kind of message is first seen.
"""

# ruff: noqa: E402 - this comes before anything that imports msgspec
from proxy import slim_msgspec

slim_msgspec.load()

from proxy.protocol.grammar import is_json_object, is_message
from proxy.protocol.judge import Judge
from proxy.protocol.verdict import Judgement, Verdict, Violation

__all__ = [
    "Judge",
    "Judgement",
    "Verdict",
    "Violation",
    "is_json_object",
    "is_message",
]
