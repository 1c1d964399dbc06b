"""What is to be sent next: whole lines of logs, live sessions first, and whether their writers live.

Files only; nothing here knows how they are sent. For one thread at a time.
"""

import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import msgspec

from proxy.fleet import Position
from proxy.sessions import firings
from proxy.sessions.catalogue import is_running, list_logs
from proxy.sessions.firings import Firing
from proxy.sessions.identity import log_path
from proxy.shipping.ledger import Acknowledged, Ledger

CHUNK = 1 << 20  # bytes: larger reads are no faster on any disk, and it is little memory


class Piece(NamedTuple):
    """Lines to be sent at once; none: only that the writer is gone, or lives."""

    session_id: str
    from_line: int
    text: bytes
    running: bool
    offset: int
    """Where in the log they begin, in bytes."""
    inode: int
    firings: Sequence[Firing] = ()
    """What rules found of the session and the centre lacks."""
    firings_from: int = 0
    """How many of them it has."""
    has_more: bool = False
    """Whether more lines are in the log, of a centre that takes firings: what was found later is behind those."""

    @property
    def next_line(self) -> int:
        """Where the next one begins."""
        return self.from_line + self.text.count(b"\n")


@dataclass(slots=True)
class _Log:
    """A log, and how far the centre has it: first what the ledger's `Acknowledged` has."""

    session_id: str
    lines: int = 0
    offset: int = 0
    """Where in the log that is."""
    inode: int = 0
    firings: int = 0
    """How much of what rules found the centre has."""
    told: bool | None = None
    """Whether the centre was told that the writer lives; None: nothing was said. What it was told before the start is
    not known: it says so if it was anything else than that the writer is gone.
    """
    done: tuple[int, int, int] | None = None
    """What `firings.extent` gave when all of it was acknowledged and its writer was gone."""


class Backlog:
    """The logs of a data directory, and what of them the centre lacks."""

    def __init__(
        self, data_dir: str, ledger: Ledger, *, piece_bytes: int, forgotten: Iterable[str] = ()
    ) -> None:
        """``piece_bytes``: how much to send at once, unless one line is longer.

        ``forgotten``: sessions that the centre is known never to take again.
        """
        self._data_dir, self._ledger, self._piece_bytes = data_dir, ledger, piece_bytes
        self._logs: dict[str, _Log] = {}
        # Both in the order in which it is their turn.
        self._live: dict[str, None] = {}
        self._rest: dict[str, None] = {}
        self.set_aside: dict[str, str] = {}
        """Sessions that the centre does not take, and why."""
        self._failed: set[str] = set()  # those of them that it may take later
        self._forgotten = set(forgotten)
        self.takes_firings = False
        """Whether the centre takes what rules found."""

    @property
    def has_live(self) -> bool:
        """Whether a session goes on."""
        return bool(self._live)

    @property
    def forgotten(self) -> list[str]:
        """The sessions of this host that the centre never takes again."""
        return sorted(self._forgotten & self._logs.keys())

    def look(self, changed: Collection[str] | None = None) -> None:
        """Find out which logs there are, and which of them have changed (None: any may have).

        OSError: the folder cannot be read.
        """
        if changed is None or any(name not in self._logs for name in changed):
            self._list()
        for name in list(self._logs) if changed is None else changed:
            if (log := self._logs.get(name)) is not None and log.done is not None and self._has_changed(log):
                self._take_up(log)

    def _list(self) -> None:
        there = list_logs(self._data_dir)
        for name in self._logs.keys() - set(there):
            del self._logs[name]
            self._leave(name)
        for name in reversed(there):  # the oldest first
            if name not in self._logs:
                known = self._ledger.known.get(name)
                place = (name,) if known is None else (*msgspec.structs.astuple(known), False)
                self._logs[name] = _Log(*place)
                if name not in self._forgotten:
                    self._rest[name] = None

    def _has_changed(self, log: _Log) -> bool:
        try:
            return firings.extent(self._path(log)) != log.done
        except OSError:
            return False

    # -- what the centre has -----------------------------------------------------------------------------------

    def positions(self, *, everything: bool) -> Iterator[tuple[str, Position]]:
        """Yield what the centre should have of each session: of all of them, or of those that are not over."""
        for name in list(self._logs) if everything else [*self._live, *self._rest]:
            log = self._logs[name]
            yield name, Position(log.lines, running=bool(log.told), firings=log.firings)

    def correct(self, differing: Mapping[str, int], forgotten: Iterable[str]) -> None:
        """Learn of which sessions the centre has other lines, or was told otherwise, and which it never takes again.

        ``differing``: how many lines it has.
        """
        for name, lines in differing.items():
            if (log := self._logs.get(name)) is not None:
                self._go_to(log, lines)
        for name in forgotten:
            self.forget(name)

    def acknowledge(self, piece: Piece, next_line: int) -> None:
        """Learn that a piece is stored. OSError: that cannot be remembered."""
        log = self._logs.get(piece.session_id)
        if log is None:
            return
        log.firings = piece.firings_from + len(piece.firings)
        if next_line == piece.next_line:
            log.lines, log.offset, log.inode = next_line, piece.offset + len(piece.text), piece.inode
        else:  # it has more than was thought: of somebody else, or of an answer that was lost
            self._go_to(log, next_line)
        log.told = piece.running
        self._ledger.note(Acknowledged(log.session_id, log.lines, log.offset, log.inode, log.firings))

    def put_aside(self, session_id: str, reason: str, *, may_pass: bool = False) -> None:
        """Leave a session alone until `take_up_all` or, where the reason may pass, until `take_up_failed`."""
        self.set_aside[session_id] = reason
        if may_pass:
            self._failed.add(session_id)
        self._leave(session_id)

    def forget(self, session_id: str) -> None:
        """Leave a session alone for good: it was erased at the centre, or has expired there."""
        self._forgotten.add(session_id)
        self._leave(session_id)

    def take_up_all(self) -> None:
        """Try what was set aside again, and look at what was done: the centre is another one, and may take more."""
        self._take_up_again(list(self.set_aside))
        for log in self._logs.values():
            self._take_up(log)

    def take_up_failed(self) -> None:
        """Try again what the centre failed at: that may have passed."""
        self._take_up_again(self._failed & self.set_aside.keys())

    def _take_up_again(self, names: Collection[str]) -> None:
        self._failed.difference_update(names)
        for name in names:
            del self.set_aside[name]
            if name in self._logs:
                self._take_up(self._logs[name])

    def _go_to(self, log: _Log, lines: int) -> None:
        """Go on at another line than was thought."""
        try:
            status = os.stat(self._path(log))
            is_behind = lines >= log.lines and status.st_ino == log.inode
            begin = (log.lines, log.offset) if is_behind else (0, 0)
            log.lines, log.offset = _place_of(self._path(log), lines, *begin)
            log.inode = status.st_ino
        except OSError:
            return  # it was removed, as the next look says
        log.firings = 0  # they are few: the centre knows which it has
        log.told = None
        self._take_up(log)

    def _take_up(self, log: _Log) -> None:
        log.done = None
        name = log.session_id
        if name not in self._live and name not in self.set_aside and name not in self._forgotten:
            self._rest[name] = None

    def _leave(self, session_id: str) -> None:
        self._live.pop(session_id, None)
        self._rest.pop(session_id, None)

    # -- what is next ------------------------------------------------------------------------------------------

    def next(self) -> Piece | None:
        """Return what is to be sent next, None when nothing is: the live sessions in turn, then the oldest one."""
        for name in [*self._live, *self._rest]:
            log = self._logs[name]
            try:
                piece = self._piece(log)
            except OSError:  # it was removed, or cannot be read: the next look says so
                self._leave(name)
                log.done = (0, 0, 0)
                continue
            if piece is not None:
                if name in self._live:  # to the end of the turn
                    del self._live[name]
                    self._live[name] = None
                return piece
        return None

    def _piece(self, log: _Log) -> Piece | None:
        # Before anything is read: what a writer that is gone by then has written is all there.
        path = self._path(log)
        running, extent = is_running(path), firings.extent(path)
        with open(path, "rb", buffering=0) as file:
            status = os.fstat(file.fileno())
            if log.inode not in (0, status.st_ino) or status.st_size < log.offset:
                log.lines = log.offset = log.firings = 0  # it is another log: the centre compares
            text, is_all = whole_lines(file.fileno(), log.offset, self._piece_bytes)
        if running:
            self._rest.pop(log.session_id, None)
            self._live[log.session_id] = None
        # What is in the middle of a log is sent as that of a session that goes on.
        claim = running or not is_all
        fired = firings.beside(path)[log.firings :] if self.takes_firings else []
        if text or (log.lines and (fired or log.told is not claim)):
            place = (log.offset, status.st_ino)
            has_more = self.takes_firings and not is_all
            return Piece(log.session_id, log.lines, text, claim, *place, fired, log.firings, has_more)
        if not running:
            log.inode, log.done = status.st_ino, extent
            self._leave(log.session_id)
        return None

    def _path(self, log: _Log) -> str:
        return log_path(self._data_dir, log.session_id)


def whole_lines(fd: int, offset: int, most: int) -> tuple[bytes, bool]:
    """Return the whole lines from an offset on, about so many bytes of them, and whether these are all."""
    parts: list[bytes] = []
    while chunk := os.pread(fd, most, offset):
        if newline := chunk.rfind(b"\n") + 1:
            return b"".join([*parts, chunk[:newline]]), len(chunk) < most
        parts.append(chunk)
        offset += len(chunk)
        most = CHUNK
    return b"", True


def _place_of(path: str, line: int, lines: int, offset: int) -> tuple[int, int]:
    """Return where a line begins, or the end of the last whole one if there are not so many: line, and offset.

    ``lines`` and ``offset``: a place before it that is known.
    """
    with open(path, "rb") as file:
        file.seek(offset)
        begin = offset
        while lines < line and (chunk := file.read(CHUNK)):
            end = -1
            for _ in range(min(line - lines, chunk.count(b"\n"))):
                end = chunk.index(b"\n", end + 1)
                lines += 1
            offset = begin + end + 1 if end >= 0 else offset
            begin += len(chunk)
        return lines, offset
