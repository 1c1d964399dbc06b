"""Judge JSON lines of standard input by a schema: `python examples/validate.py stdout < lines.jsonl`."""

import asyncio
import json
import sys

from proxy.client import AsyncClient, ClientError


async def main(schema_type: str) -> None:
    """Print a verdict a line, and who gave it."""
    async with AsyncClient() as client:
        values = (json.loads(line) for line in sys.stdin if line.strip())
        async for answer in client.validate_many(schema_type, values):
            print(answer.verdict, answer.validation_source, *answer.validation_errors)


if __name__ == "__main__":
    try:
        asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "stdout"))
    except ClientError as error:  # no such schema: the sentence names the nearest
        sys.exit(str(error))
    except ValueError as error:
        sys.exit(f"A line is not JSON: {error}.")
