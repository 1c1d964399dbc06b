"""What an analysis says: the shape of its answer, as it is published in ``schemas/api/analysis.json``.

Durations are milliseconds, timestamps are formatted as in records, shares are between 0 and 1. ``seq`` is the
record that something comes from; None for events of a client's own. Lists that could grow without end are cut, and
say so.
"""

from typing import Annotated, Any, Literal

import msgspec

from proxy.events.figures import Totals
from proxy.events.terms import Share
from proxy.events.timestamps import Timestamp
from proxy.events.vocabulary import State

RecordNumber = Annotated[
    int | None,
    msgspec.Meta(description="The record in the session's log; null for events of a client's own."),
]
Tokens = Annotated[
    dict[str, int], msgspec.Meta(description="`input`, `output`, `cache_read`, `cache_creation`.")
]
SpanKind = Literal[
    "turn", "tool", "subagent", "task", "permission", "model", "user", "background", "compacting"
]
SpanOutcome = Annotated[
    str,
    msgspec.Meta(
        description="How it ended; `unfinished` when what it was a part of ended before it.",
        extra_json_schema={
            "enum": [
                *("open", "completed", "failed", "limited", "blocked", "denied", "interrupted"),
                *("stopped", "allowed", "cancelled", "unfinished"),
            ]
        },
    ),
]
Severity = Literal["info", "warning", "critical"]
Activity = Literal[
    "model", "tools", "subagents", "turn", "permission", "user", "background", "compacting", "starting"
]
"""What a session's time goes into; at each moment it is exactly one of these. ``docs/analysis.md`` has the rules."""


class Bucket(msgspec.Struct, frozen=True):
    """How many values lie above the bucket before and not above ``up_to``."""

    up_to: float
    count: int


class Statistics(msgspec.Struct, frozen=True):
    """What a set of values looks like. All but `count`, `total` and `distribution` are None when there is none."""

    count: int = 0
    total: float = 0.0
    mean: float | None = None
    median: float | None = None
    p95: float | None = None
    """The 95th percentile."""
    min: float | None = None
    max: float | None = None
    deviation: float | None = None
    """The standard deviation of the values themselves, not of a larger set that they would be a sample of."""
    distribution: list[Bucket] = []
    """How many values lie above the bucket before and not above `up_to`; empty buckets are left out."""


class Pattern(msgspec.Struct, frozen=True):
    """Two to five steps that repeat in a sequence."""

    steps: list[str]
    count: int
    """Occurrences that do not overlap."""
    share: Share
    """Of the whole sequence."""


class Sequence(msgspec.Struct, frozen=True):
    """In which order things happened."""

    length: int
    kinds: dict[str, int]
    """Events by type."""
    patterns: list[Pattern]
    tool_patterns: list[Pattern]
    """The same for the tools that were called."""


class ActivityTime(msgspec.Struct, frozen=True):
    """The time that went into one activity."""

    activity: Activity
    """What the session waited for."""
    ms: float
    share: Share
    spans: Statistics
    """How long each stretch of it was."""


class Time(msgspec.Struct, frozen=True):
    """Where the time went."""

    total_ms: float
    activities: list[ActivityTime]
    """Largest first. They add up to the whole."""
    turns: Statistics
    gaps: Statistics
    """Between one event and the next."""


class Transition(msgspec.Struct, frozen=True, rename={"source": "from", "target": "to"}):
    """A change from one state to another; written as ``from`` and ``to``."""

    source: str
    target: str
    count: int
    share: Share
    """Of the changes that leave the same state."""


class StateTime(msgspec.Struct, frozen=True):
    """The time in one state."""

    state: str
    entered: int
    ms: float
    share: Share


class States(msgspec.Struct, frozen=True):
    """What states the session was in."""

    transitions: list[Transition]
    time: list[StateTime]


class Command(msgspec.Struct, frozen=True):
    """One kind of thing that the client asked for."""

    action: str
    count: int
    outcomes: dict[str, int]


class Tool(msgspec.Struct, frozen=True):
    """One tool."""

    tool: str
    calls: int
    completed: int
    failed: int
    denied: int
    """Never ran, because somebody, a hook or a rule refused them; not failed."""
    interrupted: int
    """Cut off by an interrupt; not failed."""
    unfinished: int
    """Without a result, so far or for ever."""
    failure_rate: Share
    """Failed calls of all."""
    duration: Statistics
    """From the call to its result, without the time that its permission took."""


class Permissions(msgspec.Struct, frozen=True):
    """What the caller was asked about tools."""

    requested: int
    allowed: int
    denied: int
    cancelled: int
    unanswered: int
    waiting: Statistics


class Subagent(msgspec.Struct, frozen=True):
    """One subagent."""

    id: str
    """The id of its bar."""
    kind: str | None
    description: str
    outcome: SpanOutcome
    seq: RecordNumber
    started_at: Timestamp
    ended_at: Timestamp | None
    duration_ms: float
    tool_calls: int
    tool_failures: int
    total_tokens: int | None
    """As Claude Code states it; None when it says nothing."""


class Turn(msgspec.Struct, frozen=True):
    """One turn: from a prompt to its result."""

    run_id: str
    seq: RecordNumber
    prompt: str
    """Its beginning."""
    outcome: SpanOutcome
    started_at: Timestamp
    ended_at: Timestamp | None
    duration_ms: float
    activities: dict[str, float]
    """Milliseconds by activity."""
    tool_calls: int
    tool_failures: int
    cost_usd: float | None
    tokens: dict[str, int]
    """Of the main agent: ``input``, ``output``, ``cache_read``, ``cache_creation``."""
    errors: list[str]


class ModelCost(msgspec.Struct, frozen=True):
    """What one model took, all agents together."""

    model: str
    cost_usd: float | None
    tokens: Tokens


class AgentTokens(msgspec.Struct, frozen=True):
    """What the main agent took, all others together, and turns of which it is not stated."""

    agent: Literal["main", "others", "unstated"]
    """`others`: subagents and helpers of Claude Code's own; `unstated`: of any, in turns that were cut short."""
    tokens: Tokens


class Cost(msgspec.Struct, frozen=True):
    """What it cost, as Claude Code states it."""

    total_usd: float | None
    tokens: Tokens
    per_turn: Statistics
    by_model: list[ModelCost]
    by_agent: list[AgentTokens]


class Evidence(msgspec.Struct, frozen=True):
    """What shows an anomaly: the records, and the figures that the sentence rests on."""

    records: list[int]
    """The records that show it, `seq` first, at most 20."""
    facts: dict[str, Any]
    """The figures that the sentence rests on."""


class Anomaly(msgspec.Struct, frozen=True):
    """Something that stands out in a session."""

    kind: str
    """Which kind; the analysis page of the documentation has all of them with their thresholds."""
    severity: Severity
    seq: RecordNumber
    time: Timestamp
    sentence: str
    """What a person needs to know."""
    evidence: Evidence


class Bar(msgspec.Struct, frozen=True):
    """One bar of a session's timeline."""

    id: str
    kind: SpanKind
    start: Timestamp
    end: Timestamp | None
    """None while it goes on."""
    label: str
    """From the session: may hold anything."""
    seq: int | None
    """The record that it begins with; None for events of a client's own."""
    parent: str | None
    """The id of the bar that it is a part of: a turn or a subagent."""
    outcome: SpanOutcome
    count: int
    """How many bars this one stands for; more than 1 where they were too small to be shown."""
    failed: int
    """How many of them failed."""
    busy_ms: float
    """How long they lasted, added up."""


class Timeline(msgspec.Struct, frozen=True):
    """Bars on an axis of time, by their start."""

    start: Timestamp | None
    end: Timestamp | None
    """The last moment that is known; of a session that goes on, this moment."""
    bars: list[Bar]
    """By their start, at most 2000."""
    resolution_ms: float
    """Bars that are shorter were put together with their neighbours; 0: none was."""


class Analysis(msgspec.Struct, frozen=True):
    """What a session did, where its time and money went, and what stands out."""

    session_id: str
    name: str | None
    state: State
    model: str | None
    claude_code_version: str | None
    started_at: Timestamp | None
    ended_at: Timestamp | None
    duration_ms: float
    """How long the command ran, so far if it goes on."""
    events: int
    """Events that were analysed."""
    totals: Totals
    complete: bool
    """False: the session has more events than these; ``monitoring.max_events_per_session`` bounds the index."""
    summary: list[str]
    """What it did, where time and money went, what went wrong and where it waited: a sentence each."""
    sequence: Sequence
    time: Time
    states: States
    commands: list[Command]
    tools: list[Tool]
    permissions: Permissions
    subagents: list[Subagent]
    """The newest 500."""
    turns: list[Turn]
    """The newest 500."""
    turn_outcomes: dict[str, int]
    """Of all."""
    cost: Cost
    anomalies: list[Anomaly]
    """At most 200, in order of time; of more, the most severe and then the first."""
    anomaly_counts: dict[str, int]
    """Of all, by kind."""
    timeline: Timeline
