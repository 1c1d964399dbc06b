"""The relay process: owns the streams and the log of one session, and outlives the supervisor where it must.

It starts a pump for each relayed stream and waits for three things: news from the supervisor, readers that go, and the
ends of its pumps. When the command has exited it tells the supervisor as soon as everything that the command wrote is
delivered; if descendants of the command still hold its streams, it goes on pumping for them. The last thing
that it does is to write the ``session_ended`` record.
"""

from __future__ import annotations

import contextlib
import os
import select

from proxy.relay.delivery import KILLED_S, LEFT_S, STALLED_MS, Delivery, Stalls
from proxy.relay.memory import reuse_large_blocks
from proxy.relay.pump import Pump
from proxy.relay.recording import StreamRecorder, TextRecorder
from proxy.relay.supervisor import DELIVERED, LOST, NO, YES, take
from proxy.relay.threads import WAKE
from proxy.sessions import beginning
from proxy.sessions.process import boot_ns, described_exit, is_stopped
from proxy.sessions.record import lifecycle

_STALLS_MS = 1000
"""How often it is looked for streams that nobody takes, while descendants of the command hold them.

Often enough to tell the seconds of `KILLED_S` and `LEFT_S`."""

TYPE_CHECKING = False  # `typing` and `signal` (for its `enum`) take long to import, and a session waits
if TYPE_CHECKING:
    import signal
    from collections.abc import Callable, Mapping
    from typing import Any, NoReturn

    from proxy.relay.acting import Acting
    from proxy.relay.recording import Filter, Recorder
    from proxy.relay.supervisor import Session, Stream
else:
    import _signal as signal


class Settings(beginning.Settings):
    """What the user chose for the session."""

    def __init__(
        self,
        *arguments: Any,
        validation: str,
        act: str = "off",
        policy: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> None:
        """``validation`` is ``observe``, ``enforce`` or ``off``, ``act`` ``off``, ``restrain`` or ``full``.

        ``policy``: the ``permissions`` that are to be in force, and the ``sha256`` of their file; whether they are only
        to be reported (``shadow``), and what becomes of the session if they cannot be put in force (``on_failure``).
        """
        super().__init__(*arguments, **options)
        self.validation = validation
        self.act = act
        self.policy = policy


def run(
    settings: Settings, session: Session, news: int, done: int, on_recorded: Callable[[], None] | None = None
) -> NoReturn:
    """Relay the session to its end, in a process of its own (see ``supervisor`` for ``news`` and ``done``).

    ``on_recorded`` is called once, before any thread is started, when the session has its log.
    """
    status = 1
    try:
        signal.signal(WAKE, lambda _number, _frame: None)  # ends a system call, and does no more
        reuse_large_blocks()
        relay = Relay(settings, session, news, done)
        if on_recorded is not None:
            on_recorded()
        relay.run()
        status = 0
    finally:
        os._exit(status)


class Relay:
    """One session's streams and log."""

    def __init__(self, settings: Settings, session: Session, news: int, done: int) -> None:
        self._settings = settings
        self._session = session
        self._news = news
        self._done = done
        self._reported = False
        self._stopped = False  # the supervisor, like the command
        self._sleeps_on = False
        self._woke_supervisor = False  # since it was last asked
        self._exit: dict[str, Any] | None = None
        self._stalls: Stalls | None = None
        self._wake_read, self._wake_write = os.pipe()
        self._redactor = settings.redactor()
        about = _about(settings, session)
        grant = settings.act
        if grant != "off":
            about["acting"] = {"grant": grant}
            if why := _takes_no_messages(session):
                grant = "off"
                about["acting"] = {"grant": "off", "why": why}
        if settings.policy is not None:
            about["policy"] = dict(settings.policy)
        self._log = settings.begin_log(self._redactor, session.command, about)
        self._log.append([])
        self._acting = self._make_acting(grant)
        self._pumps = self._make_pumps()
        self._sinks = self._watched_sinks()

    def run(self) -> None:
        """Relay until the command and all who hold its streams are gone."""
        try:
            self._run()
        except Exception as error:
            self._on_fault("relay", error)
            raise

    def _run(self) -> None:
        with contextlib.suppress(
            Exception
        ):  # a fault of ours, which the first message meets again, and reports
            for pump in self._pumps:
                pump.recorder.prepare()  # while the command boots
        self._start_pumps()
        self._log.point_latest_here()
        self._wait()
        if self._acting is not None:
            self._acting.end()
        self._log.append_end(self._ended())
        self._log.close()
        self._report()

    def _make_acting(self, grant: str) -> Acting | None:
        settings, policy = self._settings, self._settings.policy
        rules = None if policy is None or policy["shadow"] else policy["permissions"]
        if grant == "off" and rules is None:
            return None
        import proxy.protocol  # noqa: F401, PLC0415 - before msgspec, which takes half as long to import then
        from proxy.relay import acting  # noqa: PLC0415 - few sessions need it

        return acting.make(
            grant,
            rules,
            settings.data_dir,
            self._log,
            self._session,
            signal_command=self._signal_command,
        )

    def _start_pumps(self) -> None:
        pumps = {pump.name: pump for pump in self._pumps}
        if self._acting is None:
            for pump in self._pumps:
                pump.start()
        else:
            self._acting.start(pumps, self._settings.policy)

    def _make_pumps(self) -> list[Pump]:
        kind: type[Pump] = Pump
        recorders: Mapping[str, Callable[..., StreamRecorder]] = {}
        filters = {} if self._acting is None else self._acting.filters()
        if self._settings.validation == "enforce":
            from proxy.relay import enforcement  # noqa: PLC0415 - few sessions need it

            recorders = enforcement.recorders()
        if recorders or filters:
            from proxy.relay import injection  # noqa: PLC0415 - as above

            kind = injection.InjectingPump
        pumps = [
            (kind if name in recorders or name in filters else Pump)(
                name,
                stream.source,
                stream.sink,
                self._recorder(name, recorders.get(name, StreamRecorder), filters.get(name)),
                self._log,
                source_is_ours=name != "stdin",
                on_idle=self._on_idle,
                on_fault=self._on_fault,
            )
            for name, stream in self._session.streams.items()
            if stream.relayed
        ]
        if recorders:
            injection.join(pumps)
        return pumps

    def _recorder(self, name: str, make: Callable[..., StreamRecorder], filter_: Filter | None) -> Recorder:
        settings, plan = self._settings, self._session.plan
        if name == "stderr":
            return TextRecorder(settings.session_id, self._redactor)
        return make(
            settings.session_id,
            "stdin" if name == "stdin" else "stdout",
            declared=plan.stdin_messages if name == "stdin" else plan.stdout_messages,
            is_text=name in plan.text_streams,
            judged=settings.validation != "off",
            redactor=self._redactor,
            filter=filter_,
        )

    # -- waiting ---------------------------------------------------------------------------------------------

    def _wait(self) -> None:
        poller = select.poll()
        poller.register(self._news, select.POLLIN)
        poller.register(self._wake_read, select.POLLIN)
        sinks = self._sinks
        if sinks is not None:
            poller.register(sinks, select.POLLIN)
        delivery: Delivery | None = None
        while self._exit is None or not all(pump.ended for pump in self._pumps):
            ready = poller.poll(self._patience_ms())
            if self._stopped and not ready:
                self._continue_supervisor()
            for fd, _ in ready:
                if fd == self._wake_read:
                    os.read(fd, 4096)
                elif sinks is not None and fd == sinks.fileno():
                    self._on_readers_gone(sinks)
                elif not self._take_news():
                    poller.unregister(fd)
            if self._exit is None:
                continue
            if not self._reported:
                delivery = delivery or Delivery(self._pumps)
                if delivery.is_over(timed_out=not ready):
                    self._on_delivered()
            elif self._stalls is not None:
                for pump in self._stalls.stalled():
                    pump.give_up()

    def _watched_sinks(self) -> select.epoll | None:
        """Return what tells once of each sink that its reader is gone, None where all pumps watch their own.

        Not `poll`, which keeps what it watches open until it returns: a reader would see the end late.
        """
        sinks: select.epoll | None = None
        for pump in self._pumps:
            if not pump.watches_both_ends:  # as all do on macOS, which has no `epoll`
                try:
                    sinks = sinks or select.epoll()
                    sinks.register(pump.sink, select.EPOLLONESHOT)
                except OSError:  # a file, which `epoll` does not know, or too few descriptors
                    pump.watch_both_ends(self._wake_write)
        return sinks

    def _on_readers_gone(self, sinks: select.epoll) -> None:
        gone = {fd for fd, _ in sinks.poll(0)}
        for pump in self._pumps:
            if pump.sink in gone:
                pump.watch_both_ends(self._wake_write)

    def _patience_ms(self) -> int | None:
        """Return how long to wait at most for something to happen, None for ever."""
        if self._stopped or (self._exit is not None and not self._reported):
            return STALLED_MS
        return None if self._exit is None else _STALLS_MS

    def _on_delivered(self) -> None:
        """What the command wrote is delivered. If others hold its streams, the supervisor need not wait for them."""
        if not all(pump.ended for pump in self._pumps):
            self._log.append([lifecycle(self._settings.session_id, "command_exited", self._exit)])
            self._report()
            self._stalls = Stalls(self._outputs(), LEFT_S, from_descendants=True)

    def _take_news(self) -> bool:
        """Read what the supervisor says; return whether there will be more."""
        news = os.read(self._news, 4096)
        for line in news.splitlines():
            what, number = line.split()
            if what == b"signalled":
                self._tell_supervisor(YES if take(int(number)) else NO)
            elif what == b"woke":
                self._tell_supervisor(YES if self._woke_supervisor else NO)
                self._woke_supervisor = False
            elif what in {b"stopped", b"continued"}:
                self._stopped = what == b"stopped"
            else:
                self._exited(described_exit(int(number)))
        if not news and self._exit is None:
            # The supervisor was killed. The kernel has killed the command with it, unless it changed its user.
            self._kill_command()
            self._exited({"signal": "SIGKILL", "reason": "wrapper_killed"})
            self._reported = True
            self._stopped = False
            self._stalls = Stalls(self._pumps, KILLED_S, from_descendants=False)
        return bool(news)

    def _exited(self, how: dict[str, Any]) -> None:
        self._exit = how | {"duration_ms": self._age_ms()}
        for pump in self._pumps:
            pump.watch_both_ends(self._wake_write)  # which tells what is left to deliver
        if self._acting is not None:
            self._acting.command_exited()

    def _continue_supervisor(self) -> None:
        """Continue the supervisor if it is stopped though the command is not, at two looks in a row.

        At one look it may just be that both were continued, and the supervisor comes second.
        """
        slept_on = self._sleeps_on
        supervisor = self._session.supervisor_pid
        self._sleeps_on = is_stopped(supervisor) and not is_stopped(self._session.pid)
        if slept_on and self._sleeps_on:
            self._woke_supervisor = True
            os.kill(supervisor, signal.SIGCONT)

    def _kill_command(self) -> None:
        self._signal_command(signal.SIGKILL)

    def _signal_command(self, number: int) -> None:
        with contextlib.suppress(OSError):
            if self._session.pidfd >= 0:
                signal.pidfd_send_signal(self._session.pidfd, number)
            else:  # a moment ago it was still there
                os.kill(self._session.pid, number)

    def _on_idle(self) -> None:
        """Called by the pumps: after the command's exit each of their steps counts."""
        if self._exit is not None:
            os.write(self._wake_write, b".")

    def _report(self) -> None:
        """Let the supervisor exit."""
        if not self._reported:
            self._reported = True
            self._tell_supervisor(LOST if self._has_lost_output() else DELIVERED)

    def _tell_supervisor(self, what: bytes) -> None:
        with contextlib.suppress(BrokenPipeError):  # it was killed: nobody waits for this any more
            os.write(self._done, what)

    def _has_lost_output(self) -> bool:
        """Whether stdout is a file that did not take all: without the wrapper the command would have known it."""
        is_file = self._session.streams["stdout"].kind in ("file", "device")
        return is_file and any(pump.name == "stdout" and pump.write_failed for pump in self._pumps)

    def _outputs(self) -> list[Pump]:
        return [pump for pump in self._pumps if pump.name != "stdin"]

    # -- what is said in the log -----------------------------------------------------------------------------

    def _age_ms(self) -> int:
        return (boot_ns() - self._session.started_ns) // 1_000_000

    def _ended(self) -> dict[str, Any]:
        ended = {**(self._exit or {}), "counts": {pump.name: dict(pump.counts) for pump in self._pumps}}
        left = {pump.name: pump.taken - pump.delivered for pump in self._outputs()}
        if undelivered := {name: size for name, size in left.items() if size > 0}:
            ended["undelivered"] = undelivered
        return ended

    def _on_fault(self, pump: str, error: Exception) -> None:
        """Say in the log which fault of ours ended a pump."""
        import traceback  # noqa: PLC0415 - not for sessions without faults

        data = {"where": pump, "error": "".join(traceback.format_exception(error))}
        self._log.append([lifecycle(self._settings.session_id, "wrapper_error", data)])


def _takes_no_messages(session: Session) -> str | None:
    """Return why the command would take lines of ours for a part of its prompt, None where it takes messages."""
    messages = {"stdin": session.plan.stdin_messages, "stdout": session.plan.stdout_messages}
    for name, declared in messages.items():
        if not declared:
            return f"{name} carries text"
        if not session.streams[name].relayed:
            return f"{name} is not relayed"
    return None


def _about(settings: Settings, session: Session) -> dict[str, Any]:
    return {
        "cwd": _working_directory(),
        "pid": session.pid,
        "age_ms": (boot_ns() - session.started_ns) // 1_000_000,
        "wrapper_pid": session.supervisor_pid,
        "relay_pid": os.getpid(),
        "validation": settings.validation,
        **_traced(),
        "streams": {
            name: _described(stream, messages)
            for (name, stream), messages in zip(
                session.streams.items(),
                (session.plan.stdin_messages, session.plan.stdout_messages, False),
                strict=True,
            )
        },
    }


def _traced() -> dict[str, str]:
    """Return the span of the caller's that the session belongs to (W3C Trace Context), where there is one."""
    caller = os.environ.get("TRACEPARENT", "")
    return {"traceparent": caller} if 55 <= len(caller) <= 512 and caller.isascii() else {}


def _working_directory() -> str | None:
    try:
        return os.getcwd()
    except OSError:
        return None  # it was removed


def _described(stream: Stream, messages: bool) -> dict[str, Any]:
    return {"kind": stream.kind, "relayed": stream.relayed, "declared_messages": messages}
