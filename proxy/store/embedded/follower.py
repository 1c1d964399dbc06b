"""The thread that keeps the index up with the logs, and hands on what is new.

It learns of a change from the kernel, gathers for a moment what else changes, and indexes it in one transaction. A
disk that is full, or a fault in the index, stops nothing for good: what is wrong can be read in `trouble`, and it
tries again. An index that is damaged, or gone, is begun anew from the logs.
"""

import os
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable

from proxy.sessions import firings
from proxy.sessions.catalogue import sessions_of
from proxy.sessions.identity import sessions_dir
from proxy.sessions.watch import Watch
from proxy.store.embedded.indexer import Indexer
from proxy.store.protocol import Listener, StoreDamagedError, StoreError

GATHER_S = 0.004
"""Least time between two transactions: what comes meanwhile shares one."""
LOOK_AROUND_S = 1.0
"""How often live logs are looked at: the death of a writer may go unheard."""
IDLE_S = 5.0
"""How often all logs are looked at, for what was done to them without being heard of."""
_IDLE_LOOKS = 50
"""With very many logs less often: so many times as long as a look takes, or a server that idles would not."""
SETTLE_S = 0.02
"""When to look again so that the newest events are known not to be overtaken any more."""
RETRY_S = 1.0  # a full disk or a lock lasts longer than that
MOST_REPAIRS, REPAIRS_S = 3, 3600.0
"""As often as that in so much time the index is begun anew: a disk that damages it again is not to be kept busy."""


class Follower:
    """Runs an `Indexer` in a thread of its own."""

    def __init__(
        self,
        indexer: Indexer,
        listener: Listener,
        on_begun_anew: Callable[[], None],
        on_touched: Callable[[], None],
    ) -> None:
        """What is called in the thread: ``on_begun_anew`` when the index is another one, ``on_touched`` when somebody
        else has written into it.
        """
        self.trouble: str | None = None
        self.caught_up = threading.Event()
        self._indexer = indexer
        self._listener = listener
        self._on_begun_anew = on_begun_anew
        self._on_touched = on_touched
        os.makedirs(sessions_dir(indexer.data_dir), mode=0o700, exist_ok=True)
        self._watch = Watch(sessions_dir(indexer.data_dir), by_library=True)
        self._stopping = False
        self._damage: str | None = None
        self._repairs: deque[float] = deque(maxlen=MOST_REPAIRS)
        self._turn = threading.Condition()
        self._looked_at_all = self._look_s = 0.0
        self._asked = 0
        self._asked_for: set[str] | None = set()
        """Sessions that somebody has asked for since the last look; None: all of them."""
        self._answered = 0
        self._thread = threading.Thread(target=self._run, name="follower", daemon=True)

    def start(self) -> None:
        """Begin to follow."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._stopping = True
        self._watch.wake()
        self._thread.join()
        self._watch.close()

    def catch_up(self, timeout_s: float, session_id: str | None = None) -> bool:
        """Wait until everything that is in the logs now, or in one, is indexed; return whether it is."""
        with self._turn:
            self._asked += 1
            if session_id is None:
                self._asked_for = None
            elif self._asked_for is not None:
                self._asked_for.add(session_id)
            ticket = self._asked
            self._watch.wake()
            return self._turn.wait_for(lambda: self._answered >= ticket, timeout_s)

    def report_damage(self, reason: str) -> None:
        """Let the index be begun anew. May be called from any thread."""
        self._damage = reason
        self._watch.wake()

    @property
    def idle_s(self) -> float:
        """How long it is until all logs are looked at again when nothing is heard of any."""
        return max(IDLE_S, _IDLE_LOOKS * self._look_s)

    def _run(self) -> None:
        changed: set[str] | None = None
        while not self._stopping:
            began = time.monotonic()
            with self._turn:
                asked, names, self._asked_for = self._asked, self._asked_for, set()
            done = self._step(None if names is None or changed is None else changed | names)
            if done and not self._indexer.is_behind:
                self.caught_up.set()
                with self._turn:
                    self._answered = asked
                    self._turn.notify_all()
            changed = self._wait(done, began)

    def _step(self, changed: set[str] | None) -> bool:
        """Index what has changed; return whether that went well."""
        try:
            if self._repaired():
                changed = None
            elif self._indexer.was_touched():
                self._on_touched()
            began = time.monotonic()
            self._indexer.look(changed)
            if changed is None:
                self._looked_at_all, self._look_s = began, time.monotonic() - began
            # Also without anything new: that there is nothing moves the watermark.
            if self._indexer.is_behind or self._indexer.watermark_us is not None:
                # What is found at the start is history: live is what comes after.
                arrivals = self._indexer.step(quiet=not self.caught_up.is_set())
                if arrivals:
                    self._listener.on_arrivals(arrivals)
        except StoreDamagedError as error:
            # Repaired at the next step.
            self._damage = self.trouble = str(error)
            return False
        except (StoreError, OSError) as error:
            # Said in the server's health and log; the sessions go on, and so do we as soon as it works again.
            if self.trouble is None:
                self._listener.on_fault(str(error))
            self.trouble = str(error) or type(error).__name__
            return False
        except Exception:
            # A fault of ours: the log says which, the health that there is one, and the other sessions go on.
            self._listener.on_fault(traceback.format_exc())
            self.trouble = "there is a fault in the index, see the server's log"
            return False
        self.trouble = None
        return True

    def _repaired(self) -> bool:
        """Begin the index anew if it is damaged, or take another one in its place; return whether it is another now.

        StoreError, OSError: that cannot be done now.
        """
        if self._damage is not None:
            reason = f"the index was damaged: {self._damage}"
        elif self._indexer.is_replaced():
            reason = "the index was removed or replaced"
        else:
            return False
        if not self._may_repair():
            raise StoreError(f"{reason}; it has been begun anew {MOST_REPAIRS} times within the hour")
        self._repairs.append(time.monotonic())
        self.caught_up.clear()  # before there is an index that knows of no session
        self._indexer.reopen(is_damaged=self._damage is not None)
        self._damage = None
        self._on_begun_anew()
        self._listener.on_epoch(reason)
        return True

    def _may_repair(self) -> bool:
        return len(self._repairs) < MOST_REPAIRS or time.monotonic() - self._repairs[0] >= REPAIRS_S

    def _wait(self, done: bool, began: float) -> set[str] | None:
        """Wait for the next change; return the sessions that it concerns, None for all."""
        if not done:
            if self._damage is None or not self._may_repair():
                self._watch.wait(RETRY_S)
            return None
        pause = began + GATHER_S - time.monotonic()
        if pause > 0:
            time.sleep(pause)
        indexer = self._indexer
        all_at = self._looked_at_all + (self.idle_s if self._is_settled() else SETTLE_S)
        timeout = min(all_at - time.monotonic(), LOOK_AROUND_S if indexer.live else self.idle_s)
        names = self._watch.wait(0.0 if indexer.is_behind else max(0.0, timeout))
        if names is None or time.monotonic() >= all_at:
            return None
        if not names and not indexer.is_behind:
            return set(indexer.live)
        return {*sessions_of(names), *sessions_of(names, firings.SUFFIX)}

    def _is_settled(self) -> bool:
        """Whether another look at all would change nothing in what may be answered."""
        return self._indexer.watermark_us is None or bool(self._indexer.live)
