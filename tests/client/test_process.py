"""A wrapped `claude` as a child of a program: what it is asked to do."""

import pytest

from proxy.client.process import Claude

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("arguments", "prompt"),
    [
        (["-p", "hello", "--model", "opus"], "hello"),
        (["--model", "opus", "hello", "-p"], "hello"),
        (["-p", "--model", "opus"], ""),
    ],
)
async def test_the_prompt_is_what_claude_takes_for_it(arguments: list[str], prompt: str) -> None:
    """Regression: the value of an option was validated and recorded as the prompt where it was the last word."""
    process = Claude(arguments, name=None, program=None, cwd=None, env=None)
    assert process.command(None) == {"action": "prompt", "prompt": prompt, "arguments": arguments}
    assert process.command("other")["prompt"] == "other"
