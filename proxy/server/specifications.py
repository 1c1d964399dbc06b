"""The published specifications, and judging messages by them."""

from functools import cache, partial

import msgspec
from aiohttp import web

from proxy.protocol.specifications import (
    UnknownSpecificationError,
    forget,
    specification,
    specifications,
)
from proxy.server.errors import NotFoundError, raw_answer
from proxy.server.judging import judged
from proxy.server.requests import raw_body
from proxy.server.shared import Shared, of

__all__ = ["batch", "list_all", "one", "validate"]

_AT_ONCE_BYTES = 1 << 16
"""A larger body is given to the pool: this much, of small messages, takes some 20 ms."""


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
    return raw_answer(await _judged(request, is_batch=False))


async def batch(request: web.Request) -> web.Response:
    """Judge many messages; the answers come in the same order."""
    return raw_answer(await _judged(request, is_batch=True))


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


async def _judged(request: web.Request, *, is_batch: bool) -> bytes:
    shared, raw = of(request), await raw_body(request)
    validation = shared.settings.validation
    judge = partial(
        judged,
        raw,
        is_batch=is_batch,
        most_bytes=validation.max_validation_size,
        keep=validation.cache_schemas,
    )
    if len(raw) <= _AT_ONCE_BYTES:
        return judge()
    async with shared.validating:
        return await shared.pool.run(judge)
