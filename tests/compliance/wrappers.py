"""The wrappers that these tests check, and what each has to fail."""

import sys
from pathlib import Path

from proxy.compliance.target import Target

IMPERFECT = Path(__file__).with_name("imperfect.py")


def imperfect(fault: str) -> Target:
    """Return the wrapper with one fault; `none` is the sound one."""
    return Target((sys.executable, "-IS", str(IMPERFECT), fault), as_argument=True)


_HOLDS = "control-request control-request-refused hook interrupt output-at-once output-without-input permission sigterm"
_CLOSES = (
    "both-ways ctrl-c hook input-64k input-complete input-stays-open input-unchanged interrupt output-at-once "
    "permission sighup-once sigint-once sigterm-once slow-claude"
)
_EXACT = {
    "none": "",
    "drops a line": "both-ways concurrency output-before-exit output-complete slow-reader",
    "reorders": "output-order",
    "re-encodes": "output-not-json output-unchanged",
    "swallows the exit status": "death-by-signal exit-status exit-with-open-input failed-start other-calls sigterm",
    "doubles signals": "ctrl-c sighup-once sigint-once sigterm-once",
    "holds lines": _HOLDS,
    "leaves an orphan": "caller-goes-away end-leaves-nothing kill-leaves-nothing reader-goes-away sigterm",
    "closes stdin early": _CLOSES,
    "stops at 64 KB": "input-10mb input-64k output-10mb output-64k",
    "prints a banner": (
        "schema/added-to-output failed-start prompt-as-argument schema/output-valid stderr version-alone"
    ),
    "splits on U+2028": "line-separators output-not-json",
    "loses the tail": "output-tail prompt-as-text",
}
_AMONG_OTHERS = {
    "adds to the input": "schema/added-to-input schema/input-valid",
    "changes the directory": "directory",
    "decodes text": "output-broken-utf8 prompt",
    "forgets the environment": "environment",
    "keeps signals": "ctrl-c sighup-once sigint-once sigterm-once",
    "lets through what it knows": "schema/unknown-fields schema/unknown-messages",
    "mixes stderr into stdout": "failed-start other-calls stderr",
    "never ends the input": "end-of-input",
    "reorders the input": "input-order",
    "splits arguments": "arguments prompt-as-argument",
    "takes reads for lines": "input-half-lines output-half-lines",
    "waits for the input to end": "exit-with-held-output exit-with-open-input failed-start other-calls version",
}


def _named(words: str) -> frozenset[str]:
    return frozenset(word if "/" in word else f"behaviour/{word}" for word in words.split())


EXACT = {fault: _named(words) for fault, words in _EXACT.items()}
"""By fault: all scenarios that fail, of those that do not measure."""
AMONG_OTHERS = {fault: _named(words) for fault, words in _AMONG_OTHERS.items()}
"""By fault: scenarios that fail, so that none is left that nothing can fail."""
STUCK = frozenset(
    [
        "holds lines",
        "closes stdin early",
        "keeps signals",
        "leaves an orphan",
        "never ends the input",
        "waits for the input to end",
    ]
)
"""Faults by which something never comes: each such wait lasts as long as the patience."""
