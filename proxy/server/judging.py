"""Judges what clients send by the published specifications: in the server itself, or in a process of its pool."""

import threading
from typing import Any

import msgspec

from proxy.protocol.judge import Judge
from proxy.protocol.specifications import SchemaJudge, UnknownSpecificationError, forget, judge_for
from proxy.server.decoding import decoded
from proxy.server.refusals import TooLargeError, UnprocessableError

__all__ = ["judged"]


class _Request(msgspec.Struct, forbid_unknown_fields=True):
    schema_type: str
    data: msgspec.Raw
    request_id: Any = None


class _Batch(msgspec.Struct, forbid_unknown_fields=True):
    requests: list[_Request]


_one = msgspec.json.Decoder(_Request)
_many = msgspec.json.Decoder(_Batch)
_judges = threading.local()


def judged(body: bytes, *, is_batch: bool, most_bytes: int, keep: bool) -> bytes:
    """Return the answer to a request, or to a batch of them, as JSON.

    ``most_bytes``: of one message; ``keep``: whether compiled schemas are kept for the next time.

    Raises:
        BadRequestError, UnprocessableError: the body is not what it should be, or names an unknown schema.
        TooLargeError: a message is too large.
    """
    if not keep:
        _judges.__dict__.clear()
        forget()
    if not is_batch:
        return _answer(decoded(body, _one), most_bytes)
    return b"[%b]" % b",".join([_answer(wanted, most_bytes) for wanted in decoded(body, _many).requests])


def _answer(wanted: _Request, most_bytes: int) -> bytes:
    data = bytes(wanted.data)
    if len(data) > most_bytes:
        raise TooLargeError(f"`data` has {len(data)} bytes; validation.max_validation_size is {most_bytes}.")
    judgement = _judge(wanted.schema_type).judge(data)
    return msgspec.json.encode(
        {
            "valid": judgement.verdict != "invalid",
            "verdict": judgement.verdict,
            "validation_errors": [_sentence(error.path, error.message) for error in judgement.errors],
            "errors": judgement.errors,
            "request_id": wanted.request_id,
        }
    )


def _judge(name: str) -> Judge | SchemaJudge:
    """Return this thread's judge for a schema: a judge learns as it goes, and is not to be shared."""
    known: dict[str, Judge | SchemaJudge] = _judges.__dict__.setdefault("by_name", {})
    judge = known.get(name)
    if judge is None:
        try:
            judge = known[name] = judge_for(name)
        except UnknownSpecificationError as error:
            raise UnprocessableError(f"schema_type: {error}") from None
    return judge


def _sentence(path: str, message: str) -> str:
    return f"{path}: {message}" if path else message
