"""Lines that are made to cost much cost little: a process that may have a few times their size can judge them."""

import subprocess
import sys
from collections.abc import Callable

import pytest

SIZE = 6_000_000
PROGRAM = """
import resource, sys
from proxy.protocol import Judge
line = sys.stdin.buffer.read()
judge = Judge("stdin")
judge.judge(b'{"type":"user","message":{"role":"user","content":"x"}}')
judge.judge(b'{"type":"user"}')
held = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
limit = held + 4 * len(line) + (4 << 20)
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
judgement = judge.judge(line)
print(judgement.verdict, len(judgement.errors), *[error.path for error in judgement.errors][:1])
"""


def repeated(one: bytes) -> bytes:
    """Return the same again and again."""
    return one * (SIZE // len(one))


def many(one: bytes) -> bytes:
    """Return the like again and again, each with a number of its own."""
    return b"".join(one % number for number in range(SIZE // (len(one) + 4)))


def user(content: bytes) -> bytes:
    """Return a user message."""
    return b'{"type":"user","message":{"role":"user","content":%b}}' % content


def tool_result(content: bytes) -> bytes:
    """Return a user message with a tool's result."""
    return user(b'[{"type":"tool_result","tool_use_id":"t","content":%b}]' % content)


def variables(last: bytes) -> bytes:
    """Return a message with many variables."""
    return b'{"type":"update_environment_variables","variables":{%b"z":%b}}' % (many(b'"k%d":"v",'), last)


TOWER = b"[" * 490 + b"]" * 490 + b","
BLOCK = b'{"type":"text","text":""},'
IN_TOOL = "/message/content/0/content"
CASES: dict[str, tuple[Callable[[], bytes], str]] = {
    "a text": (lambda: user(b'"%b"' % repeated(b"x")), "valid 0"),
    "letters beyond ASCII": (lambda: user(b'"%b"' % repeated("\u4e00".encode())), "valid 0"),
    "lone surrogates": (lambda: user(b'"%b"' % repeated(b"\\ud800")), "valid 0"),
    "a text in an invalid line": (
        lambda: b'{"type":"user","message":1,"x":"%b"}' % repeated(b"x"),
        "invalid 1 /message",
    ),
    "keys": (lambda: b'{"type":"user",%b"message":1}' % many(b'"k%d":1,'), "invalid 1 /message"),
    "equal keys": (
        lambda: b'{"type":"user",%b"message":{"role":"user","content":"x"}}' % repeated(b'"message":1,'),
        "valid 0",
    ),
    "variables": (lambda: variables(b'"v"'), "valid 0"),
    "variables, one of them wrong": (lambda: variables(b"1"), "invalid 1 /variables/z"),
    "towers": (lambda: tool_result(b"[%b1]" % repeated(TOWER)), f"invalid 20 {IN_TOOL}/0"),
    "towers where nothing looks": (
        lambda: b'{"type":"user","message":1,"x":[%b1]}' % repeated(TOWER),
        "invalid 1 /message",
    ),
    "numbers": (lambda: user(b"[%b1]" % repeated(b"1,")), "invalid 20 /message/content/0"),
    "empty lists": (lambda: tool_result(b"[%b1]" % repeated(b"[],")), f"invalid 20 {IN_TOOL}/0"),
    "empty strings": (lambda: user(b"[%b1]" % repeated(b'"",')), "invalid 20 /message/content/0"),
    "blocks": (lambda: user(b"[%b1]" % repeated(BLOCK)), f"invalid 1 /message/content/{SIZE // len(BLOCK)}"),
    "blocks further in": (
        lambda: tool_result(b"[%b1]" % repeated(BLOCK)),
        f"invalid 1 {IN_TOOL}/{SIZE // len(BLOCK)}",
    ),
    "blocks with escapes": (
        lambda: user(b"[%b1]" % repeated(rb'{"type":"text","text":"\\\"["},')),
        "invalid 1",
    ),
    "blocks of unknown kinds": (lambda: user(b"[%b1]" % many(b'{"type":"x%d"},')), "invalid 1"),
    "blocks of unknown kinds further in": (
        lambda: tool_result(b"[%b1]" % many(b'{"type":"x%d"},')),
        "invalid 1",
    ),
    "blocks of known and unknown kinds": (
        lambda: user(b"[%b1]" % many(b'{"type":"text","text":""},{"type":"x%d"},')),
        "invalid 1",
    ),
    "towers in blocks of unknown kinds": (
        lambda: user(b"[%b1]" % many(b'{"type":"x%%d","a":%b},' % (b'{"a":' * 240 + b"1" + b"}" * 240))),
        "invalid 1",
    ),
    "empty objects in blocks of unknown kinds": (
        lambda: user(b"[%b1]" % many(b'{"type":"x%%d","a":[%b1]},' % (b"{}," * 5000))),
        "invalid 1",
    ),
    "the longest integers": (lambda: user(b'"","x":[%b1]' % repeated(b"1" * 4300 + b",")), "valid 0"),
    "towers of objects": (
        lambda: tool_result(b"[%b1]" % repeated(b'{"a":' * 240 + b"1" + b"}" * 240 + b",")),
        f"invalid 20 {IN_TOOL}/0",
    ),
    "digits": (lambda: b'{"type":"user","message":%b}' % repeated(b"1"), "invalid 1"),
    "depth": (lambda: repeated(b'{"a":'), "invalid 1"),
    "NaN at the end": (lambda: b'{"type":"user","message":[%bNaN]}' % repeated(b"1,"), "malformed 1"),
    "no end": (lambda: b'{"type":"user","message":"%b' % repeated(b"x"), "malformed 1"),
    "spaces": (lambda: repeated(b" "), "malformed 1"),
}
"""Lines, made when they are wanted: together they have 170 MB, which every process of the tests would hold."""


# One of each kind: text, keys, nesting, many values, many objects, one value, and what is no JSON.
TYPICAL = (
    *("a text", "variables, one of them wrong", "towers", "numbers", "blocks", "blocks of unknown kinds"),
    *("digits", "NaN at the end"),
)


@pytest.mark.parametrize(
    "case", [case if case in TYPICAL else pytest.param(case, marks=pytest.mark.slow) for case in CASES]
)
def test_a_hostile_line_gets_its_verdict_for_little_memory(case: str) -> None:
    """Four times its size is enough, beside the line itself; few errors are told, and the first is in its place."""
    make, expected = CASES[case]
    command = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(command, input=make(), capture_output=True, timeout=100, check=False)
    assert done.stderr == b""
    assert done.stdout.startswith(expected.encode()), done.stdout[:200]
