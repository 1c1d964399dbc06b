"""What can go wrong between a program and the server, by blame.

    ClientError
    ├── UnreachableError       no server answers, or the connection broke
    ├── RefusedError           the server does not let us: 401, 403, 429
    ├── RequestError           what was asked is wrong: every other 4xx
    │   ├── NotFoundError          404
    │   └── InvalidCommandError    a command that its specification does not allow, before it was run
    └── ServerFaultError       the server is at fault: 5xx, or an answer that is none

Each carries a sentence, and the HTTP status where there was one.
"""

from collections.abc import Mapping

from proxy.client.models import ValidationAnswer

_LONGEST_QUOTE = 200  # characters: enough to recognize an error page


class ClientError(Exception):
    """A call did not succeed."""

    def __init__(self, sentence: str, status: int | None = None, retry_after_s: float | None = None) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.status = status
        """The HTTP status, None without an answer."""
        self.retry_after_s = retry_after_s
        """Seconds after which the server says that asking again makes sense."""

    def __str__(self) -> str:
        return f"{self.sentence} (HTTP {self.status})" if self.status else self.sentence


class UnreachableError(ClientError):
    """No server answers."""

    def __init__(self, sentence: str, *, may_have_arrived: bool = False) -> None:
        super().__init__(sentence)
        self.may_have_arrived = may_have_arrived
        """Whether the server may have done what was asked: the connection broke after the request was sent."""


class RefusedError(ClientError):
    """The server does not let this client: no token, a wrong one, or too many requests."""


class RequestError(ClientError):
    """What was asked is wrong; the sentence says what to change."""


class NotFoundError(RequestError):
    """There is no such session, specification or path."""


class InvalidCommandError(RequestError):
    """A command is not what its specification allows. It was not run."""

    def __init__(self, answer: ValidationAnswer) -> None:
        reasons = "; ".join(answer.validation_errors) or "the specification has no message of its kind"
        super().__init__(f"The command was not run: {reasons}")
        self.answer = answer


class ServerFaultError(ClientError):
    """The server is at fault, or what answered is no claude-proxy."""


def failure(status: int, sentence: str | None, headers: Mapping[str, str]) -> ClientError:
    """Return the error that an answer's status means; ``sentence``: what the server says, None if nothing usable."""
    reason = sentence or f"The server answered with status {status} and said nothing of use."
    after = headers.get("Retry-After", "")
    wait_s = float(after) if after.isascii() and after.isdecimal() and len(after) < 10 else None
    if status in (401, 403, 429):
        return RefusedError(reason, status, wait_s)
    if status == 404:
        return NotFoundError(reason, status)
    if 400 <= status < 500:
        return RequestError(reason, status)
    return ServerFaultError(reason, status, wait_s)


def quoted(body: bytes) -> str:
    """Return the beginning of what was answered, on one line, for a sentence."""
    text = " ".join(body[: _LONGEST_QUOTE * 4].decode(errors="replace").split())
    return repr(text[:_LONGEST_QUOTE])
