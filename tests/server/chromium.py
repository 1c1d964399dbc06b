"""A real Chromium, driven over its DevTools protocol: what a person would see, do, and be told in the console."""

import asyncio
import base64
import contextlib
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import urlopen

from aiohttp import ClientSession, ClientWebSocketResponse

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
OPTIONS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-dev-shm-usage",
    # A page that was left is gone; and the next one goes on in its process, as all are of one machine.
    "--disable-features=BackForwardCache,IsolateOrigins,site-per-process",
    "--disable-site-isolation-trials",
    "--process-per-site",
    "--hide-scrollbars",
    "--no-first-run",
    "--remote-debugging-port=0",
    "--window-size=1280,860",
]
WAIT_S = 60
"""A bound that only catches hangs."""


_PLACE = """(async () => {
  let before = "";
  for (;;) {
    const element = document.querySelector(%s);
    element?.scrollIntoView({block: "nearest"});
    await new Promise((done) => requestAnimationFrame(() => setTimeout(done, 30)));
    const box = element?.isConnected && element.getBoundingClientRect();
    const place = box ? [box.x + box.width / 2, box.y + box.height / 2] : null;
    if (place && String(place) === before) return place;
    before = String(place);
  }
})()"""
"""Where the middle of an element is, once it has come to rest."""


class _LeftError(Exception):
    """The page that was asked has been left meanwhile."""


class _Target:
    """A connection to the browser, or to one page of it."""

    def __init__(self, socket: ClientWebSocketResponse) -> None:
        self.complaints: list[str] = []
        """What the console was told that is an error or a warning, exceptions, and refused content."""
        self.asked: list[str] = []
        """The addresses that were asked for."""
        self._socket = socket
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._next = 0
        self._reading = asyncio.get_running_loop().create_task(self._read())

    async def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method of the DevTools protocol."""
        self._next += 1
        number = self._next
        coming = self._answers[number] = asyncio.get_running_loop().create_future()
        await self._socket.send_json({"id": number, "method": method, "params": parameters})
        async with asyncio.timeout(WAIT_S):
            answer = await coming
        if "error" in answer:
            if "navigated" in answer["error"]["message"] or "context" in answer["error"]["message"]:
                raise _LeftError
            raise AssertionError((method, answer["error"]))
        found: dict[str, Any] = answer["result"]
        return found

    async def close(self) -> None:
        """Stop listening."""
        await self._socket.close()
        await self._reading

    async def _read(self) -> None:
        async for message in self._socket:
            told = json.loads(message.data)
            if "id" in told:
                coming = self._answers.pop(told["id"], None)
                if coming is not None and not coming.done():  # else nobody waits for it any more
                    coming.set_result(told)
            else:
                self._hear(told["method"], told["params"])

    def _hear(self, method: str, about: dict[str, Any]) -> None:
        match method:
            case "Runtime.exceptionThrown":
                self.complaints.append(json.dumps(about["exceptionDetails"])[:1000])
            case "Runtime.consoleAPICalled" if about["type"] in ("error", "warning", "assert"):
                self.complaints.append(json.dumps(about["args"])[:1000])
            case "Log.entryAdded" if about["entry"]["level"] in ("error", "warning"):
                self.complaints.append(f"{about['entry']['text']} {about['entry'].get('url', '')}")
            case "Network.requestWillBeSent":
                self.asked.append(about["request"]["url"])
            case "Network.webSocketCreated":
                self.asked.append(about["url"])
            case _:
                pass


class Tab(_Target):
    """The page of the browser."""

    async def begin(self) -> None:
        """Listen to what it says, and give it a window."""
        for domain in ("Page", "Runtime", "Log", "Network"):
            await self.call(f"{domain}.enable")
        await self.look()

    async def leave(self) -> None:
        """Leave it as empty as a new one, for the next test."""
        for origin in {f"{url.scheme}://{url.netloc}" for url in map(urlsplit, self.asked)}:
            await self.call("Storage.clearDataForOrigin", origin=origin, storageTypes="all")
        await self.value("try { sessionStorage.clear() } catch {}")
        await self.call("Input.dispatchMouseEvent", type="mouseMoved", x=-1, y=-1)
        await self.open("about:blank")
        for method in (
            "Network.clearBrowserCookies",
            "Network.clearBrowserCache",
            "Runtime.discardConsoleEntries",
            "Log.clear",
        ):
            await self.call(method)

    async def open(self, url: str) -> None:
        """Go to an address."""
        await self.call("Page.navigate", url=url)

    async def value(self, expression: str) -> Any:
        """Return what an expression is, of a promise what it comes to."""
        answer = await self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    async def until(self, expression: str) -> Any:
        """Wait until an expression is true, asked whenever the page is drawn; return what it is."""
        watching = (
            "new Promise((done) => { const look = () => { let found; try { found = (%s); } catch {}"
            " found ? done(found) : setTimeout(look, 20); }; look(); })"
        )
        try:
            async with asyncio.timeout(WAIT_S):
                while True:
                    with contextlib.suppress(_LeftError):
                        return await self.value(watching % expression)
        except TimeoutError:
            seen = await self.value("document.body?.innerText.slice(0, 2000)")
            raise AssertionError(f"never came true: {expression}\n{seen}\n{self.complaints}") from None

    async def sees(self, *texts: str) -> None:
        """Wait until the page shows texts."""
        for text in texts:
            await self.until(f"document.body.innerText.includes({json.dumps(text)})")

    async def press(self, key: str) -> None:
        """Press a key."""
        code = {"Enter": 13, "Escape": 27}.get(key)
        about: dict[str, Any] = {"key": key, "code": key}
        if code is not None:
            about["windowsVirtualKeyCode"] = code
        text = {"Enter": "\r"}.get(key, key if len(key) == 1 else "")
        await self.call("Input.dispatchKeyEvent", type="keyDown", text=text, **about)
        await self.call("Input.dispatchKeyEvent", type="keyUp", **about)

    async def type(self, text: str) -> None:
        """Type a text."""
        for char in text:
            await self.press(char)

    async def hover(self, selector: str) -> list[float]:
        """Put the pointer on the middle of the first element that a selector names, once it is there; return where."""
        await self.until(f"document.querySelector({json.dumps(selector)})")
        place: list[float] = await self.value(_PLACE % json.dumps(selector))
        await self.call("Input.dispatchMouseEvent", type="mouseMoved", x=place[0], y=place[1])
        return place

    async def click(self, selector: str) -> None:
        """Click on the middle of the first element that a selector names, once it is there."""
        place = await self.hover(selector)
        about = {"x": place[0], "y": place[1], "button": "left", "clickCount": 1}
        await self.call("Input.dispatchMouseEvent", type="mousePressed", **about)
        await self.call("Input.dispatchMouseEvent", type="mouseReleased", **about)

    async def look(self, *, width: int = 1280, height: int = 860, scheme: str = "light") -> None:
        """Give the window a size and the user a preference."""
        await self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )
        preference = [{"name": "prefers-color-scheme", "value": scheme}]
        await self.call("Emulation.setEmulatedMedia", features=preference)

    async def picture(self, path: Path) -> None:
        """Write what is seen to a PNG file."""
        shot = await self.call("Page.captureScreenshot", format="png")
        await asyncio.to_thread(path.write_bytes, base64.b64decode(shot["data"]))


class _Chromium:
    """A running browser with a home of its own."""

    def __init__(self) -> None:
        assert CHROMIUM is not None
        self.folder = tempfile.mkdtemp(prefix="claude-proxy-chromium-")
        self.process = subprocess.Popen(
            [CHROMIUM, *OPTIONS, f"--user-data-dir={self.folder}/profile", "about:blank"],
            env={**os.environ, "HOME": self.folder},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        written = Path(self.folder, "profile", "DevToolsActivePort")
        until = time.monotonic() + WAIT_S
        while not (written.exists() and len(lines := written.read_text().split()) == 2):
            assert time.monotonic() < until, "the browser does not start"
            time.sleep(0.02)
        with urlopen(f"http://127.0.0.1:{lines[0]}/json/list", timeout=WAIT_S) as answer:
            pages = [one for one in json.load(answer) if one["type"] == "page"]
        self.address: str = pages[0]["webSocketDebuggerUrl"]
        """Where its one page is called."""

    def close(self) -> None:
        """Remove everything."""
        self.process.terminate()
        self.process.wait(WAIT_S)
        shutil.rmtree(self.folder, ignore_errors=True)


@cache
def _shared() -> _Chromium:
    return _Chromium()


def close_shared() -> None:
    """Remove the browser that tests share, if there is one."""
    if _shared.cache_info().currsize:
        _shared().close()
        _shared.cache_clear()


@contextlib.asynccontextmanager
async def browser() -> AsyncIterator[Tab]:
    """Give the page of the browser that all tests of this process share, as empty as a new one.

    A page of each test's own is a process of its own, which takes half of what a test of the page does.
    """
    running = await asyncio.to_thread(_shared)
    async with ClientSession() as session:
        tab = Tab(await session.ws_connect(running.address, max_msg_size=0))
        try:
            await tab.begin()
            yield tab
            await tab.leave()
        except BaseException:  # whatever state it is in: the next test gets another browser
            await asyncio.to_thread(close_shared)
            raise
        finally:
            await tab.close()
