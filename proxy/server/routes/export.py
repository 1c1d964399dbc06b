"""A session to be taken along: its log as it is, and one page that needs nothing else."""

import asyncio
import os
import tempfile
from collections.abc import Callable, Iterable
from functools import partial

from aiohttp import web

from proxy.server.base.errors import NotFoundError
from proxy.server.routes.records import pieces_of
from proxy.server.routes.route import OF_SESSION, Routes
from proxy.server.shared import now_us, of
from proxy.sessions import catalogue, firings
from proxy.sessions.identity import LOG_SUFFIX, log_path
from proxy.sessions.reader import read_log
from proxy.store.pieces import text_of
from proxy.telling.page import STYLE, page_of_log

routes = Routes(OF_SESSION)
_PIECE = 1 << 20
"""Bytes that are read at once: enough for a disk, and little for a server that sends many pages."""


@routes.add("GET", "/log", media_type="application/x-ndjson")
async def log(request: web.Request) -> web.StreamResponse:
    """A session's log, byte for byte."""
    shared, session_id = of(request), request.match_info["session_id"]
    headers = _attached(f"{session_id}.jsonl", "application/x-ndjson")
    if shared.fleet is not None:  # the lines of a log that is elsewhere
        lines = text_of(await asyncio.to_thread(pieces_of, shared, session_id))
        return await _sent(request, web.StreamResponse(headers=headers), partial(next, lines, b""))
    await asyncio.to_thread(shared.session, session_id)
    path = log_path(shared.data_dir, session_id)
    if not await asyncio.to_thread(os.path.isfile, path):
        raise NotFoundError(f"The log of {session_id!r} was removed.")
    return web.FileResponse(path, headers=headers)


@routes.add("GET", "/page", media_type="text/html", failures=(503,))
async def shared_page(request: web.Request) -> web.StreamResponse:
    """A session as one page to share, as `show --html` writes it."""
    shared, session_id = of(request), request.match_info["session_id"]
    try:
        # Before the lines: of a session that is over none is missing then.
        session = await asyncio.to_thread(shared.session, session_id)
        if shared.fleet is None:
            path = await shared.pool.run(_written, log_path(shared.data_dir, session_id))
        else:
            state = "running" if not session.over else "ended" if session.complete else "crashed"
            pieces = await asyncio.to_thread(pieces_of, shared, session_id)
            with tempfile.TemporaryDirectory() as folder:
                log = os.path.join(folder, session_id + LOG_SUFFIX)
                await asyncio.to_thread(_write, log, text_of(pieces))
                fired = await asyncio.to_thread(shared.fleet.store.firings, session_id)
                await asyncio.to_thread(_write, firings.path_beside(log), (line + b"\n" for line in fired))
                path = await shared.pool.run(_written, log, state)
    except OSError as error:
        raise NotFoundError(f"The log of {session_id!r} cannot be read: {error.strerror}.") from None
    with await asyncio.to_thread(open, path, "rb") as page:
        await asyncio.to_thread(os.unlink, path)  # it is gone once it is closed
        response = web.StreamResponse(headers=_attached(f"{session_id}.html", "text/html"))
        response.content_length = os.fstat(page.fileno()).st_size
        return await _sent(request, response, partial(page.read, _PIECE))


async def _sent(
    request: web.Request, response: web.StreamResponse, read: Callable[[], bytes]
) -> web.StreamResponse:
    """Send what is read, piece by piece, until there is no more."""
    await response.prepare(request)
    while request.method != "HEAD" and (piece := await asyncio.to_thread(read)):
        await response.write(piece)
    return response


def _attached(name: str, content_type: str) -> dict[str, str]:
    # It holds what the session holds: to be saved, never to be shown as a page of this server.
    disposition = f'attachment; filename="{name}"'
    return {"Content-Disposition": disposition, "Content-Type": f"{content_type}; charset=utf-8"}


def _write(path: str, parts: Iterable[bytes]) -> None:
    with open(path, "wb") as file:
        file.writelines(parts)


def _written(path: str, state: str | None = None) -> str:
    """Write the page of a log to a file, which the caller removes; return where."""
    info = catalogue.inspect(path)
    with open(STYLE, encoding="utf-8") as style:
        look = style.read()
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", suffix=".html", delete=False) as file:
        try:
            lines, fired = lambda: read_log(path), firings.beside(path)
            file.writelines(
                page_of_log(info.session_id, state or info.state, lines, now_us(), look, fired=fired)
            )
        except BaseException:
            os.unlink(file.name)
            raise
    return file.name
