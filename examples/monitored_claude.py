"""Ask Claude Code something, and watch it work: `python examples/monitored_claude.py "say hello"`."""

import asyncio
import sys

from proxy.client import AsyncClient, ClientError

ARGUMENTS = ["-p", "--output-format", "stream-json", "--verbose"]


async def main(prompt: str) -> None:
    """Print the events of its session as they come, and the answer."""
    async with AsyncClient() as client, client.monitored("example") as run:
        async for event in run.claude(ARGUMENTS, prompt=prompt):
            print(event.event_type, event.data.get("tool", ""), flush=True)
            if event.event_type == "run_completed":
                print("answer:", event.data.get("result"))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    try:
        asyncio.run(main(sys.argv[1]))
    except ClientError as error:  # no server, or claude has failed: the sentence says what to do
        sys.exit(str(error))
