"""The published specifications, and judging messages by them."""

from functools import cache, partial

import msgspec
from aiohttp import web

from proxy.api.validation import Specifications, ValidationAnswer, ValidationBatchRequest, ValidationRequest
from proxy.custom_schemas import PREFIX, CustomSchemas, UnusableSchemaError, read_folder
from proxy.protocol.specifications import UnknownSpecificationError, forget, specification, specifications
from proxy.server.base.answers import raw_answer
from proxy.server.base.errors import NotFoundError, UnavailableError
from proxy.server.routes.parameters import any_text
from proxy.server.routes.requests import raw_body
from proxy.server.routes.route import Routes
from proxy.server.shared import Shared, of
from proxy.server.work.judging import CustomSchemaError, judged

routes = Routes()
NAME = any_text("name", "Its name, such as `stdin` or `messages/user`.", "path")
_AT_ONCE_BYTES = 1 << 16
"""A larger body is given to the pool: this much, of small messages, takes some 20 ms."""


@routes.add("GET", "/api/v1/specifications", answer=Specifications)
async def list_all(request: web.Request) -> web.Response:
    """The published specifications."""
    shared = of(request)
    _forget_unless_kept(shared)
    return raw_answer(_list(shared.custom))


@routes.add("GET", "/api/v1/specifications/{name:.+}", NAME, answer=dict)
async def one(request: web.Request) -> web.Response:
    """One JSON Schema.

    All that it refers to is inside; one that users bring is as it is in its file.
    """
    shared, name = of(request), request.match_info["name"]
    _forget_unless_kept(shared)
    try:
        return raw_answer(shared.custom.content(name) if name.startswith(PREFIX) else _schema(name))
    except (UnknownSpecificationError, KeyError) as error:
        reason = str(error.args[0] if isinstance(error, KeyError) else error)
        end = " " if reason.endswith("?") else "; "
        sentence = f"{reason[0].upper()}{reason[1:]}{end}GET /api/v1/specifications lists them."
        raise NotFoundError(sentence) from None


@routes.add(
    "POST", "/api/v1/validation/validate", request=ValidationRequest, answer=ValidationAnswer, access="read"
)
async def validate(request: web.Request) -> web.Response:
    """Judge one message."""
    return raw_answer(await _judged(request, is_batch=False))


@routes.add(
    "POST",
    "/api/v1/validation/batch",
    request=ValidationBatchRequest,
    answer=list[ValidationAnswer],
    access="read",
)
async def batch(request: web.Request) -> web.Response:
    """Judge many messages."""
    return raw_answer(await _judged(request, is_batch=True))


@cache
def _list(custom: CustomSchemas) -> bytes:
    found = [*specifications(), *custom.specifications()]
    return msgspec.json.encode(Specifications(count=len(found), specifications=found))


@cache
def _schema(name: str) -> bytes:
    return msgspec.json.encode(specification(name))


def _forget_unless_kept(shared: Shared) -> None:
    """Where the configuration says so, begin with the schema files as they are now."""
    if not shared.settings.validation.cache_schemas:
        forget()
        _list.cache_clear()
        _schema.cache_clear()
        try:
            shared.custom = read_folder(shared.settings.schemas.directory)
        except UnusableSchemaError as error:
            raise UnavailableError(f"{error}.") from None


async def _judged(request: web.Request, *, is_batch: bool) -> bytes:
    shared, raw = of(request), await raw_body(request)
    judge = partial(judged, raw, shared.settings.validation, is_batch=is_batch)
    try:
        if len(raw) <= _AT_ONCE_BYTES:
            return judge()
        async with shared.validating:
            return await shared.pool.run(judge)
    except CustomSchemaError:
        _forget_unless_kept(shared)
        return await shared.custom_pool.run(partial(judge, custom=shared.custom))
