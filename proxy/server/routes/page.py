"""The page for people: static files that come with the package, under a policy that lets nothing else run.

What sessions hold is hostile until proven otherwise. The page never makes markup of it, and should a way be found
to make it do so, the policy is the second wall: no script, style or image that is not ours, no other host.
"""

import gzip
import hashlib
import os
from functools import cache
from typing import NamedTuple

from aiohttp import web

from proxy.server.base.errors import NotFoundError
from proxy.server.routes.parameters import any_text
from proxy.server.routes.route import Routes

routes = Routes()
NAME = any_text("name", "Its name, such as `app.js`.", "path")
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self';"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_FOLDER = os.path.join(os.path.dirname(os.path.dirname(__file__)), "static")
_TYPES = {".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}


class _File(NamedTuple):
    body: bytes
    compressed: bytes
    etag: str
    content_type: str


@routes.add("GET", "/", media_type="text/html")
def page(request: web.Request) -> web.Response:
    """The dashboard, for people."""
    return _given(request, "index.html")


@routes.add("GET", "/sign-in", media_type="text/html")
async def sign_in(request: web.Request) -> web.Response:
    """Leads a browser that brings a token as password to the dashboard.

    The address is one without the name and token that this one may have had, which a browser sends by itself from then
    on. A page whose own address has them may ask for nothing (Fetch Standard, "includes credentials"), and a relative
    address would keep them.
    """
    return web.Response(status=303, headers={"Location": f"{request.scheme}://{request.host}/"})


@routes.add("GET", "/static/{name:.+}", NAME, media_type="text/javascript")
def asset(request: web.Request) -> web.Response:
    """The files that the dashboard consists of."""
    return _given(request, request.match_info["name"])


def _given(request: web.Request, name: str) -> web.Response:
    found = _files().get(name)
    if found is None:
        raise NotFoundError(f"There is nothing at {request.path}; the page is at /.")
    headers = {
        "ETag": f'W/"{found.etag}"',
        # Asked for anew each time, and given anew only when the package has changed.
        "Cache-Control": "no-cache",
        "Vary": "Accept-Encoding",
        "Content-Security-Policy": POLICY,
    }
    if any(etag.value in (found.etag, "*") for etag in request.if_none_match or ()):
        return web.Response(status=304, headers=headers)
    body = found.body
    if "gzip" in request.headers.get("Accept-Encoding", ""):
        # Over a forwarded port the page is there in a third of the time; the tag is of both, as they say the same.
        body, headers["Content-Encoding"] = found.compressed, "gzip"
    return web.Response(body=body, content_type=found.content_type, charset="utf-8", headers=headers)


@cache
def _files() -> dict[str, _File]:
    """Return all files by name: read once, so that a name can lead nowhere else."""
    found = {}
    for folder, _, names in os.walk(_FOLDER):
        for name in names:
            path = os.path.join(folder, name)
            content_type = _TYPES.get(os.path.splitext(name)[1])
            if content_type is None:
                continue  # licences and the like: for whoever looks into the package
            with open(path, "rb") as file:
                body = file.read()
            etag = hashlib.sha256(body).hexdigest()[:16]
            found[os.path.relpath(path, _FOLDER).replace(os.sep, "/")] = _File(
                body, gzip.compress(body, mtime=0), etag, content_type
            )
    return found
