"""Asks the relay of a session for an action: one line of JSON through its socket, and one back."""

import json
from typing import Any

from proxy.acting.address import connect
from proxy.acting.verbs import STATUS, ActionError

_ANSWER_S = 10.0
"""For the relay's answer: twice as long as it waits itself for a command that does not read."""


def ask(data_dir: str, session_id: str, request: dict[str, Any], timeout_s: float = _ANSWER_S) -> int:
    """Have an action done; return the number of its record, 0 for a request that is no action. Blocks.

    ``request``: ``action_id``, ``action``, ``args``, ``by`` (its author), and ``token`` where there is one.

    Raises:
        ActionError: the relay refuses, with its reason; nobody answers (``relay_unreachable``), or not in time
            (``unconfirmed``).
    """
    try:
        with connect(data_dir, session_id, timeout_s) as connection:
            connection.sendall(json.dumps(request).encode() + b"\n")
            answer = json.loads(connection.makefile("rb").readline())
    except TimeoutError as error:
        sentence = f"the session did not answer within {timeout_s:g} s; its actions tell whether it was done"
        raise ActionError("unconfirmed", sentence) from error
    except BlockingIOError as error:
        raise ActionError("busy", "others ask the session more than it answers; nothing was done") from error
    except (OSError, ValueError) as error:
        sentence = f"nobody acts for session {session_id}: it has no grant, or is over"
        raise ActionError("relay_unreachable", sentence) from error
    if answer.get("ok"):
        return int(answer.get("seq", 0))
    code, sentence = answer.pop("error", ""), answer.pop("message", "the relay refused")
    answer.pop("ok", None)
    raise ActionError(code if code in STATUS else "relay_unreachable", sentence, **answer)
