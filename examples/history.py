"""All that a session did, until it is over: `python examples/history.py SESSION_ID`. Without an event loop."""

import sys

from proxy.client import Client, NotFoundError


def main(session_id: str) -> int:
    """Print each event; return the exit status."""
    with Client() as client:
        try:
            for event in client.events(session_id=session_id, follow=True):
                print(event.timestamp, event.event_type)
        except NotFoundError as error:
            print(error, file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
