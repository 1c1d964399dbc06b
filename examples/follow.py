"""What happens from now on, in all sessions: `python examples/follow.py [COUNT]`."""

import asyncio
import sys
from contextlib import aclosing

from proxy.client import AsyncClient, ClientError, Gap


async def main(count: int | None) -> None:
    """Print so many events, or for ever."""
    async with AsyncClient() as client, aclosing(client.stream()) as stream:
        print("listening", flush=True)
        seen = 0
        async for item in stream:
            if isinstance(item, Gap):
                print("gap:", item.reason, flush=True)
                continue
            print(item.session_id, item.event_type, flush=True)
            seen += 1
            if seen == count:
                return


if __name__ == "__main__":
    try:
        asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else None))
    except ClientError as error:  # no server, or it went away: the sentence says what to do
        sys.exit(str(error))
