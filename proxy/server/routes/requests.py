"""Bodies of requests: read within bounds of size and time."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, TypeVar

from aiohttp import web

from proxy.server.base.answers import TOO_LARGE
from proxy.server.base.decoding import decoded
from proxy.server.base.errors import BadRequestError, TooLargeError, TooSlowError
from proxy.server.shared import of

if TYPE_CHECKING:
    import msgspec

_T = TypeVar("_T")


async def body(request: web.Request, decoder: "msgspec.json.Decoder[_T]") -> _T:
    """Return the body, decoded. Errors as by `raw_body` and `decoded`."""
    return decoded(await raw_body(request), decoder)


async def raw_body(request: web.Request) -> bytes:
    """Return the body.

    Raises:
        BadRequestError: it is of another content type than JSON, or not encoded as it says.
        TooSlowError: it did not arrive in time.
        TooLargeError, web.HTTPRequestEntityTooLarge: it is too large.
    """
    kind = request.content_type
    if kind != "application/json" and not kind.endswith("+json"):
        raise BadRequestError(f"The content type is {kind!r}; send application/json.")
    if (request.content_length or 0) > request.client_max_size:
        raise TooLargeError(TOO_LARGE)
    async with receiving(request):
        return await request.read()


@contextlib.asynccontextmanager
async def receiving(request: web.Request) -> AsyncIterator[None]:
    """Wait, within `api.timeout`, for the body or a part of it.

    Raises:
        BadRequestError: it is not encoded as it says, or the client has left.
        TooSlowError: it did not arrive in time.
    """
    try:
        async with asyncio.timeout(of(request).settings.api.timeout):
            yield
    except TimeoutError:
        raise TooSlowError("The body did not arrive in time; see api.timeout.") from None
    except web.RequestPayloadError:
        raise BadRequestError("The body is not in the transfer or content encoding that it says.") from None
    except ConnectionError:
        raise BadRequestError("The client left before the body was whole.") from None  # nobody will read it
