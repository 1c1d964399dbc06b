"""Judging values: by the server or, while it is away, here with the same schemas; one by one, or very many.

A value is judged as it goes over the wire: as JSON. There a number that is none (NaN) is null. Errors are as for
`proxy.client.queries`.
"""

import contextlib
import json
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Iterable, Sequence
from functools import partial
from typing import Any, TypeAlias, TypeVar

import anyio
import anyio.to_thread
import msgspec

from proxy.api.validation import judgement_on
from proxy.client.errors import RefusedError, RequestError, ServerFaultError, UnreachableError
from proxy.client.models import ValidationAnswer, ValidationRequest
from proxy.client.queries import API, Queries
from proxy.client.retries import Absence
from proxy.client.transport import Transport
from proxy.protocol.specifications import UnknownSpecificationError

BATCH_ITEMS = 500  # small enough that several are in flight
BATCH_BYTES = 1 << 20
"""A tenth of what a server takes by default; one larger value goes alone."""

_T = TypeVar("_T")
_PATH = f"{API}/validation/"
_Encoded: TypeAlias = tuple[str, bytes, Any]
"""The schema, the value as JSON, and the request's id."""


class Validation(Queries):
    """The queries, and validation."""

    def __init__(self, transport: Transport) -> None:
        super().__init__(transport)
        self._absence = Absence()

    async def validate(
        self, schema_type: str, data: Any, *, request_id: Any = None, fallback: bool = True
    ) -> ValidationAnswer:
        """Validate a value against a schema.

        Args:
            schema_type: `stdin`, `stdout`, `commands`, `events`, or the name of any other published schema.
            data: the value; its JSON encoding is validated.
            request_id: returned in the answer.
            fallback: validate in the client, with the same schemas, if the server cannot be reached, fails or is
                overloaded; `validation_source` of the answer says which was used.

        Raises:
            RequestError: there is no such schema, or the value is too large.
            TypeError: JSON cannot hold the value.

        Example:
            answer = await client.validate("commands", {"action": "prompt", "prompt": "hello"})
            print(answer.verdict, answer.validation_errors)
        """
        one = encoded(ValidationRequest(schema_type=schema_type, data=data, request_id=request_id))
        answer = await self._asked("validate", _body(one), ValidationAnswer, fallback=fallback)
        return await anyio.to_thread.run_sync(judged_here, one) if answer is None else answer

    def validate_many(
        self,
        schema_type: str,
        items: Iterable[Any] | AsyncIterable[Any],
        *,
        fallback: bool = True,
        in_flight: int = 4,
    ) -> AsyncGenerator[ValidationAnswer, None]:
        """Validate any number of values, and yield the answers in order.

        Args:
            schema_type: as for `validate`.
            items: the values; an item may be a `ValidationRequest` with its own schema.
            fallback: as for `validate`.
            in_flight: batches (of 500 values or 1 MB) sent at the same time; items are not read further ahead.

        Raises:
            ClientError: as for `validate`.

        Example:
            async for answer in client.validate_many("commands", [{"action": "interrupt"}] * 1000):
                assert answer.valid
        """
        if in_flight < 1:
            raise ValueError(f"in_flight is {in_flight}; it takes a number from 1")
        return self._validated(batches(schema_type, items), fallback=fallback, in_flight=in_flight)

    async def _validated(
        self, source: AsyncGenerator[list[_Encoded], None], *, fallback: bool, in_flight: int
    ) -> AsyncGenerator[ValidationAnswer, None]:
        async with contextlib.aclosing(source) as ready:
            while some := await _first(ready, in_flight):
                # No task lives while an answer is with the program, which may go and never come back.
                works = [partial(self._batch, one, fallback=fallback) for one in some]
                for answers in await _together(works):
                    for answer in answers:
                        yield answer

    async def _batch(self, batch: list[_Encoded], *, fallback: bool) -> list[ValidationAnswer]:
        body = b'{"requests":[%b]}' % b",".join(map(_body, batch))
        try:
            answers = await self._asked("batch", body, list[ValidationAnswer], fallback=fallback)
        except RequestError as error:
            if error.status != 413 or len(batch) == 1:
                raise
            half = len(batch) // 2  # the server takes less at once
            return [
                *await self._batch(batch[:half], fallback=fallback),
                *await self._batch(batch[half:], fallback=fallback),
            ]
        if answers is not None and len(answers) == len(batch):
            return answers
        if answers is not None and not fallback:
            raise ServerFaultError(f"Of {len(batch)} values the server judged {len(answers)}.", 200)
        return await anyio.to_thread.run_sync(lambda: [judged_here(one) for one in batch])

    async def _asked(self, name: str, body: bytes, kind: type[_T], *, fallback: bool) -> _T | None:
        """Return the server's answer, None when it is to be judged here: the server is away, or has too much to do."""
        if fallback and self._absence.lasts:
            return None
        began = anyio.current_time()
        try:
            return await self._transport.call(
                "POST", _PATH + name, kind, body=body, retries=0 if fallback else None
            )
        except (UnreachableError, ServerFaultError, RefusedError) as error:
            if not fallback or (isinstance(error, RefusedError) and error.status != 429):
                raise
            if not isinstance(error, ServerFaultError):
                self._absence.note(began)
            return None


async def _first(source: AsyncGenerator[_T, None], count: int) -> list[_T]:
    """Take so many at most of what a generator gives, and leave it open."""
    found: list[_T] = []
    async for item in source:
        found.append(item)
        if len(found) == count:
            break
    return found


async def _together(works: Sequence[Callable[[], Awaitable[_T]]]) -> list[_T]:
    """Do works at the same time, and return what each gave. The first error ends all, and is raised as it is."""
    results: dict[int, _T] = {}

    async def do(at: int) -> None:
        results[at] = await works[at]()

    try:
        async with anyio.create_task_group() as tasks:
            for at in range(len(works)):
                tasks.start_soon(do, at)
    except ExceptionGroup as group:
        raise group.exceptions[0] from None
    return [results[at] for at in range(len(works))]


async def batches(
    schema_type: str, items: Iterable[Any] | AsyncIterable[Any]
) -> AsyncGenerator[list[_Encoded], None]:
    """Yield the items in lists, each bounded in number and in bytes."""
    batch: list[_Encoded] = []
    size = 0
    async with contextlib.aclosing(each(items)) as given:
        async for item in given:
            request = (
                item
                if isinstance(item, ValidationRequest)
                else ValidationRequest(schema_type=schema_type, data=item)
            )
            one = encoded(request)
            if batch and size + len(one[1]) > BATCH_BYTES:
                yield batch
                batch, size = [], 0
            batch.append(one)
            size += len(one[1])
            if len(batch) >= BATCH_ITEMS:
                yield batch
                batch, size = [], 0
    if batch:
        yield batch


async def each(items: Iterable[_T] | AsyncIterable[_T]) -> AsyncGenerator[_T, None]:
    """Yield what an iterable of either kind gives."""
    if isinstance(items, AsyncIterable):
        async for item in items:
            yield item
    else:
        for item in items:
            yield item


def encoded(request: ValidationRequest) -> _Encoded:
    """Return a request with its value as JSON. TypeError: it is nothing that JSON can hold."""
    return request.schema_type, as_json(request.data), request.request_id


def as_json(value: Any) -> bytes:
    """Return a value as JSON, also with lone surrogates and huge numbers. TypeError: JSON cannot hold it."""
    try:
        return msgspec.json.encode(value)
    except (UnicodeEncodeError, OverflowError, RecursionError):
        return json.dumps(value, allow_nan=False, separators=(",", ":")).encode()


def judged_here(one: _Encoded) -> ValidationAnswer:
    """Judge a value by the schemas that are installed here. RequestError: none has that name."""
    schema_type, data, request_id = one
    try:
        judgement = judgement_on(schema_type, data)
    except UnknownSpecificationError as error:
        raise RequestError(f"schema_type: {error}") from None
    return msgspec.structs.replace(ValidationAnswer.of(judgement, request_id), validation_source="local")


def _body(one: _Encoded) -> bytes:
    schema_type, data, request_id = one
    if request_id is None:
        return b'{"schema_type":%b,"data":%b}' % (msgspec.json.encode(schema_type), data)
    return b'{"schema_type":%b,"request_id":%b,"data":%b}' % (
        msgspec.json.encode(schema_type),
        as_json(request_id),
        data,
    )
