"""The one shape of an answer, and of a failure."""

from collections.abc import Mapping
from types import MappingProxyType

import msgspec
from aiohttp import web

from proxy.server.base.errors import RequestError
from proxy.server.base.journal import journal
from proxy.store import StoreError
from proxy.store.encoding import as_json


def answer(data: object, status: int = 200) -> web.Response:
    """Return a successful answer."""
    return raw_answer(as_json(data), status)


def raw_answer(data: bytes, status: int = 200) -> web.Response:
    """Return a successful answer whose `data` is JSON already."""
    body = b'{"success":true,"data":%b}' % data
    return web.Response(status=status, body=body, content_type="application/json")


def failure(
    status: int,
    sentence: str,
    headers: Mapping[str, str] = MappingProxyType({}),
    more: Mapping[str, object] = MappingProxyType({}),
) -> web.Response:
    """Return an answer that says what is wrong; ``more``: fields for a program that can do something about it."""
    return web.Response(
        status=status, body=encode_failure(sentence, more), content_type="application/json", headers=headers
    )


def encode_failure(sentence: str, more: Mapping[str, object] = MappingProxyType({})) -> bytes:
    """Return the body of an answer that says what is wrong."""
    return msgspec.json.encode({"success": False, "error": sentence, **more})


async def expect(request: web.Request) -> web.StreamResponse | None:
    """Tell a client that waits for it that it may send its body, or that this will not be taken."""
    if request.headers.get("Expect", "").lower() != "100-continue":
        return failure(417, "The only expectation that can be met is 100-continue.")
    if (request.content_length or 0) > request.client_max_size:
        response = failure(413, TOO_LARGE)
        response.force_close()
        return response
    await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    request.writer.output_size = 0  # as aiohttp's own handler: the answer itself has not begun
    return None


TOO_LARGE = "The body is too large; send less at once, or raise api.max_request_size."


@web.middleware
async def error_middleware(request: web.Request, handler: "web.Handler") -> web.StreamResponse:  # type: ignore[name-defined]
    """Give every failure the one shape."""
    try:
        return await handler(request)  # type: ignore[no-any-return]
    except RequestError as error:
        return failure(error.status, str(error), error.headers)
    except web.HTTPException as error:
        if error.status < 400:
            raise
        return failure(error.status, _sentence(request, error), _passed_on(error))
    except StoreError as error:
        journal.warning("request.index_unreadable", path=request.path, error=str(error))
        return failure(503, "The index cannot be read now; see /health.", {"Retry-After": "1"})
    except Exception:
        # A fault of ours: whoever asked learns that it is, the log learns which one.
        journal.exception("request.failed", method=request.method, path=request.path)
        return failure(500, "This is a fault of claude-proxy; its server log says more.", {})


def _sentence(request: web.Request, error: web.HTTPException) -> str:
    if isinstance(error, web.HTTPNotFound):
        return f"There is nothing at {request.path}; see /docs."
    if isinstance(error, web.HTTPMethodNotAllowed):
        return f"{request.path} takes {', '.join(sorted(error.allowed_methods))}, not {request.method}."
    if isinstance(error, web.HTTPRequestEntityTooLarge):
        return TOO_LARGE
    return error.text or error.reason


def _passed_on(error: web.HTTPException) -> dict[str, str]:
    return {name: error.headers[name] for name in ("Allow", "Retry-After") if name in error.headers}
