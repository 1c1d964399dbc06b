"""A program that monitors its own work: `python examples/monitored.py`."""

import asyncio
import sys

from proxy.client import AsyncClient, ClientError, InvalidCommandError


async def count_words(text: str) -> int:
    """Stand for the work of your own."""
    return len(text.split())


async def main() -> None:
    """Run two commands, one of which is not valid, and print what is on record."""
    async with AsyncClient() as client:
        async with client.monitored("word count") as run:
            async with run.command({"action": "prompt", "prompt": "count these words"}) as step:
                step.result = await count_words("count these words")
            try:
                async with run.command({"action": "prompt", "prompt": ""}):
                    print("this never runs")
            except InvalidCommandError as error:
                print(error)
        async for event in client.events(session_id=run.session_id):
            print(event.event_type)


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except ClientError as error:  # no server: the sentence says what to do
        sys.exit(str(error))
