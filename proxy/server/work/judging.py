"""Judges what clients send by the published specifications: in the server itself, or in a process of its pool."""

from typing import TYPE_CHECKING

import msgspec

from proxy.api.validation import (
    ValidationAnswer,
    ValidationBatchRequest,
    ValidationRequest,
    forget_schemas,
    judgement_on,
)
from proxy.config import Validation
from proxy.custom_schemas import PREFIX, CustomSchemas, TimeLimitError
from proxy.protocol.specifications import UnknownSpecificationError
from proxy.server.base.decoding import decoded
from proxy.server.base.errors import TooLargeError, UnprocessableError

if TYPE_CHECKING:
    from proxy.custom_schemas.judge import CustomJudge


class CustomSchemaError(Exception):
    """A schema is one that users bring, by which only a process is to judge for which nobody else waits."""


class _Request(ValidationRequest, frozen=True, kw_only=True):
    """The same, with the message as it was sent: what is judged is its text."""

    data: msgspec.Raw


class _Batch(ValidationBatchRequest, frozen=True, kw_only=True):
    requests: list[_Request]


_one = msgspec.json.Decoder(_Request)
_many = msgspec.json.Decoder(_Batch)


def judged(
    body: bytes, settings: Validation, *, is_batch: bool, custom: CustomSchemas | None = None
) -> bytes:
    """Return the answer to a request, or to a batch of them, as JSON. ``custom``: schemas that users bring.

    Raises:
        CustomSchemaError: such a schema is named, and ``custom`` is None.
        BadRequestError, UnprocessableError: the body is not what it should be, or names an unknown schema.
        TooLargeError: a message is too large.
    """
    if not settings.cache_schemas:
        forget_schemas()
    if not is_batch:
        return _answer(decoded(body, _one), settings.max_validation_size, custom)
    requests = decoded(body, _many).requests
    most_bytes = settings.max_validation_size
    return b"[%b]" % b",".join([_answer(wanted, most_bytes, custom) for wanted in requests])


def _answer(wanted: _Request, most_bytes: int, custom: CustomSchemas | None) -> bytes:
    name, data = wanted.schema_type, bytes(wanted.data)
    if len(data) > most_bytes:
        raise TooLargeError(f"`data` has {len(data)} bytes; validation.max_validation_size is {most_bytes}.")
    try:
        judgement = (
            _custom_judge(name, custom).judge(data) if name.startswith(PREFIX) else judgement_on(name, data)
        )
    except UnknownSpecificationError as error:
        raise UnprocessableError(f"schema_type: {error}") from None
    except TimeLimitError as error:
        raise UnprocessableError(f"schema_type {name!r}: {error}; make it simpler.") from None
    return msgspec.json.encode(ValidationAnswer.of(judgement, wanted.request_id))


def _custom_judge(name: str, custom: CustomSchemas | None) -> "CustomJudge":
    if custom is None:
        raise CustomSchemaError
    from proxy.custom_schemas.judge import CustomJudge  # noqa: PLC0415 - only where there are any

    try:
        return CustomJudge(custom, name)
    except KeyError as error:
        raise UnprocessableError(f"schema_type: {error.args[0]}") from None
