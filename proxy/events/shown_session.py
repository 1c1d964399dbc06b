"""A session as the status shows it: what it does, since when, from what evidence, what it waits for, what it cost."""

from typing import Literal, NotRequired, TypedDict

import msgspec

from proxy.events.outcome import Kind
from proxy.events.terms import SessionId, Share
from proxy.events.timestamps import Timestamp
from proxy.events.vocabulary import State


class Evidence(TypedDict):
    """From what the state is known."""

    seq: int
    """The record."""
    message: str
    """The message in it, as in `system/init`."""
    source: Literal["stated", "inferred", "registry", "transcript"]
    """Whether Claude Code stated it or it had to be inferred; of an interactive session, where it was read."""


class Waiting(TypedDict):
    """Something that the session waits for."""

    what: Literal["answer", "tool", "client", "task", "model", "turn", "claude"]
    """An answer of the caller, a tool, the caller's own MCP server, a task, the model, the end of a turn of which
    nothing else is printed; or Claude Code, for its answer to a request of the caller."""
    label: str
    """The same in words, for people."""
    since: Timestamp | None
    for_ms: float
    seq: int
    """The record since which it is waited for."""
    kind: NotRequired[str]
    """Of an answer: what Claude Code asks."""
    request: NotRequired[str]
    """Of Claude Code: what the caller asks."""
    request_id: NotRequired[str]
    tool: NotRequired[str | None]
    tool_use_id: NotRequired[str]
    runs_in: NotRequired[Literal["claude", "client"]]
    """Of a tool: `client` when it is one of the caller's own."""
    server: NotRequired[str | None]
    method: NotRequired[str | None]
    task_id: NotRequired[str]
    description: NotRequired[str]


class Warning(TypedDict):  # noqa: A001 - what the API calls it
    """A known way to hang that the session shows; a hint, not a verdict."""

    kind: str
    message: str


class Recording(TypedDict):
    """Whether what is said in the session is recorded."""

    state: Literal["recorded", "not recorded", "states alone"]
    why: str | None
    """A sentence that says why it is not, or not all."""


class Acting(TypedDict):
    """What others may do to the session."""

    grant: Literal["off", "restrain", "full"]
    """As it was given at the start, and is never raised."""
    can: list[str]
    """The actions that it takes as it is now."""
    paused: bool


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """One session as the status shows it."""

    session_id: SessionId
    name: str | None = None
    prompt: str | None = None
    """The beginning of the first prompt."""
    kind: str = "wrapped"
    """`wrapped` for a command, `monitoring` for events of a client's own."""
    mode: Literal["relayed", "followed"] = "relayed"
    """`followed`: an interactive session, which is recorded beside and not relayed."""
    recording: Recording = msgspec.field(default_factory=lambda: Recording(state="recorded", why=None))
    """Whether what is said in the session is recorded."""
    state: State
    background: bool = False
    """A shell runs in the background of an idle interactive session."""
    suspended: bool = False
    """The command is stopped, as by Ctrl-Z."""
    outcome: Kind | None = None
    """What became of it; None while it is not over, and where nothing was recorded that tells."""
    outcome_reason: str | None = None
    """A sentence that says why, unless the outcome is `ok`."""
    state_since: Timestamp | None = None
    state_for_ms: float | None = None
    """None once it is over."""
    evidence: Evidence = msgspec.field(default_factory=lambda: Evidence(seq=0, message="", source="inferred"))
    """From what the state is known."""
    waits_for: list[Waiting] = []
    warnings: list[Warning] = []
    """Known ways to hang that it shows; hints, not verdicts."""
    pid: int | None = None
    command: list[str] = []
    cwd: str | None = None
    started_at: Timestamp | None = None
    last_event_at: Timestamp | None = None
    last_record_at: Timestamp | None = None
    ended_at: Timestamp | None = None
    exit_code: int | None = None
    signal: str | None = None
    """The signal that ended it, as in `SIGTERM`."""
    model: str | None = None
    claude_code_version: str | None = None
    claude_session_id: str | None = None
    """The session, as Claude Code names it."""
    permission_mode: str | None = None
    acting: Acting = msgspec.field(default_factory=lambda: Acting(grant="off", can=[], paused=False))
    """What others may do to it."""
    problems: list[str] = []
    """What failed at the start, such as an MCP server: a sentence each."""
    run_id: str | None = None
    """The turn that goes on."""
    duration_ms: float = 0.0
    """How long the command ran, so far if it goes on."""
    turns: int = 0
    """Results of Claude Code; of an interactive session turns of its prompts that were not interrupted."""
    tool_calls: int = 0
    """Calls of tools, whatever became of them."""
    tool_failures: int = 0
    """Calls that ended in an error, without those that were denied or interrupted."""
    tool_denials: int = 0
    """Calls that never ran, because somebody, a hook or a rule refused them."""
    subagents: int = 0
    cost: float | None = None
    """What all turns cost, in US dollars; None until a result states it."""
    cost_reason: str | None = None
    """A sentence that says why the cost of an interactive session is not known, or not all of it."""
    cost_by_model: dict[str, float] = {}
    """What was spent on each model, in US dollars, as far as results say it."""
    tokens: dict[str, int] = {}
    """Of all models, by kind; empty until a result states them."""
    counts: dict[str, dict[str, int]] = {}
    """Messages by stream and verdict."""
    lost_records: int = 0
    """Records that could not be written."""
    events: int = 0
    log: str | None = None
    """Where its log is, on the server's machine; a centre's sessions have theirs elsewhere."""
    host: str | msgspec.UnsetType = msgspec.UNSET
    """Of a fleet: the machine on which it runs or ran."""
    team: str | msgspec.UnsetType = msgspec.UNSET
    """Of a fleet: the team of that machine."""
    reachable: bool | msgspec.UnsetType = msgspec.UNSET
    """Of a fleet: whether the machine was heard just now. If not, all else is as it was when it was heard last."""
    heard_at: Timestamp | msgspec.UnsetType = msgspec.UNSET
    """Of a fleet: when the machine was heard last."""
    read_share: Share = 1.0
    """How much of the log is read."""
    catching_up: bool = False
    """The session is over, and its log is not read to the end yet: all figures are of what is read."""
