"""Errors of requests: each class is one HTTP status, each instance one sentence that says what to change."""

import sqlite3
from collections.abc import Mapping
from types import MappingProxyType

import msgspec
from aiohttp import web

from proxy.server.journal import journal

__all__ = [
    "TOO_LARGE",
    "BadRequestError",
    "NotAllowedError",
    "NotFoundError",
    "RequestError",
    "TooLargeError",
    "TooManyError",
    "TooSlowError",
    "UnauthorizedError",
    "UnavailableError",
    "UnprocessableError",
    "answer",
    "error_middleware",
    "expect",
    "failure",
    "spelled",
]


class RequestError(Exception):
    """A request cannot be answered as it is."""

    status = 400
    headers: Mapping[str, str] = MappingProxyType({})


class BadRequestError(RequestError):
    """The body is not JSON, or says that it is something else."""


class UnauthorizedError(RequestError):
    """A token is needed."""

    status = 401
    headers: Mapping[str, str] = MappingProxyType({"WWW-Authenticate": "Bearer"})


class NotAllowedError(RequestError):
    """The request comes from, or through, somewhere that is not trusted."""

    status = 403


class NotFoundError(RequestError):
    """There is no such session, specification or path."""

    status = 404


class TooSlowError(RequestError):
    """The body did not arrive in time."""

    status = 408


class TooLargeError(RequestError):
    """The body, or a part of it, is larger than the configuration allows."""

    status = 413


class UnprocessableError(RequestError):
    """A value is unknown, of the wrong kind or out of range."""

    status = 422


class TooManyError(RequestError):
    """The client asks too often."""

    status = 429

    def __init__(self, sentence: str, wait_s: int) -> None:
        super().__init__(sentence)
        self.headers = {"Retry-After": str(wait_s)}


class UnavailableError(RequestError):
    """The server cannot do this now: the disk is full, or the index is in trouble."""

    status = 503


def answer(data: object) -> web.Response:
    """Return a successful answer."""
    return raw_answer(msgspec.json.encode(data))


def raw_answer(data: bytes) -> web.Response:
    """Return a successful answer whose `data` is JSON already."""
    return web.Response(body=b'{"success":true,"data":%b}' % data, content_type="application/json")


def failure(status: int, sentence: str, headers: Mapping[str, str] = MappingProxyType({})) -> web.Response:
    """Return an answer that says what is wrong."""
    return web.Response(
        status=status, body=spelled(sentence), content_type="application/json", headers=headers
    )


def spelled(sentence: str) -> bytes:
    """Return the body of an answer that says what is wrong."""
    return msgspec.json.encode({"success": False, "error": sentence})


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
        return failure(error.status, _sentence(request, error), _kept(error))
    except sqlite3.Error as error:
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


def _kept(error: web.HTTPException) -> dict[str, str]:
    return {name: error.headers[name] for name in ("Allow", "Retry-After") if name in error.headers}
