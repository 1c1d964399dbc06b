"""Looks at the sessions that go on every few seconds, writes down which rules fire, and acts.

Rules it lives by:

* What fires is written down before anything is done. So over a restart each occasion fires once.
* An occasion is a turn, and in it a question. Who lifts a pause lets the session go as far once more.
* The relay decides what may be done to a session. Nothing is done in a dry run, nor without a grant: it is told.
* One session's fault is its own: the others are looked at.
"""

import asyncio
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec

from proxy.acting.asking import ask
from proxy.acting.verbs import USAGE, ActionError
from proxy.events import Event, Session
from proxy.server.base.journal import journal
from proxy.server.rules.occurrences import Occurrence, Resumed, needed, occurrences, rules_for
from proxy.server.rules.progress import NEEDED_FOR, Progress
from proxy.server.shared import Shared, now_us
from proxy.sessions import firings
from proxy.sessions.firings import Firing
from proxy.store import StoreError

LOOK_S = 2.0
"""A tool call takes about as long; a look at a session costs a fraction of a millisecond."""
_BATCHES = 20
"""Of events that are read of one session in one look: a long one is read up to its present over several."""
_TEMPORARY = ("busy", "not_recorded", "relay_unreachable")
"""Refusals after which nothing was done; the next attempt may succeed."""


@dataclass
class _Watched:
    """What is remembered of a session while it goes on."""

    fired: set[tuple[str, str]]
    """Rules that have fired, each with its occasion."""
    unsent: dict[tuple[str, str], Firing] = field(default_factory=dict)
    """What could not be done yet, as the relay was busy: it is tried again while its occasion lasts."""
    paused: bool = False
    resumed: Resumed = field(default_factory=Resumed)
    asked_at: float = -1e9
    progress: Progress = field(default_factory=Progress)
    filling: tuple[str, int] | None = None
    upto_us: int = 0


class Enforcement:
    """Holds all sessions of a data directory to the rules of the configuration."""

    def __init__(
        self, shared: Shared, tell: Callable[[str, str, str], None], *, clock_us: Callable[[], int] = now_us
    ) -> None:
        """``tell`` sends an alert: of which session, on which occasion, and what to say."""
        self._shared, self._tell, self._clock_us = shared, tell, clock_us
        self._rules = shared.settings.rules
        self._watched: dict[str, _Watched] = {}

    async def look(self) -> float:
        """Find what fires now, and act; return the seconds until the next look."""
        if self._rules.named and self._shared.store.wait_filled(0):
            try:
                running = await asyncio.to_thread(self._shared.running)
            except StoreError:
                return LOOK_S  # said by the health
            here = {one.session_id for one in running}
            self._watched = {key: one for key, one in self._watched.items() if key in here}
            for session in running:
                try:
                    await asyncio.to_thread(self._look_at, session)
                except StoreError:
                    pass  # said by the health
                except Exception:
                    journal.exception("job.failed", job="rules", session_id=session.session_id)
            self._shared.rules_looked_us = self._clock_us()
        return LOOK_S

    def _look_at(self, session: Session) -> None:
        rules = rules_for(session, self._rules)
        if not rules:
            return
        session_id = session.session_id
        watched = self._watched.get(session_id)
        if watched is None:
            fired = firings.read(self._shared.data_dir, session_id)
            watched = self._watched[session_id] = _Watched({(one.rule, one.occasion) for one in fired})
        if NEEDED_FOR & rules.keys():
            self._read_on(session_id, watched)
        now_us, progress = self._clock_us(), watched.progress
        if watched.paused and not session.paused:
            watched.resumed = watched.resumed.again(session, rules, progress, now_us)
        watched.paused = session.paused
        unsent, watched.unsent = watched.unsent, {}
        for one in occurrences(session, rules, progress, now_us, watched.resumed):
            key = (one.name, one.occasion)
            if session.paused or (key in watched.fired and key not in unsent):
                continue
            watched.fired.add(key)
            firing = unsent.get(key) or self._write_down(session, one)
            became, again = self._act(session, firing)
            if again:
                watched.unsent[key] = firing
            if not (again and key in unsent):  # else it is as it was
                self._say(session, one, firing, became)
        now = time.monotonic()
        if needed(session, rules) and now - watched.asked_at >= self._rules.ask_every:
            watched.asked_at = now
            self._ask_for_usage(session_id)

    def _read_on(self, session_id: str, watched: _Watched) -> None:
        for _ in range(_BATCHES):
            batch = self._shared.store.events_of(session_id, watched.upto_us)
            if batch is None:
                return
            if batch.filling != watched.filling:
                is_other = watched.filling is not None
                watched.filling, watched.upto_us, watched.progress = batch.filling, 0, Progress()
                if is_other:
                    continue
            for event_type, timestamp_us, data in batch.events:
                watched.progress.take(Event(event_type, timestamp_us, msgspec.json.decode(data)))
                watched.upto_us = timestamp_us
            if batch.is_last:
                return

    # -- what fires --------------------------------------------------------------------------------------------

    def _write_down(self, session: Session, one: Occurrence) -> Firing:
        """Write down that a rule fires."""
        condition, limit = one.rule.when.condition
        do = "tell" if one.warning else one.rule.do
        acts = do != "tell" and self._rules.mode == "act"
        firing = Firing(
            timestamp_us=self._clock_us(),
            rule=one.name,
            when={condition: limit},
            do=do,
            mode=self._rules.mode,
            value=round(one.value, 6),
            occasion=one.occasion,
            warning=one.warning,
            known=one.known,
            refused="acting_off" if acts and session.grant == "off" else None,
            action_id=f"a_{secrets.token_hex(13)}" if acts and session.grant != "off" else None,
            request_id=one.request_id,
            running=sorted({tool.name for tool in session.tools.values()}),
            evidence=list(one.evidence),
        )
        session_id = session.session_id
        try:
            firings.append(self._shared.data_dir, session_id, firing)
        except OSError as error:
            # It is told all the same, and acted upon; after a restart it may fire again.
            journal.warning("rule.unwritten", session_id=session_id, rule=one.name, error=str(error))
        return firing

    def _say(self, session: Session, one: Occurrence, firing: Firing, became: str) -> None:
        """Tell that a rule has fired, and what became of it."""
        session_id, (condition, limit) = session.session_id, one.rule.when.condition
        journal.info("rule.fired", session_id=session_id, became=became, **firing.fields())
        who = f"{session_id} ({session.name})" if session.name else session_id
        nearly = "comes near" if one.warning else "has reached"
        text = f"Session {who}: {nearly} {condition} {limit:g} (rule {one.name}): {one.value:g}; {became}."
        self._tell(session_id, f"{one.name} {one.occasion}", text)

    def _act(self, session: Session, firing: Firing) -> tuple[str, bool]:
        """Do what a firing says; return in words what became of it, and whether to try again."""
        if firing.do == "tell":
            return "nothing is done", False
        if firing.mode == "dry_run":
            return f"a dry run: without it, {firing.do}", False
        if firing.action_id is None:
            return f"{firing.do} is not possible, as the session was started without --act", False
        arguments: dict[str, object] = {}
        if firing.do == "deny":
            sentence = f"Nobody has answered in time (rule {firing.rule})."
            arguments = {"request_id": firing.request_id, "message": sentence, "stop_turn": True}
        action = {"action_id": firing.action_id, "action": firing.do, "args": arguments}
        try:
            by = {"kind": "rule", "name": firing.rule}
            ask(self._shared.data_dir, session.session_id, {**action, "by": by})
        except ActionError as error:
            return f"{firing.do} was refused: {error.sentence}", error.code in _TEMPORARY
        return f"{firing.do} was sent", False

    def _ask_for_usage(self, session_id: str) -> None:
        try:
            ask(self._shared.data_dir, session_id, {"action": USAGE, "by": {"kind": "rule"}})
        except ActionError as error:
            journal.debug("rule.usage_unasked", session_id=session_id, error=str(error))
