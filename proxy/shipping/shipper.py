"""Sends what is recorded in a data directory to its centre, and goes on however often that fails."""

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator, Callable

import tenacity

from proxy import __version__
from proxy.events.timestamps import format_timestamp
from proxy.fleet import PROTOCOL, Greeting, Hello
from proxy.sending import Sender
from proxy.sessions import firings
from proxy.sessions.catalogue import sessions_of
from proxy.sessions.identity import sessions_dir
from proxy.sessions.watch import Watch
from proxy.ship_settings import Ship
from proxy.shipping import content, identity
from proxy.shipping.backlog import Backlog, Piece
from proxy.shipping.centre import (
    AwayError,
    Centre,
    FaultError,
    ForgottenError,
    NotTakenError,
    RefusedTokenError,
    StrangerError,
)
from proxy.shipping.ledger import Ledger, clear

_HEARTBEAT_S, _LIVE_HEARTBEAT_S = 15.0, 5.0
"""How often the centre hears of a host. 15 s, as three that are missed make it unreachable there (`UNREACHABLE_S`),
which people should see within a minute. More often while a session goes on: what the centre gives out waits until each
such host was heard (see the watermark of its store), and 5 s is what a person who follows a session puts up with.
"""
_LOOK_S = 1.0
"""How often live logs are looked at: the death of a writer changes no file, so nothing is heard of it. A person takes a
second for at once, and there are few live logs to look at.
"""
_LOOK_AT_ALL_S = 60.0
"""How often all logs are, for what was done to them without being heard of, as on network file systems. A look at
20,000 logs takes up to a second, which is little of a minute.
"""
_ROUND_S = 1.0
"""For so long a backlog is sent before it is looked for new sessions, and whether it is time to be heard: as often as
live logs are looked at.
"""
_AT_ONCE = 1000
"""Sessions that are named in one greeting: some 50 KB, far below what a server takes as a body."""
_LONGEST_PAUSE_S = 30.0
"""With a greeting that hangs for its 20 s and a connection for its 10 s, a minute: within that a host notices that the
centre is back.
"""


class Shipper(Sender):
    """Ships one data directory."""

    def __init__(
        self,
        data_dir: str,
        settings: Ship,
        on_trouble: Callable[[str | None], None] = lambda _: None,
        *,
        pause: Callable[[tenacity.RetryCallState], float] | None = None,
    ) -> None:
        """``pause`` says how many seconds to wait after a failure."""
        super().__init__(settings.linger, on_trouble)
        self._data_dir, self._settings = data_dir, settings
        self._pause = pause or tenacity.wait_random_exponential(max=_LONGEST_PAUSE_S)
        self._content = content.of(settings.content, settings.redact)
        self._firing = content.of_firings(settings.content, settings.redact)
        self._greet_at = self._looked_at_all = 0.0
        self._must_compare = True
        self._centre_version = ""
        self._longest_push = 0
        self.set_aside: dict[str, str] = {}
        """The sessions that the centre does not take, and why."""

    async def run(self) -> None:
        """Ship until cancelled. OSError: the data directory cannot be used."""
        async with self._ready():
            watch = Watch(sessions_dir(self._data_dir), by_library=True)
            try:
                changed: set[str] | None = None
                while True:
                    began = time.monotonic()
                    self.is_done = await self._retried(changed)
                    changed = await self._news(watch, began)
            finally:
                watch.close()

    async def run_once(self, wait_s: float | None) -> bool:
        """Ship what there is; return whether all of it was acknowledged in time.

        Raises:
            RefusedTokenError: the centre does not take the token.
            OSError: the data directory cannot be used.
        """
        async with self._ready():
            try:
                async with asyncio.timeout(wait_s):
                    while not await self._retried(None, until=RefusedTokenError):
                        pass
            except TimeoutError:
                return False
            except RefusedTokenError as error:
                self._host.trouble = str(error)  # `ship status` says it
                raise
            return True

    @contextlib.asynccontextmanager
    async def _ready(self) -> AsyncIterator[None]:
        to = self._settings.to
        assert to is not None
        self._host = await asyncio.to_thread(identity.load, self._data_dir, to)
        if self._host.epoch is None:  # nothing was acknowledged by this centre
            await asyncio.to_thread(clear, self._data_dir)
        with contextlib.closing(await asyncio.to_thread(Ledger, self._data_dir)) as ledger:
            self._backlog = Backlog(
                self._data_dir, ledger, piece_bytes=self._settings.piece, forgotten=self._host.forgotten
            )
            self._backlog.takes_firings = self._host.takes_firings
            async with Centre(to, self._settings.token, self._host.host_id) as self._centre:
                try:
                    yield
                finally:
                    self._save()

    # -- one round after the other -----------------------------------------------------------------------------

    async def _retried(self, changed: set[str] | None, until: type[Exception] = NotTakenError) -> bool:
        """Do a round, again and again until nothing fails; return whether nothing is left to be sent.

        An error of the kind ``until`` is raised.
        """
        retrying = tenacity.AsyncRetrying(
            retry=tenacity.retry_if_exception_type((AwayError, OSError))
            & tenacity.retry_if_not_exception_type(until),
            wait=self._wait_s,
            before_sleep=self._note_failure,
            reraise=True,
        )
        async for attempt in retrying:
            with attempt:
                is_first = attempt.retry_state.attempt_number == 1
                is_done = await self._round(changed if is_first else None)
        if self._host.trouble is not None:  # maybe an earlier process's
            self._host.trouble = None
            self._save()
        self._note_trouble(None)
        return is_done

    async def _round(self, changed: set[str] | None) -> bool:
        """Look, say that we are there if it is time, and send for a while; return whether nothing is left."""
        began = time.monotonic()
        if changed is None:
            self._looked_at_all = began
        await asyncio.to_thread(self._backlog.look, changed)
        if began >= self._greet_at or self._must_compare:
            await self._greet()
        while (piece := await asyncio.to_thread(self._backlog.next)) is not None:
            await self._send(piece)
            if time.monotonic() - began > _ROUND_S or self._must_compare:
                return False
        return True

    async def _greet(self) -> None:
        """Say that we are there, and learn what the centre has otherwise than we thought."""
        everything = self._must_compare
        positions = list(self._backlog.positions(everything=everything))
        for begin in range(0, len(positions) or 1, _AT_ONCE):  # one greeting at least
            hello = Hello(
                protocol=PROTOCOL,
                version=__version__,
                name=socket.gethostname(),
                sent_at=_now(),
                epoch=self._host.epoch,
                pushes=self._host.pushes,
                sessions=dict(positions[begin : begin + _AT_ONCE]),
            )
            greeting = await self._centre.greet(hello)
            self._learn(greeting)
            await asyncio.to_thread(self._backlog.correct, greeting.differing, greeting.forgotten)
        self._backlog.take_up_failed()
        if everything:
            self._must_compare = False
        self._save()
        pause_s = _LIVE_HEARTBEAT_S if self._backlog.has_live else _HEARTBEAT_S
        self._greet_at = time.monotonic() + pause_s
        if self._must_compare:
            await self._greet()

    def _learn(self, greeting: Greeting) -> None:
        self._longest_push = greeting.longest_push
        if greeting.version != self._centre_version:
            self._centre_version = greeting.version
            self._backlog.take_up_all()
        host = self._host
        if greeting.epoch != host.epoch or greeting.pushes < host.pushes:
            self._must_compare = True
        host.epoch, host.pushes = greeting.epoch, greeting.pushes
        host.takes_firings = self._backlog.takes_firings = greeting.takes_firings
        host.answered_at = _now()

    async def _send(self, piece: Piece) -> None:
        backlog = self._backlog
        try:
            text = await asyncio.to_thread(self._prepared, piece)
            if len(text) > self._longest_push:
                raise NotTakenError(
                    f"a line has {len(text)} bytes, and the centre takes {self._longest_push} at once"
                )
            next_line, stored = await self._centre.push(piece, text)
        except ForgottenError:
            backlog.forget(piece.session_id)
            return
        except (NotTakenError, FaultError) as error:
            backlog.put_aside(piece.session_id, str(error), may_pass=isinstance(error, FaultError))
            self._save()
            return
        except StrangerError:
            self._must_compare = True
            raise
        if stored is None:
            await asyncio.to_thread(backlog.correct, {piece.session_id: next_line}, ())
            return
        await asyncio.to_thread(backlog.acknowledge, piece, next_line)
        self._must_compare |= stored.epoch != self._host.epoch
        self._host.pushes = stored.pushes
        if self._settings.rate is not None:
            await asyncio.sleep(len(text) / self._settings.rate)

    def _prepared(self, piece: Piece) -> bytes:
        """Return what of a piece may leave. NotTakenError: a fault of ours, which holds up this session alone."""
        try:
            return self._content(piece.text) + b"".join(map(self._firing, piece.firings))
        except Exception as error:
            raise NotTakenError(f"a fault of claude-proxy keeps it here: {error!r}") from error

    async def _news(self, watch: Watch, began: float) -> set[str] | None:
        """Wait for what is to be done next; return the sessions that have changed, None: any may have."""
        timeout_s = 0.0
        if self.is_done:
            timeout_s = self._greet_at - time.monotonic()
            if self._backlog.has_live:
                timeout_s = min(timeout_s, _LOOK_S)
        names = await _waited(watch, max(0.0, timeout_s))
        if names:
            await asyncio.sleep(max(0.0, began + self._settings.gather - time.monotonic()))
            more = await _waited(watch, 0.0)
            names = None if more is None else names | more
        if names is None or time.monotonic() - self._looked_at_all > _LOOK_AT_ALL_S:
            return None
        return {*sessions_of(names), *sessions_of(names, firings.SUFFIX)}

    # -- failures ----------------------------------------------------------------------------------------------

    def _wait_s(self, state: tenacity.RetryCallState) -> float:
        error = _error_of(state)
        after_s = error.after_s if isinstance(error, AwayError) else None
        return self._pause(state) if after_s is None else min(after_s, _LONGEST_PAUSE_S)

    def _note_failure(self, state: tenacity.RetryCallState) -> None:
        sentence = str(_error_of(state))
        self._greet_at, self.is_done = 0.0, False
        if self._host.trouble != sentence:
            self._host.trouble = sentence
            self._save()
        self._note_trouble(sentence)

    def _save(self) -> None:
        self._host.set_aside = self.set_aside = dict(self._backlog.set_aside)
        self._host.forgotten = self._backlog.forgotten
        with contextlib.suppress(OSError):  # it saves looking, and is for people to read
            identity.save(self._data_dir, self._host)


def _now() -> str:
    return format_timestamp(time.time_ns() // 1000)


def _error_of(state: tenacity.RetryCallState) -> BaseException | None:
    return None if state.outcome is None else state.outcome.exception()


async def _waited(watch: Watch, timeout_s: float) -> set[str] | None:
    """Wait for a change in a thread, which is over when this is, also when this is cancelled."""
    waiting = asyncio.ensure_future(asyncio.to_thread(watch.wait, timeout_s))
    try:
        return await asyncio.shield(waiting)
    except asyncio.CancelledError:
        watch.wake()
        await waiting
        raise
