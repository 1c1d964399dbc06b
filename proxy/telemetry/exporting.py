"""Exports what sessions do while they go on, from a thread of their server.

The logs are the queue: what cannot be sent now is made again from them later. ``DATA_DIR/otlp.json`` says how many
spans of each session were sent. Spans follow from the log alone (see ``traces``): a log that is read again gives the
same spans in the same order, and those that were sent before are left out. A server that is killed between an answer
and the note of it sends a span twice, with the same id. What ended before the export was switched on is not sent.
"""

import contextlib
import hashlib
import os
import threading
import time
from collections.abc import Callable, Iterable

import msgspec
import tenacity

from proxy.events.interpreter import Interpreter
from proxy.events.session import Session
from proxy.protocol.grammar import REFUSALS
from proxy.sending import Sender
from proxy.sessions.catalogue import is_running, is_unattended, list_logs, sessions_of
from proxy.sessions.identity import log_path, sessions_dir
from proxy.sessions.private import read_private, replace_file
from proxy.sessions.reader import Entry, LogReader
from proxy.sessions.watch import Watch
from proxy.telemetry.collector import MOST_SPANS, Collector, CollectorAwayError, CollectorRefusedError
from proxy.telemetry.traces import TraceBuilder, TraceSpan

_MOST_WAITING = 1000
"""Spans held in memory while the collector is away: beyond, logs are not read further."""
_PIECE = 1 << 20
"""Bytes of one log that are read before it is another one's turn."""
_LOOK_AT_ALL_S = 15.0
"""How often sessions are looked at whose writer may have died without a word."""
_BLIND_S = 1.0
"""Where nothing tells of changes, how often all logs are looked at: nobody waits for a span."""
_LONGEST_PAUSE_S = 60.0  # so that a minute after the collector is back everything is there
_LINGER_S = 600.0
"""How long a background server stays for what is not sent while the collector is away, as `ship.linger` has it."""
_GRACE_S = 2.0
"""What is being sent may take so long when the server stops; a stop is not to be noticed."""
_MARGIN_S = 10.0
"""File systems and clocks are not more exact than this."""


class _Sent(msgspec.Struct):
    """What was sent of a session."""

    spans: int
    mtime: float = 0.0
    """Of the log, when everything in it was sent and the session was over; 0 before."""


class _State(msgspec.Struct):
    """What outlives a restart."""

    endpoint: str
    """A digest: the address may hold a credential."""
    since_us: int
    settled: float
    """Logs that were last written before this have nothing that is not sent. Seconds since 1970."""
    sent: dict[str, _Sent] = {}


_decode = msgspec.json.Decoder(_State).decode


class _Followed:
    """A session whose log is being read."""

    def __init__(self, path: str, session_id: str, sent: int, since_us: int, *, with_content: bool) -> None:
        """``sent``: spans that an earlier reader of the log has sent. OSError: the log cannot be opened."""
        self.path, self.session_id = path, session_id
        self.sent, self._since_us = sent, since_us
        self.waiting: list[TraceSpan | None] = []
        """Spans in order; None stands for one that is not to be sent."""
        self.is_over = self.has_more = False
        self.mtime = 0.0
        self._to_skip = sent
        self.reader = LogReader(path)
        self._interpreter = Interpreter(Session(session_id))
        self._builder = TraceBuilder(session_id, with_content=with_content)

    def read(self) -> None:
        """Read on, up to a piece. OSError: the log cannot be read."""
        before = self.reader.offset
        self.mtime = os.fstat(self.reader.fileno()).st_mtime
        for item in self.reader.read(_PIECE):
            if isinstance(item, Entry):
                for event in self._interpreter.take(item.record):
                    self._take(self._builder.take(event))
                    self.is_over = event.event_type == "session_ended"
        self.has_more = self.reader.offset - before >= _PIECE

    def end_if_dead(self) -> None:
        """End what is open where the session's writer has died and nobody will go on. OSError: as `read`."""
        if not self.is_over and not is_running(self.path) and not is_unattended(self.path):
            self.read()  # what it wrote in between
            if not self.is_over and not self.has_more:
                self._take(self._builder.close(self._interpreter.session.last_event_us))
                self.is_over = True

    @property
    def is_done(self) -> bool:
        """Whether everything was sent, and nothing more is to come."""
        return self.is_over and not self.has_more and not self.waiting

    def _take(self, spans: Iterable[TraceSpan]) -> None:
        for span in spans:
            if self._to_skip:
                self._to_skip -= 1
            else:
                self.waiting.append(span if span.end_us >= self._since_us else None)


class Exporter:
    """Reads logs and sends their spans. For one thread at a time."""

    def __init__(
        self,
        data_dir: str,
        endpoint: str,
        collector: Collector,
        *,
        with_content: bool = False,
        on_refused: Callable[[Exception], None] = lambda _: None,
    ) -> None:
        """``endpoint``: another one than before gets what ends from now on.

        ``on_refused`` is told of spans that the collector does not want.
        """
        self._data_dir, self._collector, self._with_content = data_dir, collector, with_content
        self._on_refused = on_refused
        self._path = os.path.join(data_dir, "otlp.json")
        self._followed: dict[str, _Followed] = {}
        self._state = self._load(hashlib.sha256(endpoint.encode()).hexdigest())
        self._looked_for_dead = 0.0

    def look(self, changed: Iterable[str] | None) -> None:
        """Learn which logs have changed (None: any may have). OSError: the folder cannot be read."""
        for session_id in list_logs(self._data_dir) if changed is None else changed:
            self._take_up(session_id)

    def end_dead(self) -> None:
        """End what is open in sessions whose writer has died without a word, if it is time to look for them."""
        if time.monotonic() - self._looked_for_dead < _LOOK_AT_ALL_S:
            return
        self._looked_for_dead = time.monotonic()
        for one in list(self._followed.values()):
            if not one.has_more:
                self._attempt(one, one.end_if_dead)

    def send(self) -> bool:
        """Read and send a batch; return whether there may be more.

        Raises:
            CollectorAwayError: it has not arrived, and waits.
            OSError: what was sent cannot be noted.
        """
        self._read()
        batch: list[TraceSpan] = []
        taken: list[tuple[_Followed, int]] = []
        for one in self._followed.values():
            count = min(len(one.waiting), MOST_SPANS - len(batch))
            batch += [span for span in one.waiting[:count] if span is not None]
            taken.append((one, count))
        try:
            self._collector.send(batch)
        except CollectorRefusedError as error:
            self._on_refused(error)  # sent again they would be refused again
        for one, count in taken:
            del one.waiting[:count]
            one.sent += count
        has_sent = any(count for _, count in taken)
        if self._drop_done() or has_sent:
            self.save()
        return has_sent or any(one.has_more for one in self._followed.values())

    def save(self) -> None:
        """Note what was sent. OSError: that cannot be done."""
        state = self._state
        for one in self._followed.values():
            if one.sent:
                state.sent[one.session_id] = _Sent(one.sent)
        open_since = [one.mtime for one in self._followed.values()]
        state.settled = max(state.settled, min([time.time() - _MARGIN_S, *open_since]))
        for session_id, sent in list(state.sent.items()):
            if session_id not in self._followed and sent.mtime < state.settled:
                del state.sent[session_id]
        replace_file(self._path, msgspec.json.encode(state))

    def close(self) -> None:
        """Note what was sent, as far as that can be done, and let go of the logs."""
        with contextlib.suppress(OSError):
            self.save()
        for one in self._followed.values():
            one.reader.close()
        self._followed.clear()

    def _load(self, endpoint: str) -> _State:
        with contextlib.suppress(OSError, *REFUSALS):
            found = _decode(read_private(self._path))
            if found.endpoint == endpoint:
                return found
        now = time.time()
        state = _State(endpoint, int(now * 1_000_000), now - _MARGIN_S)
        # Or a server that is killed before it has sent anything would leave out what it lacks.
        with contextlib.suppress(OSError):  # the next sending says so
            replace_file(self._path, msgspec.json.encode(state))
        return state

    def _take_up(self, session_id: str) -> None:
        """Follow a session, or read on, if its log has something that was not sent."""
        path = log_path(self._data_dir, session_id)
        one = self._followed.get(session_id)
        if one is not None and not one.reader.is_current():
            self._leave(one)
            one = None
        if one is None:
            state = self._state
            sent = state.sent.get(session_id, _Sent(0))
            try:
                if (mtime := os.stat(path).st_mtime) < state.settled or mtime == sent.mtime:
                    return
                one = _Followed(path, session_id, sent.spans, state.since_us, with_content=self._with_content)
            except OSError:
                return
            self._followed[session_id] = one
        one.has_more = True

    def _read(self) -> None:
        """Read what has changed, as long as not too much waits."""
        waiting = sum(len(one.waiting) for one in self._followed.values())
        for one in list(self._followed.values()):
            if waiting >= _MOST_WAITING:
                return
            if one.has_more:
                before = len(one.waiting)
                self._attempt(one, one.read)
                waiting += len(one.waiting) - before

    def _attempt(self, one: _Followed, what: Callable[[], None]) -> None:
        try:
            what()
        except OSError:  # the log is gone, or cannot be read: another look may find it again
            self._leave(one)

    def _drop_done(self) -> bool:
        """Leave the sessions of which everything was sent; return whether there were any."""
        done = [one for one in self._followed.values() if one.is_done]
        for one in done:
            self._leave(one)
            self._state.sent[one.session_id].mtime = one.mtime
        return bool(done)

    def _leave(self, one: _Followed) -> None:
        one.reader.close()
        del self._followed[one.session_id]
        self._state.sent[one.session_id] = _Sent(one.sent)


class Export(Sender):
    """A thread that exports, from now on until `stop`."""

    def __init__(
        self,
        data_dir: str,
        endpoint: str | None,
        *,
        with_content: bool,
        on_trouble: Callable[[str | None], None] = lambda _: None,
        on_fault: Callable[[Exception], None] = lambda _: None,
    ) -> None:
        """``endpoint``: as for `Collector`. ``on_trouble`` and ``on_fault`` are called in the thread.

        ``on_fault`` is told of a data directory that cannot be used, of spans that are refused, or of a fault of ours.
        MissingLibraryError when OpenTelemetry's libraries are not installed.
        """
        super().__init__(_LINGER_S, on_trouble)
        self._collector = Collector(endpoint)
        where = endpoint or os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT", "environment")
        self._on_fault = on_fault
        self._exporter = Exporter(
            data_dir, where, self._collector, with_content=with_content, on_refused=on_fault
        )
        self._watch = Watch(sessions_dir(data_dir), blind_s=_BLIND_S, by_library=True)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="otlp", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread. What is not sent yet is sent another time."""
        self._stopping.set()
        self._watch.wake()
        self._thread.join(_GRACE_S)
        self._collector.close()
        self._thread.join()
        self._watch.close()

    def _run(self) -> None:
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(CollectorAwayError),
            wait=tenacity.wait_random_exponential(max=_LONGEST_PAUSE_S),
            stop=tenacity.stop_when_event_set(self._stopping),
            sleep=tenacity.sleep_using_event(self._stopping),
            before_sleep=self._note_failure,
        )
        changed: set[str] | None = None  # the sessions whose logs have changed; None: any may have
        while not self._stopping.is_set():
            try:
                retrying(self._round, changed)
                names = self._watch.wait(_LOOK_AT_ALL_S)
                changed = None if names is None else set(sessions_of(names))
            except tenacity.RetryError:  # it is away, and we are to stop
                break
            except Exception as error:
                self._on_fault(error)
                self._stopping.wait(_LONGEST_PAUSE_S)
                changed = None
        if self.trouble is None:
            self._collector.send_metrics(now=True)
        self._exporter.close()

    def _round(self, changed: set[str] | None) -> None:
        """Send all that there is."""
        self.is_done = False
        self._exporter.look(changed)
        self._send_all()
        self._exporter.end_dead()
        self._send_all()
        self.is_done = True
        self._note_trouble(None)
        self._collector.send_metrics()

    def _send_all(self) -> None:
        while self._exporter.send() and not self._stopping.is_set():
            pass

    def _note_failure(self, state: tenacity.RetryCallState) -> None:
        self._note_trouble(None if state.outcome is None else str(state.outcome.exception()))
