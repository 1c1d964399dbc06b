"""The client for programs without an event loop: the same one, run by a thread of its own."""

import asyncio
import concurrent.futures
import contextlib
import functools
import itertools
import threading
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from types import TracebackType
from typing import Any, Concatenate, Generic, ParamSpec, Self, TypeVar

from proxy.client.client import AsyncClient
from proxy.client.errors import ClientError
from proxy.client.models import CaptureOptions
from proxy.client.monitored import Run, Step

__all__ = ["Client", "Items", "MonitoredRun"]

_B = TypeVar("_B")
_P = ParamSpec("_P")
_T = TypeVar("_T")
_READ_AHEAD = 256
"""Items that the thread takes ahead of the program."""


class _Loop:
    """An event loop in a thread."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="claude-proxy-client", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self.loop) as runner:  # cancels at the end what still runs
            self._stopped = runner.get_loop().create_future()
            runner.run(self._until_stopped())

    async def _until_stopped(self) -> None:
        await self._stopped

    def run(self, work: Awaitable[_T]) -> _T:
        """Return what a work gives; when the program is interrupted, the work is cancelled."""
        if not self._thread.is_alive():
            if isinstance(work, Coroutine):
                work.close()
            raise RuntimeError("This client is closed; make a new one.")
        future = asyncio.run_coroutine_threadsafe(_awaited(work), self.loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def stop(self) -> None:
        """End the thread."""
        if self._thread.is_alive():
            self.loop.call_soon_threadsafe(self._stopped.set_result, None)
            self._thread.join()


async def _awaited(work: Awaitable[_T]) -> _T:
    return await work


class Items(Iterator[_T], Generic[_T]):
    """What an asynchronous iterator gives, taken ahead a little by a task of the loop.

    Whoever leaves early says so with `close`, or takes them inside ``with``.
    """

    def __init__(self, loop: _Loop, source: AsyncGenerator[_T, None]) -> None:
        self._loop = loop
        self._source = source
        self._items: deque[_T] = deque()
        self._room = asyncio.Event()
        self._changed = threading.Condition()
        self._over = self._closed = False
        self._error: BaseException | None = None
        self._task = loop.run(self._start())

    def __next__(self) -> _T:
        with self._changed:
            while not self._items and not self._over:
                self._changed.wait()
            if self._items:
                if len(self._items) == _READ_AHEAD // 2 and not self._over:
                    self._loop.loop.call_soon_threadsafe(self._room.set)
                return self._items.popleft()
        if self._error is not None:
            error, self._error = self._error, None
            raise error
        raise StopIteration

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        if hasattr(self, "_task") and not self._over and not self._loop.loop.is_closed():
            self._loop.loop.call_soon_threadsafe(self._task.cancel)

    def close(self) -> None:
        """Take no more, and end what was under way."""
        self._closed = True
        if not self._over:
            self._loop.run(_ended(self._task))
        self._items.clear()

    async def _start(self) -> "asyncio.Task[None]":
        task = asyncio.create_task(self._pump())
        task.add_done_callback(self._finish)
        return task

    async def _pump(self) -> None:
        async with contextlib.aclosing(self._source) as source:
            async for item in source:
                with self._changed:
                    self._items.append(item)
                    full = len(self._items) >= _READ_AHEAD
                    self._changed.notify()
                if full:
                    self._room.clear()
                    if len(self._items) >= _READ_AHEAD // 2:
                        await self._room.wait()

    def _finish(self, task: "asyncio.Task[None]") -> None:
        with self._changed:
            self._over = True
            if not task.cancelled():
                self._error = task.exception()
            elif not self._closed:
                self._error = RuntimeError("The client was closed meanwhile.")
            self._changed.notify_all()


async def _ended(task: "asyncio.Task[None]") -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


class _Blocking(AbstractContextManager[_T]):
    """An asynchronous context manager, entered and left from outside the loop."""

    def __init__(self, loop: _Loop, manager: AbstractAsyncContextManager[_T]) -> None:
        self._loop = loop
        self._manager = manager

    def __enter__(self) -> _T:
        return self._loop.run(self._manager.__aenter__())

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        return self._loop.run(self._manager.__aexit__(kind, error, trace))


class _Face(Generic[_B]):
    """What blocks in place of something asynchronous."""

    def __init__(self, loop: _Loop, behind: _B) -> None:
        self._loop = loop
        self._behind = behind


def _call(
    method: Callable[Concatenate[_B, _P], Awaitable[_T]],
) -> Callable[Concatenate[_Face[_B], _P], _T]:
    @functools.wraps(method)
    def call(self: _Face[_B], /, *args: _P.args, **kwargs: _P.kwargs) -> _T:
        return self._loop.run(method(self._behind, *args, **kwargs))

    return call


def _iterate(
    method: Callable[Concatenate[_B, _P], AsyncGenerator[_T, None]], at_once: int = 1
) -> Callable[Concatenate[_Face[_B], _P], Items[_T]]:
    @functools.wraps(method)
    def iterate(self: _Face[_B], /, *args: Any, **kwargs: Any) -> Items[_T]:
        args = tuple(_apart(value, at_once) for value in args)
        kwargs = {name: _apart(value, at_once) for name, value in kwargs.items()}
        return Items(self._loop, method(self._behind, *args, **kwargs))

    return iterate


def _apart(value: Any, at_once: int) -> Any:
    """Return what may wait when it is iterated, even for this client, as something that is taken in threads."""
    return _taken(value, at_once) if isinstance(value, Iterator) else value


async def _taken(items: Iterator[_T], at_once: int) -> AsyncGenerator[_T, None]:
    while some := await _in_a_thread(lambda: list(itertools.islice(items, at_once))):
        for item in some:
            yield item


def _in_a_thread(work: Callable[[], _T]) -> "asyncio.Future[_T]":
    """Run a work in a thread that keeps nobody from ending, however long it takes."""
    future: concurrent.futures.Future[_T] = concurrent.futures.Future()
    future.set_running_or_notify_cancel()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:  # whoever iterates gets it
            future.set_exception(error)

    threading.Thread(target=run, name="claude-proxy-client items", daemon=True).start()
    return asyncio.wrap_future(future)


class Client(_Face[AsyncClient]):
    """`AsyncClient` for programs without an event loop: the same methods, which block.

    with Client() as client:
        print(client.status())
    """

    def __init__(
        self,
        base_url: str | None = None,
        *,
        data_dir: str | None = None,
        token: str | None = None,
        timeout_s: float = 30.0,
        retries: int = 4,
    ) -> None:
        """As for `AsyncClient`."""
        behind = AsyncClient(base_url, data_dir=data_dir, token=token, timeout_s=timeout_s, retries=retries)
        super().__init__(_Loop(), behind)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections and end the thread; the client is of no use afterwards."""
        try:
            self._loop.run(self._behind.close())
        except RuntimeError:
            return  # it is closed
        self._loop.stop()

    health = _call(AsyncClient.health)
    health_live = _call(AsyncClient.health_live)
    health_ready = _call(AsyncClient.health_ready)
    prometheus = _call(AsyncClient.prometheus)
    status = _call(AsyncClient.status)
    overview = _call(AsyncClient.overview)
    metrics = _call(AsyncClient.metrics)
    analysis = _call(AsyncClient.analysis)
    drift = _call(AsyncClient.drift)
    records = _call(AsyncClient.records)
    record = _call(AsyncClient.record)
    monitoring_status = _call(AsyncClient.monitoring_status)
    sessions = _call(AsyncClient.sessions)
    session = _call(AsyncClient.session)
    openapi = _call(AsyncClient.openapi)
    specifications = _call(AsyncClient.specifications)
    specification = _call(AsyncClient.specification)
    validate = _call(AsyncClient.validate)
    validate_many = _iterate(AsyncClient.validate_many, 100)
    events_page = _call(AsyncClient.events_page)
    events = _iterate(AsyncClient.events)
    stream = _iterate(AsyncClient.stream)
    start_session = _call(AsyncClient.start_session)
    post_event = _call(AsyncClient.post_event)
    stop_session = _call(AsyncClient.stop_session)
    start_check = _call(AsyncClient.start_check)
    check = _call(AsyncClient.check)
    cancel_check = _call(AsyncClient.cancel_check)

    def monitored(
        self, name: str | None = None, *, capture_options: CaptureOptions | None = None
    ) -> "MonitoredRun":
        """Return a run that is monitored between entering and leaving it."""
        return MonitoredRun(self._loop, self._behind.monitored(name, capture_options=capture_options))


class MonitoredRun(_Face[Run]):
    """`Run` for programs without an event loop."""

    def __enter__(self) -> Self:
        self._loop.run(self._behind.__aenter__())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.run(self._behind.__aexit__(kind, error, trace))

    @property
    def name(self) -> str | None:
        """As `Run.name`."""
        return self._behind.name

    @property
    def session_id(self) -> str:
        """The monitoring session."""
        return self._behind.session_id

    @property
    def lost(self) -> int:
        """How many events could not be recorded."""
        return self._behind.lost

    @property
    def trouble(self) -> ClientError | None:
        """Why not, the last time."""
        return self._behind.trouble

    event = _call(Run.event)
    claude = _iterate(Run.claude)

    def command(self, command: Mapping[str, Any]) -> AbstractContextManager[Step]:
        """As `Run.command`: ``with run.command({...}) as step: step.result = work()``."""
        return _Blocking(self._loop, self._behind.command(command))

    def execute(self, command: Mapping[str, Any], operation: Callable[[], _T]) -> _T:
        """Run an operation, in this thread, as a command."""
        with self.command(command) as step:
            result = step.result = operation()
            return result
