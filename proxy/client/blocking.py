"""The client for programs without an event loop: the same one, run by a thread of its own."""

import contextlib
import functools
import itertools
import threading
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping
from concurrent.futures import CancelledError, Future
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, Concatenate, Generic, ParamSpec, Self, TypeVar

import anyio
import anyio.to_thread
from anyio.from_thread import BlockingPortal, start_blocking_portal
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from proxy.client.client import AsyncClient
from proxy.client.errors import ClientError
from proxy.client.models import CaptureOptions
from proxy.client.monitored import Run, Step

_B = TypeVar("_B")
_B_co = TypeVar("_B_co", covariant=True)
_P = ParamSpec("_P")
_T = TypeVar("_T")
_READ_AHEAD = 256
"""Items that the thread takes ahead of the program: going over to it costs as much as some twenty of them."""
_CLOSED = "This client is closed; make a new one."


class Items(Iterator[_T], Generic[_T]):
    """What an asynchronous generator gives, taken ahead a little by a task of the client's thread.

    Whoever leaves early says so with `close`, or takes them inside ``with``.
    """

    def __init__(self, portal: BlockingPortal, source: AsyncGenerator[_T, None]) -> None:
        self._portal = portal
        self._here: deque[_T] = deque()
        self._has_ended = threading.Event()
        self._is_over = False
        send, self._receive = anyio.create_memory_object_stream[_T](_READ_AHEAD)
        try:
            self._pumping = portal.start_task_soon(_pump, source, send, self._receive, self._has_ended)
        except RuntimeError:
            send.close()
            self._receive.close()
            raise RuntimeError(_CLOSED) from None

    def __next__(self) -> _T:
        if not self._here and not self._is_over:
            try:
                self._here.extend(_run(self._portal, self._more))
            except (anyio.EndOfStream, anyio.ClosedResourceError):
                self._is_over = True
                self._receive.close()
                _result(self._pumping)  # its error, if it ended with one
        if not self._here:
            raise StopIteration
        return self._here.popleft()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        if hasattr(self, "_pumping"):
            _cancel(self._pumping)

    def close(self) -> None:
        """Take no more, and end what was under way."""
        self._is_over = True
        self._here.clear()
        _cancel(self._pumping)
        self._has_ended.wait()

    async def _more(self) -> list[_T]:
        """Wait for an item, and return it with all that are there."""
        items = [await self._receive.receive()]
        with contextlib.suppress(anyio.WouldBlock, anyio.EndOfStream):
            while True:
                items.append(self._receive.receive_nowait())
        return items


async def _pump(
    source: AsyncGenerator[_T, None],
    send: MemoryObjectSendStream[_T],
    receive: MemoryObjectReceiveStream[_T],
    has_ended: threading.Event,
) -> None:
    try:
        async with send, contextlib.aclosing(source):
            async for item in source:
                try:
                    send.send_nowait(item)  # `send` would let everything else run first, for each item
                except anyio.WouldBlock:
                    await send.send(item)
    except anyio.get_cancelled_exc_class():
        with anyio.CancelScope(shield=True):
            await receive.aclose()  # nobody takes any more
        raise
    finally:
        has_ended.set()


def _cancel(future: "Future[Any]") -> None:
    with contextlib.suppress(RuntimeError):  # the client is closed, and everything of it has ended
        future.cancel()


def _run(portal: BlockingPortal, work: Callable[..., Awaitable[_T]], *args: Any) -> _T:
    """Return what a work gives; when the program is interrupted, the work is cancelled."""
    try:
        future = portal.start_task_soon(work, *args)
    except RuntimeError:
        raise RuntimeError(_CLOSED) from None
    return _result(future)


def _result(future: "Future[_T]") -> _T:
    try:
        return future.result()
    except CancelledError:  # by another thread, which has closed the client
        raise RuntimeError("The client was closed meanwhile.") from None
    except BaseException:
        _cancel(future)
        raise


class _Face(Generic[_B_co]):
    """What blocks in place of something asynchronous."""

    def __init__(self, portal: BlockingPortal, behind: _B_co) -> None:
        self._portal = portal
        self._behind = behind


def _call(
    method: Callable[Concatenate[_B, _P], Awaitable[_T]],
) -> Callable[Concatenate[_Face[_B], _P], _T]:
    @functools.wraps(method)
    def call(self: _Face[_B], /, *args: _P.args, **kwargs: _P.kwargs) -> _T:
        return _run(self._portal, functools.partial(method, self._behind, *args, **kwargs))

    return call


def _iterate(
    method: Callable[Concatenate[_B, _P], AsyncGenerator[_T, None]], at_once: int = 1
) -> Callable[Concatenate[_Face[_B], _P], Items[_T]]:
    @functools.wraps(method)
    def iterate(self: _Face[_B], /, *args: Any, **kwargs: Any) -> Items[_T]:
        args = tuple(_apart(value, at_once) for value in args)
        kwargs = {name: _apart(value, at_once) for name, value in kwargs.items()}
        return Items(self._portal, method(self._behind, *args, **kwargs))

    return iterate


def _apart(value: Any, at_once: int) -> Any:
    """Return what may wait when it is iterated, even for this client, as something that is taken in threads."""
    return _taken(value, at_once) if isinstance(value, Iterator) else value


async def _taken(items: Iterator[_T], at_once: int) -> AsyncGenerator[_T, None]:
    def take() -> list[_T]:
        return list(itertools.islice(items, at_once))

    # Whoever is done with it waits for no item more, however long it takes.
    while some := await anyio.to_thread.run_sync(take, abandon_on_cancel=True):
        for item in some:
            yield item


class Client(_Face[AsyncClient]):
    """`AsyncClient` for programs without an event loop: the same methods, which block.

    Those that yield give `Items`. Any number of threads may use a client.

    Example:
        with Client() as client:
            print(client.status().active_sessions)
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
        self._thread = contextlib.ExitStack()
        portal = self._thread.enter_context(start_blocking_portal(name="claude-proxy-client"))
        super().__init__(portal, behind)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections and end the thread; the client is of no use afterwards."""
        with contextlib.suppress(RuntimeError):  # it is closed
            self._portal.call(self._behind.close)
            self._portal.call(self._portal.stop, True)
        self._thread.close()

    health = _call(AsyncClient.health)
    health_live = _call(AsyncClient.health_live)
    health_ready = _call(AsyncClient.health_ready)
    prometheus = _call(AsyncClient.prometheus)
    openapi = _call(AsyncClient.openapi)
    status = _call(AsyncClient.status)
    monitoring_status = _call(AsyncClient.monitoring_status)
    sessions = _call(AsyncClient.sessions)
    session = _call(AsyncClient.session)
    overview = _call(AsyncClient.overview)
    metrics = _call(AsyncClient.metrics)
    analysis = _call(AsyncClient.analysis)
    approvals = _call(AsyncClient.approvals)
    seal = _call(AsyncClient.seal)
    drift = _call(AsyncClient.drift)
    conversation = _call(AsyncClient.conversation)
    questions = _call(AsyncClient.questions)
    actions = _call(AsyncClient.actions)
    hosts = _call(AsyncClient.hosts)
    costs = _call(AsyncClient.costs)
    search = _call(AsyncClient.search)
    log = _call(AsyncClient.log)
    page = _call(AsyncClient.page)
    records = _call(AsyncClient.records)
    record = _call(AsyncClient.record)
    events_page = _call(AsyncClient.events_page)
    events = _iterate(AsyncClient.events)
    stream = _iterate(AsyncClient.stream)
    specifications = _call(AsyncClient.specifications)
    specification = _call(AsyncClient.specification)
    validate = _call(AsyncClient.validate)
    validate_many = _iterate(AsyncClient.validate_many, 100)
    start_session = _call(AsyncClient.start_session)
    post_event = _call(AsyncClient.post_event)
    stop_session = _call(AsyncClient.stop_session)
    act = _call(AsyncClient.act)
    interrupt = _call(AsyncClient.interrupt)
    answer = _call(AsyncClient.answer)
    start_check = _call(AsyncClient.start_check)
    check = _call(AsyncClient.check)
    cancel_check = _call(AsyncClient.cancel_check)

    def monitored(
        self, name: str | None = None, *, capture_options: CaptureOptions | None = None
    ) -> "MonitoredRun":
        """Return a run that is monitored between entering and leaving it: as `AsyncClient.monitored`.

        Example:
            with client.monitored("nightly") as run, run.command({"action": "interrupt"}):
                pass
        """
        return MonitoredRun(self._portal, self._behind.monitored(name, capture_options=capture_options))


class MonitoredRun(_Face[Run]):
    """`Run` for programs without an event loop."""

    def __init__(self, portal: BlockingPortal, behind: Run) -> None:
        super().__init__(portal, behind)
        self._entered = portal.wrap_async_context_manager(behind)

    def __enter__(self) -> Self:
        self._entered.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._entered.__exit__(kind, error, trace)

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
        return self._portal.wrap_async_context_manager(self._behind.command(command))

    def execute(self, command: Mapping[str, Any], operation: Callable[[], _T]) -> _T:
        """Run an operation, in this thread, as a command, and return what it gives."""
        with self.command(command) as step:
            result = step.result = operation()
            return result
