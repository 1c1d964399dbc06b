"""All that a session did, until it is over: `python examples/history.py SESSION_ID`. Without an event loop."""

import sys

from proxy.client import Client, ClientError


def main(session_id: str) -> None:
    """Print each event."""
    with Client() as client:
        for event in client.events(session_id=session_id, follow=True):
            print(event.timestamp, event.event_type)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    try:
        main(sys.argv[1])
    except ClientError as error:  # no server, or no such session: the sentence says what to do
        sys.exit(str(error))
