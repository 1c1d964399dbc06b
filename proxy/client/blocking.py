"""The client for programs without an event loop: the same one, run by a thread of its own."""

import asyncio
import functools
import threading
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from types import TracebackType
from typing import Any, Concatenate, Generic, ParamSpec, Self, TypeVar

from proxy.client.client import AsyncClient
from proxy.client.models import CaptureOptions
from proxy.client.monitored import Run, Step

__all__ = ["Client", "MonitoredRun"]

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


class _Items(Iterator[_T], Generic[_T]):
    """What an asynchronous iterator gives, taken ahead a little by a task of the loop."""

    def __init__(self, loop: _Loop, source: AsyncIterator[_T]) -> None:
        self._loop = loop
        self._source = source
        self._items: deque[_T] = deque()
        self._room = asyncio.Event()
        self._changed = threading.Condition()
        self._over = False
        self._error: BaseException | None = None
        self._task = loop.run(self._start())

    def __next__(self) -> _T:
        with self._changed:
            while not self._items and not self._over:
                self._changed.wait()
            if self._items:
                if len(self._items) == _READ_AHEAD // 2:
                    self._loop.loop.call_soon_threadsafe(self._room.set)
                return self._items.popleft()
        if self._error is not None:
            error, self._error = self._error, None
            raise error
        raise StopIteration

    def __del__(self) -> None:
        if not self._over and not self._loop.loop.is_closed():
            self._loop.loop.call_soon_threadsafe(self._task.cancel)

    def close(self) -> None:
        """Take no more."""
        if not self._over:
            self._loop.run(_ended(self._task))

    async def _start(self) -> "asyncio.Task[None]":
        return asyncio.create_task(self._pump())

    async def _pump(self) -> None:
        error: BaseException | None = None
        try:
            async for item in self._source:
                with self._changed:
                    self._items.append(item)
                    full = len(self._items) >= _READ_AHEAD
                    self._changed.notify()
                if full:
                    self._room.clear()
                    if len(self._items) >= _READ_AHEAD // 2:
                        await self._room.wait()
        except BaseException as raised:  # whoever iterates gets it
            error = raised
        finally:
            if close := getattr(self._source, "aclose", None):
                await close()
            with self._changed:
                self._over = True
                self._error = None if isinstance(error, asyncio.CancelledError) else error
                self._changed.notify()


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


def _call(
    method: Callable[Concatenate[AsyncClient, _P], Awaitable[_T]],
) -> "Callable[Concatenate[Client, _P], _T]":
    @functools.wraps(method)
    def call(self: "Client", /, *args: _P.args, **kwargs: _P.kwargs) -> _T:
        return self._loop.run(method(self._client, *args, **kwargs))

    return call


def _iterate(
    method: Callable[Concatenate[AsyncClient, _P], AsyncIterator[_T]],
) -> "Callable[Concatenate[Client, _P], Iterator[_T]]":
    @functools.wraps(method)
    def iterate(self: "Client", /, *args: _P.args, **kwargs: _P.kwargs) -> Iterator[_T]:
        return _Items(self._loop, method(self._client, *args, **kwargs))

    return iterate


class Client:
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
        self._client = AsyncClient(
            base_url, data_dir=data_dir, token=token, timeout_s=timeout_s, retries=retries
        )
        self._loop = _Loop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections and end the thread; the client is of no use afterwards."""
        try:
            self._loop.run(self._client.close())
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
    records = _call(AsyncClient.records)
    record = _call(AsyncClient.record)
    monitoring_status = _call(AsyncClient.monitoring_status)
    sessions = _call(AsyncClient.sessions)
    session = _call(AsyncClient.session)
    openapi = _call(AsyncClient.openapi)
    specifications = _call(AsyncClient.specifications)
    specification = _call(AsyncClient.specification)
    validate = _call(AsyncClient.validate)
    validate_many = _iterate(AsyncClient.validate_many)
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
        return MonitoredRun(self._loop, self._client.monitored(name, capture_options=capture_options))


class MonitoredRun:
    """`Run` for programs without an event loop."""

    def __init__(self, loop: _Loop, run: Run) -> None:
        self._loop = loop
        self._run = run

    def __enter__(self) -> Self:
        self._loop.run(self._run.__aenter__())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.run(self._run.__aexit__(kind, error, trace))

    @property
    def session_id(self) -> str:
        """The monitoring session."""
        return self._run.session_id

    @property
    def lost(self) -> int:
        """How many events could not be recorded."""
        return self._run.lost

    def event(self, event_type: str, data: Mapping[str, Any]) -> bool:
        """Record an event of the program's own; return whether it is on record."""
        return self._loop.run(self._run.event(event_type, data))

    def command(self, command: Mapping[str, Any]) -> AbstractContextManager[Step]:
        """As `Run.command`: ``with run.command({...}) as step: step.result = work()``."""
        return _Blocking(self._loop, self._run.command(command))

    def execute(self, command: Mapping[str, Any], operation: Callable[[], _T]) -> _T:
        """Run an operation, in this thread, as a command."""
        with self.command(command) as step:
            result = step.result = operation()
            return result

    def claude(self, *args: Any, **kwargs: Any) -> Iterator[Any]:
        """As `Run.claude`."""
        return _Items(self._loop, self._run.claude(*args, **kwargs))
