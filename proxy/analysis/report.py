"""What an analysis says: the shape of its answer, as it is published in ``schemas/api/analysis.json``.

Durations are milliseconds, moments are spelled as in records, shares are between 0 and 1. ``seq`` is the record that
something comes from; None for events of a client's own. Lists that could grow without end are cut, and say so.
"""

from typing import Any, Literal

import msgspec

__all__ = [
    "Activity",
    "ActivityTime",
    "AgentTokens",
    "Analysis",
    "Anomaly",
    "Bar",
    "Bucket",
    "Command",
    "Cost",
    "Evidence",
    "ModelCost",
    "Pattern",
    "Permissions",
    "Sequence",
    "Severity",
    "StateTime",
    "States",
    "Statistics",
    "Subagent",
    "Time",
    "Timeline",
    "Tool",
    "Totals",
    "Transition",
    "Turn",
]

Severity = Literal["info", "warning", "critical"]
Activity = Literal[
    "model", "tools", "subagents", "permission", "user", "background", "compacting", "starting"
]
"""What a session's time goes into; at each moment it is exactly one of these. ``docs/analysis.md`` has the rules."""


class Bucket(msgspec.Struct, frozen=True):
    """How many values lie above the bucket before and not above ``up_to``."""

    up_to: float
    count: int


class Statistics(msgspec.Struct, frozen=True):
    """What a set of values looks like. All but the counts are None when there are none."""

    count: int = 0
    total: float = 0.0
    mean: float | None = None
    median: float | None = None
    p95: float | None = None
    min: float | None = None
    max: float | None = None
    deviation: float | None = None
    """The standard deviation of the values themselves, not of a larger set that they would be a sample of."""
    distribution: list[Bucket] = []


class Pattern(msgspec.Struct, frozen=True):
    """Steps that repeat."""

    steps: list[str]
    count: int
    """Occurrences that do not overlap."""
    share: float
    """Of the whole sequence."""


class Sequence(msgspec.Struct, frozen=True):
    """In which order things happened."""

    length: int
    kinds: dict[str, int]
    patterns: list[Pattern]
    tool_patterns: list[Pattern]
    """The same for the sequence of tools that were called."""


class ActivityTime(msgspec.Struct, frozen=True):
    """The time that went into one activity."""

    activity: Activity
    ms: float
    share: float
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
    share: float
    """Of the changes that leave the same state."""


class StateTime(msgspec.Struct, frozen=True):
    """The time in one state."""

    state: str
    entered: int
    ms: float
    share: float


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
    """Never ran, because somebody, a hook or a rule refused them."""
    interrupted: int
    unfinished: int
    """Without a result, so far or for ever."""
    failure_rate: float
    """Failed calls of all."""
    duration: Statistics
    """From the call to its result, without the time that its permission took."""
    permission_ms: float


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
    kind: str | None
    description: str
    outcome: str
    seq: int | None
    started_at: str
    ended_at: str | None
    duration_ms: float
    tool_calls: int
    tool_failures: int
    total_tokens: int | None
    """As Claude Code states it; None when it says nothing."""


class Turn(msgspec.Struct, frozen=True):
    """One turn: from a prompt to its result."""

    run_id: str
    seq: int | None
    end_seq: int | None
    prompt: str
    outcome: str
    started_at: str
    ended_at: str | None
    duration_ms: float
    activities: dict[str, float]
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
    tokens: dict[str, int]


class AgentTokens(msgspec.Struct, frozen=True):
    """What the main agent took, and all others together (subagents and helpers of Claude Code's own)."""

    agent: Literal["main", "others"]
    tokens: dict[str, int]


class Cost(msgspec.Struct, frozen=True):
    """What it cost, as Claude Code states it."""

    total_usd: float | None
    tokens: dict[str, int]
    per_turn: Statistics
    by_model: list[ModelCost]
    by_agent: list[AgentTokens]


class Evidence(msgspec.Struct, frozen=True):
    """What shows an anomaly: the records, and the figures that the sentence rests on."""

    records: list[int]
    facts: dict[str, Any]


class Anomaly(msgspec.Struct, frozen=True):
    """Something that stands out."""

    kind: str
    severity: Severity
    seq: int | None
    time: str
    sentence: str
    evidence: Evidence


class Bar(msgspec.Struct, frozen=True):
    """One bar of a timeline. ``end`` is None while it goes on."""

    id: str
    kind: Literal[
        "turn", "tool", "subagent", "task", "permission", "model", "user", "background", "compacting"
    ]
    start: str
    end: str | None
    label: str
    seq: int | None
    parent: str | None
    """The bar that it is a part of: a turn or a subagent."""
    outcome: str
    count: int
    """How many bars this one stands for; more than 1 where they were too small to be shown."""
    failed: int
    """How many of them failed."""
    busy_ms: float
    """How long they were together."""


class Timeline(msgspec.Struct, frozen=True):
    """Bars on an axis of time, by their start."""

    start: str | None
    end: str | None
    """The last moment that is known; of a session that goes on, this moment."""
    bars: list[Bar]
    resolution_ms: float
    """Bars that are shorter were put together with their neighbours; 0: none was."""


class Totals(msgspec.Struct, frozen=True):
    """Counts of the whole session, as the status shows them: `proxy.events.figures` says what each means."""

    turns: int
    tool_calls: int
    tool_failures: int
    tool_denials: int
    subagents: int


class Analysis(msgspec.Struct, frozen=True):
    """Everything that is said about one session."""

    session_id: str
    name: str | None
    state: str
    model: str | None
    claude_code_version: str | None
    started_at: str | None
    ended_at: str | None
    duration_ms: float
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
