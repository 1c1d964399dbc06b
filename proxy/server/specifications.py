"""The published specifications, and judging messages by them."""

import asyncio
import threading
from functools import cache
from typing import Any

import msgspec
from aiohttp import web

from proxy.protocol import Judgement
from proxy.protocol.judge import Judge
from proxy.protocol.specifications import (
    SchemaJudge,
    UnknownSpecificationError,
    forget,
    judge_for,
    specification,
    specifications,
)
from proxy.server.errors import NotFoundError, TooLargeError, UnprocessableError, raw_answer
from proxy.server.requests import body
from proxy.server.shared import Shared, of

__all__ = ["batch", "list_all", "one", "validate"]

_AT_ONCE_BYTES = 1 << 16
"""More is judged beside the event loop, which has others to serve."""


class _Request(msgspec.Struct):
    schema_type: str
    data: msgspec.Raw
    request_id: Any = None


class _Batch(msgspec.Struct):
    requests: list[_Request]


_one = msgspec.json.Decoder(_Request)
_many = msgspec.json.Decoder(_Batch)
_judges = threading.local()


async def list_all(request: web.Request) -> web.Response:
    """List what is published."""
    _forget_unless_kept(of(request))
    return raw_answer(_list())


async def one(request: web.Request) -> web.Response:
    """Give one JSON Schema, with all that it refers to inside."""
    _forget_unless_kept(of(request))
    try:
        return raw_answer(_schema(request.match_info["name"]))
    except UnknownSpecificationError as error:
        said = str(error)
        end = " " if said.endswith("?") else "; "
        sentence = f"{said[0].upper()}{said[1:]}{end}GET /api/v1/specifications lists them."
        raise NotFoundError(sentence) from None


async def validate(request: web.Request) -> web.Response:
    """Judge one message by a schema."""
    wanted = await body(request, _one)
    return raw_answer((await _judged(of(request), [wanted]))[0])


async def batch(request: web.Request) -> web.Response:
    """Judge many messages; the answers come in the same order."""
    wanted = await body(request, _many)
    return raw_answer(b"[%b]" % b",".join(await _judged(of(request), wanted.requests)))


@cache
def _list() -> bytes:
    found = specifications()
    return msgspec.json.encode({"count": len(found), "specifications": found})


@cache
def _schema(name: str) -> bytes:
    return msgspec.json.encode(specification(name))


def _forget_unless_kept(shared: Shared) -> None:
    """Where the configuration says so, begin with the schema files as they are now."""
    if not shared.settings.validation.cache_schemas:
        forget()
        _list.cache_clear()
        _schema.cache_clear()


async def _judged(shared: Shared, requests: list[_Request]) -> list[bytes]:
    _forget_unless_kept(shared)
    keep = shared.settings.validation.cache_schemas
    most = shared.settings.validation.max_validation_size
    size = 0
    for wanted in requests:
        length = len(bytes(wanted.data))
        if length > most:
            raise TooLargeError(f"`data` has {length} bytes; validation.max_validation_size is {most}.")
        size += length
    if size > _AT_ONCE_BYTES:
        async with shared.validating:
            return await asyncio.to_thread(_judge_all, requests, keep)
    return _judge_all(requests, keep)


def _judge_all(requests: list[_Request], keep: bool) -> list[bytes]:
    if not keep:
        _judges.__dict__.clear()
    return [
        _answer(_judge(wanted.schema_type).judge(bytes(wanted.data)), wanted.request_id)
        for wanted in requests
    ]


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


def _answer(judgement: Judgement, request_id: object) -> bytes:
    return msgspec.json.encode(
        {
            "valid": judgement.verdict != "invalid",
            "verdict": judgement.verdict,
            "validation_errors": [_sentence(error.path, error.message) for error in judgement.errors],
            "errors": judgement.errors,
            "request_id": request_id,
        }
    )


def _sentence(path: str, message: str) -> str:
    return f"{path}: {message}" if path else message
