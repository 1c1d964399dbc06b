"""The page's files and the policy that they come under."""

import gzip
import re
from pathlib import Path

import pytest

from proxy.server.routes import page
from tests.server.conftest import Rig

pytestmark = pytest.mark.anyio
STATIC = Path(page.__file__).parents[1] / "static"
FILES = sorted(path for path in STATIC.rglob("*") if path.suffix in (".js", ".css", ".html", ".svg"))
BODIES = {path.relative_to(STATIC).as_posix(): path.read_bytes() for path in FILES}
NAMES = sorted(BODIES)


@pytest.mark.parametrize("name", NAMES)
async def test_every_file_is_served_under_the_policy(rig: Rig, name: str) -> None:
    """Each file comes as it is in the package, with its type, and lets nothing run that is not ours."""
    response = await rig.client.get("/" if name == "index.html" else f"/static/{name}")
    assert response.status == 200
    assert await response.read() == BODIES[name]
    policy = response.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    types = {".js": "text/javascript", ".css": "text/css", ".html": "text/html", ".svg": "image/svg+xml"}
    assert response.content_type == types[name[name.rindex(".") :]]


async def test_files_come_compressed_to_who_takes_it(rig: Rig) -> None:
    """Who does not say so is given the file as it is."""
    async with rig.client.get("/static/app.css", headers={"Accept-Encoding": "gzip"}) as response:
        assert response.headers["Content-Encoding"] == "gzip"
        assert await response.read() == BODIES["app.css"]
    async with rig.client.get("/static/app.css", headers={"Accept-Encoding": "identity"}) as response:
        assert "Content-Encoding" not in response.headers
        assert await response.read() == BODIES["app.css"]


def test_the_page_is_small() -> None:
    """What the page asks for at first is less than 150 KB compressed; languages of code come when they are needed."""
    first = {name for name in NAMES if "/languages/" not in name and name != "manual.css"}
    assert sum(len(gzip.compress(BODIES[name], mtime=0)) for name in first) < 150_000


async def test_a_file_that_is_known_is_not_sent_again(rig: Rig) -> None:
    """Who has the file already is told so, and who has another is given this one."""
    first = await rig.client.get("/")
    etag = first.headers["ETag"]
    again = await rig.client.get("/", headers={"If-None-Match": etag})
    assert (again.status, await again.read()) == (304, b"")
    other = await rig.client.get("/", headers={"If-None-Match": '"other"'})
    assert other.status == 200


@pytest.mark.parametrize(
    "name", ["nothing.js", "../page.py", "..%2fpage.py", "%00", "vendor", "vendor/README.md"]
)
async def test_no_name_leads_elsewhere(rig: Rig, name: str) -> None:
    """What is no file of the page is not found, whatever the name says."""
    response = await rig.client.get(f"/static/{name}")
    assert response.status == 404
    assert (await response.json())["success"] is False


def test_the_page_asks_no_other_host() -> None:
    """No file of the page names another host, apart from the names of XML namespaces and comments of libraries."""
    for path in FILES:
        if "vendor" not in path.parts:
            assert re.findall(r"https?://(?!www\.w3\.org/)[\w.]+", path.read_text()) == [], path.name


def test_libraries_come_with_version_and_licence() -> None:
    """Every file that is not ours is named in the list of libraries, and every licence named there is there."""
    vendor = STATIC / "vendor"
    table = (vendor / "README.md").read_text()
    for path in vendor.iterdir():
        if path.name != "README.md":
            assert path.name in table
    for licence in re.findall(r"LICENSE\.\w+", table):
        assert (vendor / licence).stat().st_size > 500
