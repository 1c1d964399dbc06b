"""Which rules apply to a session now: a pure function of how it stands, the moment and the configuration."""

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import NamedTuple

from proxy.config import Rules
from proxy.events import Session
from proxy.rule_settings import Rule
from proxy.server.rules.progress import Progress

_ASKED_FOR = frozenset(("cost_usd", "output_tokens"))
"""The conditions that need the running cost."""
_LATE = "at results only"
"""How well a cost is known that nobody can ask for in the middle of a turn."""


class Occurrence(NamedTuple):
    """A rule applies."""

    name: str
    rule: Rule
    value: float
    occasion: str
    """The same as long as it is the same time that it applies."""
    warning: bool = False
    known: str | None = None
    evidence: tuple[int, ...] = ()
    request_id: str | None = None
    """The question that waits."""


class _Reached(NamedTuple):
    value: float
    evidence: tuple[int, ...] = ()
    request_id: str | None = None


def rules_for(session: Session, rules: Rules) -> dict[str, tuple[str, Rule]]:
    """Return the rules that are for a session, with their names, by condition: of each the first in the file."""
    found: dict[str, tuple[str, Rule]] = {}
    for name, rule in rules.named.items():
        if _matches(session.name, rule.match.name) and _matches(session.cwd, rule.match.cwd):
            found.setdefault(rule.when.condition[0], (name, rule))
    return found


def needed(session: Session, rules: Mapping[str, object]) -> bool:
    """Tell whether the running cost of a session is to be asked for: a rule needs it, and it can be."""
    return (
        bool(_ASKED_FOR & rules.keys())
        and session.grant != "off"
        and session.run is not None
        and not session.over
    )


def occurrences(
    session: Session,
    rules: Mapping[str, tuple[str, Rule]],
    progress: Progress,
    now_us: int,
    resumed: "Resumed",
) -> Iterator[Occurrence]:
    """Yield what applies. ``rules``: as `rules_for` gives them."""
    turn = f"{session.runs}.{resumed.times}" if resumed.times else str(session.runs)
    for condition, (name, rule) in rules.items():
        limit, before = rule.when.condition[1], resumed.values.get(condition, 0.0)
        known = _LATE if condition in _ASKED_FOR and session.grant == "off" else None
        for value, evidence, request_id in _reached(condition, session, progress, now_us):
            occasion = f"{turn}:{request_id}" if request_id else turn
            fresh = value - before if value >= before else value
            is_warning = fresh < limit
            if is_warning and (rule.warn_at is None or fresh < limit * rule.warn_at):
                continue
            occasion += ":warning" if is_warning else ""
            yield Occurrence(name, rule, value, occasion, is_warning, known, evidence, request_id)


class Resumed(NamedTuple):
    """What is known of pauses that were lifted: who lifts one lets the session go so far once more."""

    times: int = 0
    values: Mapping[str, float] = {}
    """What each condition had reached by then."""

    def again(
        self, session: Session, rules: Mapping[str, tuple[str, Rule]], progress: Progress, now_us: int
    ) -> "Resumed":
        """Return it after one more pause that is lifted now."""
        values = {
            condition: max((one.value for one in _reached(condition, session, progress, now_us)), default=0.0)
            for condition in rules
        }
        return Resumed(self.times + 1, values)


def _reached(condition: str, session: Session, progress: Progress, now_us: int) -> Iterator[_Reached]:
    """Yield what has been reached: of a question several may wait."""
    run, figures = session.run, session.figures
    evidence = () if run is None else (run.seq,)
    match condition:
        case "cost_usd" if figures.cost_usd is not None:
            yield _Reached(figures.cost_usd, (session.last_seq,))
        case "output_tokens" if figures.tokens:
            yield _Reached(figures.tokens["output"], (session.last_seq,))
        case "turn_minutes" if run is not None:
            yield _Reached((now_us - run.since_us) / 60e6, evidence)
        case "calls_in_turn" if run is not None:
            yield _Reached(progress.calls, evidence)
        case "same_call" | "same_round" if run is not None:
            times, records = progress.repeated(rounds=condition == "same_round")
            yield _Reached(times, tuple(records))
        case "silent_seconds" if _can_be_silent(session) and run is not None:
            yield _Reached((now_us - max(run.since_us, session.last_output_us)) / 1e6, evidence)
        case "question_minutes":
            for request_id, question in session.asked.items():
                yield _Reached((now_us - question.since_us) / 60e6, (question.seq,), request_id)
        case "files_written":
            yield _Reached(progress.files)
        case _:
            pass


def _can_be_silent(session: Session) -> bool:
    """Whether something of Claude Code's would come in a turn if it did not hang."""
    return session.prints is None and not session.tools and not session.asked


def _matches(text: str | None, pattern: str | None) -> bool:
    return pattern is None or fnmatchcase(text or "", pattern)
