"""Anomalies of what went wrong: bursts of failures, turns without a good end, the API, the command, the record."""

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import msgspec

from proxy.analysis.findings import MOST_OF_A_KIND, EventContext, Findings
from proxy.analysis.spans import Span, shortened
from proxy.analysis.turns import errors_of
from proxy.events.fields import inner, integer, number, text
from proxy.events.formatting import format_duration

if TYPE_CHECKING:
    from proxy.analysis.report import Severity

WINDOW = 10
"""Tool results that a burst is looked for in."""
BURST = 5  # half of the window
CALM = 2
"""A burst is over when so few of the last results are failures."""
RETRIES = 3  # one or two are usual
RETRY_DELAY_MS = 30_000  # long enough for a user to notice
_WANTED = frozenset(("error_max_structured_output_retries",))
"""Failures at a limit that the caller set."""
_WORDS = {"failed": "failed", "limited": "reached a limit", "blocked": "was blocked"}
_ASKED_TO_STOP = frozenset(("SIGTERM", "SIGINT", "SIGHUP", "SIGPIPE"))
_STOPPED_CODES = frozenset((0, 129, 130, 141, 143))


class _Burst(msgspec.Struct):
    at: tuple[int | None, int]
    records: list[int | None] = []
    failures: int = 0
    tools: dict[str, int] = {}


class _Retries(msgspec.Struct):
    at: tuple[int | None, int]
    count: int = 0
    records: list[int | None] = []
    delay_ms: float = 0.0
    causes: dict[str, int] = {}


class Failures:
    """Takes everything that says that something went wrong."""

    def __init__(self) -> None:
        self._over = Findings()
        self._last: deque[Span] = deque(maxlen=WINDOW)
        self._burst: _Burst | None = None
        self._retries: _Retries | None = None
        self._interrupted = False
        self._limited = False
        self._has_failed = False
        self._problems: set[str] = set()

    def take(self, context: EventContext) -> None:
        """Take an event that ends something, or is of one of the `TYPES`."""
        at = (context.seq, context.event.timestamp_us)
        for span in context.closed:
            if span.kind == "tool" and span.outcome in ("completed", "failed") and not self._interrupted:
                self._result(span)
            elif span.kind == "turn":
                self._turn(context, span)
            elif span.kind == "subagent" and span.outcome == "failed":
                sentence = f"A subagent failed: {span.label}."
                self._over.add("failed_subagent", "warning", at, sentence, span.seq, subagent=span.id)
        if (handler := _HANDLERS.get(context.event.event_type)) is not None:
            handler(self, context)

    def find(self, findings: Findings) -> None:
        """Write down what was found, and what is going on."""
        findings.take(self._over)
        if self._burst is not None:
            _add_burst(findings, self._burst)
        if self._retries is not None:
            _add_retries(findings, self._retries)

    # -- tools and the API -------------------------------------------------------------------------------------

    def _result(self, call: Span) -> None:
        self._last.append(call)
        if self._burst is None and call.outcome != "failed":
            return
        failures = [one for one in self._last if one.outcome == "failed"]
        if self._burst is None and len(failures) >= BURST:
            first = failures[0]
            self._burst = _Burst((first.end_seq, first.end_us or first.start_us))
            for one in failures:
                _count(self._burst, one)
        elif self._burst is not None and call.outcome == "failed":
            _count(self._burst, call)
        if self._burst is not None and len(failures) <= CALM:
            _add_burst(self._over, self._burst)
            self._burst = None

    def _command(self, context: EventContext) -> None:
        if inner(context.event.data, "command").get("action") == "interrupt":
            self._interrupted = True

    def _gap(self, context: EventContext) -> None:
        data, at = context.event.data, (context.seq, context.event.timestamp_us)
        lost = integer(data, "lost_records") or 0
        sentence = f"{lost} lines could not be recorded: {shortened(str(data.get('reason')))}."
        self._over.add("recording_gap", "critical", at, sentence, lost_records=lost)

    def _retry(self, context: EventContext) -> None:
        data = context.event.data
        if self._retries is None:
            self._retries = _Retries((context.seq, context.event.timestamp_us))
        self._retries.count += 1
        if len(self._retries.records) < 2 * WINDOW:
            self._retries.records.append(context.seq)
        self._retries.delay_ms += number(data, "retry_delay_ms") or 0.0
        cause = shortened(str(data.get("error_status") or text(data, "error") or "unknown"), 40)
        if cause in self._retries.causes or len(self._retries.causes) < WINDOW:
            self._retries.causes[cause] = self._retries.causes.get(cause, 0) + 1

    def _end_retries(self, _: EventContext | None = None) -> None:
        if self._retries is not None:
            _add_retries(self._over, self._retries)
            self._retries = None

    def _rate_limit(self, context: EventContext) -> None:
        limit = inner(context.event.data, "limit")
        was, self._limited = self._limited, text(limit, "status") == "rejected"
        if self._limited and not was:
            which = shortened(text(limit, "rateLimitType") or "usage")
            at = (context.seq, context.event.timestamp_us)
            self._over.add("rate_limited", "warning", at, f"The {which} limit was reached.", limit=which)

    # -- turns and the session ---------------------------------------------------------------------------------

    def _turn(self, context: EventContext, turn: Span) -> None:
        self._end_retries()
        self._interrupted = False
        data = context.event.data
        at = (context.seq, context.event.timestamp_us)
        if turn.outcome == "completed":
            return
        self._has_failed = True
        subtype = text(data, "subtype")
        if subtype is None or turn.outcome == "unfinished":
            sentence = f"A turn has no result; it had gone on for {format_duration(turn.us(0) / 1000)}: {turn.label}."
            severity: Severity = "warning" if turn.outcome == "interrupted" else "critical"
            self._over.add("run_without_result", severity, at, sentence, turn.seq, run_id=turn.id)
        elif turn.outcome != "interrupted":
            errors = errors_of(data)
            severity = "critical" if turn.outcome == "failed" and subtype not in _WANTED else "warning"
            # An error that was told as an answer has no other name.
            which = "" if subtype == "success" else f" ({shortened(subtype)})"
            word = _WORDS.get(turn.outcome, turn.outcome)
            sentence = f"A turn {word}{which}: {errors[0] if errors else turn.label}"
            self._over.add(
                f"{turn.outcome}_turn", severity, at, sentence, turn.seq, run_id=turn.id, errors=errors
            )

    def _session(self, context: EventContext) -> None:
        data = context.event.data
        at = (context.seq, context.event.timestamp_us)
        signal, code = text(data, "signal"), integer(data, "exit_code")
        if text(data, "state") == "failed" and "outcome" in data:
            self._over.add("abnormal_exit", "critical", at, str(data.get("outcome_reason")), signal=signal)
        elif text(data, "state") == "failed":
            sentence = (
                "The log does not end and nobody writes it: the wrapper was killed, or the machine stopped."
            )
            self._over.add("crashed", "critical", at, sentence)
        elif signal is not None and signal not in _ASKED_TO_STOP:
            self._over.add(
                "abnormal_exit", "critical", at, f"The command was killed by {signal}.", signal=signal
            )
        elif code is not None and code not in _STOPPED_CODES and not self._has_failed:
            sentence = f"The command ended with exit status {code}, and no turn says why."
            self._over.add("abnormal_exit", "warning", at, sentence, exit_code=code)

    def _start(self, context: EventContext) -> None:
        """Take what failed at the start; every turn tells it again."""
        problems = context.event.data.get("problems")
        for problem in map(str, problems if isinstance(problems, list) else []):
            if problem not in self._problems and len(self._problems) < MOST_OF_A_KIND:
                self._problems.add(problem)
                at = (context.seq, context.event.timestamp_us)
                self._over.add("start_problem", "warning", at, shortened(problem, 300))

    def _error(self, context: EventContext) -> None:
        data = context.event.data
        at = (context.seq, context.event.timestamp_us)
        reason = shortened(str(data.get("error") or "no reason given"), 300)
        match text(data, "source"):
            case "control_response":
                request = shortened(text(data, "request") or "a request")
                facts = {"request": request, "error": reason}
                self._over.add(
                    "refused_request", "info", at, f"Claude Code refused {request}: {reason}", **facts
                )
            case "claude-proxy":
                self._over.add("wrapper_error", "critical", at, f"A fault of claude-proxy itself: {reason}")
            case "session_writes_lost" | "mirror_error":
                self._over.add("claude_code_error", "warning", at, f"Claude Code reports: {reason}")

    def _notification(self, context: EventContext) -> None:
        data = context.event.data
        kind = text(data, "kind") or ""
        if kind.startswith("model_"):
            sentence = shortened(text(data, "text") or kind, 300)
            at = (context.seq, context.event.timestamp_us)
            self._over.add("model_fallback", "warning", at, sentence, notification=kind)


_HANDLERS: Final[dict[str, Callable[[Failures, EventContext], None]]] = {
    "command_received": Failures._command,
    "api_retry": Failures._retry,
    "assistant_message": Failures._end_retries,
    "tool_started": Failures._end_retries,
    "rate_limited": Failures._rate_limit,
    "recording_gap": Failures._gap,
    "error": Failures._error,
    "notification": Failures._notification,
    "session_initialized": Failures._start,
    "session_ended": Failures._session,
}
TYPES = frozenset(_HANDLERS)
"""Types of events that are looked at even when they end nothing."""


def _count(burst: _Burst, call: Span) -> None:
    burst.failures += 1
    burst.tools[call.name] = burst.tools.get(call.name, 0) + 1
    if len(burst.records) < 2 * WINDOW:
        burst.records.append(call.end_seq)


def _add_burst(findings: Findings, burst: _Burst) -> None:
    tools = ", ".join(
        f"{name} {count}" for name, count in sorted(burst.tools.items(), key=lambda item: -item[1])[:5]
    )
    severity: Severity = "critical" if burst.failures >= 2 * WINDOW else "warning"
    sentence = f"{burst.failures} tool calls failed in quick succession: {tools}."
    findings.add(
        "error_burst",
        severity,
        burst.at,
        sentence,
        *burst.records,
        failures=burst.failures,
        tools=burst.tools,
    )


def _add_retries(findings: Findings, retries: _Retries) -> None:
    count = retries.count
    if count < RETRIES and retries.delay_ms < RETRY_DELAY_MS:
        return
    severity: Severity = "warning" if retries.delay_ms >= RETRY_DELAY_MS else "info"
    causes = ", ".join(f"{cause} ({number})" for cause, number in retries.causes.items())
    sentence = f"The API had to be asked again {count} times, {format_duration(retries.delay_ms)} of waiting: {causes}."
    facts = {"attempts": count, "delay_ms": retries.delay_ms, "causes": retries.causes}
    findings.add("api_retries", severity, retries.at, sentence, *retries.records, **facts)
