"""Anomalies of what went wrong: bursts of failures, turns without a good end, the API, the command, the record."""

from collections import Counter, deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import msgspec

from proxy.analysis.findings import MOST_OF_A_KIND, Detector, EventContext, Findings, Place
from proxy.analysis.spans import Span
from proxy.analysis.turns import errors_of
from proxy.events.fields import inner, integer, number, text
from proxy.events.formatting import format_duration, one_line, quantity

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
_CRASHED = "The log does not end and nobody writes it: the wrapper was killed, or the machine stopped."
_ASKED_TO_STOP = frozenset(("SIGTERM", "SIGINT", "SIGHUP", "SIGPIPE"))
_STOPPED_CODES = frozenset((0, 129, 130, 141, 143))


class _Burst(msgspec.Struct):
    at: Place
    records: list[int | None] = []
    failures: int = 0
    tools: Counter[str] = msgspec.field(default_factory=Counter)

    def count(self, call: Span) -> None:
        self.failures += 1
        self.tools[call.name] += 1
        if len(self.records) < 2 * WINDOW:
            self.records.append(call.end_seq)

    def tell(self, findings: Findings) -> None:
        count, tools = self.failures, self.tools
        most = ", ".join(f"{name} {failures}" for name, failures in tools.most_common(5))
        severity: Severity = "critical" if count >= 2 * WINDOW else "warning"
        sentence = f"{count} tool calls failed in quick succession: {most}."
        findings.add("error_burst", severity, self.at, sentence, *self.records, failures=count, tools=tools)


class _Retries(msgspec.Struct):
    at: Place
    count: int = 0
    records: list[int | None] = []
    delay_ms: float = 0.0
    causes: Counter[str] = msgspec.field(default_factory=Counter)

    def tell(self, findings: Findings) -> None:
        count, delay_ms = self.count, self.delay_ms
        if count < RETRIES and delay_ms < RETRY_DELAY_MS:
            return
        severity: Severity = "warning" if delay_ms >= RETRY_DELAY_MS else "info"
        causes = ", ".join(f"{cause} ({number})" for cause, number in self.causes.items())
        waited = format_duration(delay_ms)
        sentence = f"The API had to be asked again {count} times, {waited} of waiting: {causes}."
        facts = {"attempts": count, "delay_ms": delay_ms, "causes": self.causes}
        findings.add("api_retries", severity, self.at, sentence, *self.records, **facts)


class Failures(Detector):
    """Takes everything that says that something went wrong."""

    def __init__(self) -> None:
        super().__init__()
        self._last: deque[Span] = deque(maxlen=WINDOW)
        self._burst: _Burst | None = None
        self._retries: _Retries | None = None
        self._interrupted = False
        self._limited = False
        self._has_failed = False
        self._problems: set[str] = set()

    def take(self, context: EventContext) -> None:
        """Take an event."""
        for span in context.closed:
            if span.has_run and not self._interrupted:
                self._result(span)
            elif span.kind == "turn":
                self._turn(context, span)
            elif span.kind == "subagent" and span.outcome == "failed":
                sentence = f"A subagent failed: {span.label}."
                self.over.add("failed_subagent", "warning", context.at, sentence, span.seq, subagent=span.id)
        if (handler := _HANDLERS.get(context.event.event_type)) is not None:
            handler(self, context)

    def find(self, findings: Findings) -> None:
        """Write down what was found, and what is going on."""
        super().find(findings)
        if self._burst is not None:
            self._burst.tell(findings)
        if self._retries is not None:
            self._retries.tell(findings)

    # -- tools and the API -------------------------------------------------------------------------------------

    def _result(self, call: Span) -> None:
        self._last.append(call)
        failures = [one for one in self._last if one.outcome == "failed"]
        if self._burst is None:
            if call.outcome == "failed" and len(failures) >= BURST:
                first = failures[0]
                self._burst = _Burst((first.end_seq, first.end_us or first.start_us))
                for one in failures:
                    self._burst.count(one)
            return
        if call.outcome == "failed":
            self._burst.count(call)
        if len(failures) <= CALM:
            self._burst.tell(self.over)
            self._burst = None

    def _command(self, context: EventContext) -> None:
        if inner(context.event.data, "command").get("action") == "interrupt":
            self._interrupted = True

    def _gap(self, context: EventContext) -> None:
        data = context.event.data
        lost = integer(data, "lost_records") or 0
        sentence = f"{quantity(lost, 'line')} could not be recorded: {one_line(str(data.get('reason')))}."
        self.over.add("recording_gap", "critical", context.at, sentence, lost_records=lost)

    def _retry(self, context: EventContext) -> None:
        data = context.event.data
        retries = self._retries = self._retries or _Retries(context.at)
        retries.count += 1
        if len(retries.records) < 2 * WINDOW:
            retries.records.append(context.seq)
        retries.delay_ms += number(data, "retry_delay_ms") or 0.0
        cause = one_line(str(data.get("error_status") or text(data, "error") or "unknown"), 40)
        if cause in retries.causes or len(retries.causes) < WINDOW:
            retries.causes[cause] += 1

    def _end_retries(self, _: EventContext | None = None) -> None:
        if self._retries is not None:
            self._retries.tell(self.over)
            self._retries = None

    def _rate_limit(self, context: EventContext) -> None:
        limit = inner(context.event.data, "limit")
        was, self._limited = self._limited, text(limit, "status") == "rejected"
        if self._limited and not was:
            which = one_line(text(limit, "rateLimitType") or "usage")
            sentence = f"The {which} limit was reached."
            self.over.add("rate_limited", "warning", context.at, sentence, limit=which)

    # -- turns and the session ---------------------------------------------------------------------------------

    def _turn(self, context: EventContext, turn: Span) -> None:
        self._end_retries()
        self._interrupted = False
        data, at = context.event.data, context.at
        if turn.outcome == "completed":
            return
        self._has_failed = True
        subtype = text(data, "subtype")
        if subtype is None or turn.outcome == "unfinished":
            sentence = f"A turn has no result; it had gone on for {format_duration(turn.us(0) / 1000)}: {turn.label}."
            severity: Severity = "warning" if turn.outcome == "interrupted" else "critical"
            self.over.add("run_without_result", severity, at, sentence, turn.seq, run_id=turn.id)
        elif turn.outcome != "interrupted":
            errors = errors_of(data)
            severity = "critical" if turn.outcome == "failed" and subtype not in _WANTED else "warning"
            # An error that was told as an answer has no other name.
            which = "" if subtype == "success" else f" ({one_line(subtype)})"
            word = _WORDS.get(turn.outcome, turn.outcome)
            sentence = f"A turn {word}{which}: {errors[0] if errors else turn.label}"
            facts = {"run_id": turn.id, "errors": errors}
            self.over.add(f"{turn.outcome}_turn", severity, at, sentence, turn.seq, **facts)

    def _session(self, context: EventContext) -> None:
        data, at = context.event.data, context.at
        signal, code = text(data, "signal"), integer(data, "exit_code")
        if text(data, "state") == "failed" and "outcome" in data:
            self.over.add("abnormal_exit", "critical", at, str(data.get("outcome_reason")), signal=signal)
        elif text(data, "state") == "failed":
            self.over.add("crashed", "critical", at, _CRASHED)
        elif signal is not None and signal not in _ASKED_TO_STOP:
            sentence = f"The command was killed by {signal}."
            self.over.add("abnormal_exit", "critical", at, sentence, signal=signal)
        elif code is not None and code not in _STOPPED_CODES and not self._has_failed:
            sentence = f"The command ended with exit status {code}, and no turn says why."
            self.over.add("abnormal_exit", "warning", at, sentence, exit_code=code)

    def _start(self, context: EventContext) -> None:
        """Take what failed at the start; every turn tells it again."""
        problems = context.event.data.get("problems")
        for problem in map(str, problems if isinstance(problems, list) else []):
            if problem not in self._problems and len(self._problems) < MOST_OF_A_KIND:
                self._problems.add(problem)
                self.over.add("start_problem", "warning", context.at, one_line(problem, 300))

    def _error(self, context: EventContext) -> None:
        data, at = context.event.data, context.at
        reason = one_line(str(data.get("error") or "no reason given"), 300)
        match text(data, "source"):
            case "control_response":
                request = one_line(text(data, "request") or "a request")
                sentence = f"Claude Code refused {request}: {reason}"
                self.over.add("refused_request", "info", at, sentence, request=request, error=reason)
            case "claude-proxy":
                self.over.add("wrapper_error", "critical", at, f"A fault of claude-proxy itself: {reason}")
            case "session_writes_lost" | "mirror_error":
                self.over.add("claude_code_error", "warning", at, f"Claude Code reports: {reason}")

    def _notification(self, context: EventContext) -> None:
        kind = text(context.event.data, "kind") or ""
        if kind.startswith("model_"):
            sentence = one_line(text(context.event.data, "text") or kind, 300)
            self.over.add("model_fallback", "warning", context.at, sentence, notification=kind)


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
Failures.TYPES = frozenset(_HANDLERS)
