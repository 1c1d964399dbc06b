"""What is known of a session at one moment.

Everything that the interpreter remembers is in here and nowhere else, as plain values: it is kept beside the index
as JSON, and interpreting goes on from it as if it had never stopped.
"""

from typing import Any

import msgspec

from proxy.events.figures import Figures


class Evidence(msgspec.Struct):
    """From what a state is known: the record, the message in it, and whether it was stated or had to be inferred."""

    seq: int = 0
    message: str = ""
    stated: bool = False


class Run(msgspec.Struct, omit_defaults=True):
    """One turn: from a user message to its result."""

    run_id: str
    seq: int
    since_us: int
    interrupted: bool = False
    heard: bool = False
    """Whether Claude Code has said anything since."""


class Prompt(msgspec.Struct, omit_defaults=True):
    """A user message that came while a run was open: it waits for its turn."""

    seq: int
    prompt: str
    uuid: str | None = None


class Tool(msgspec.Struct, omit_defaults=True):
    """A tool that was called and has not answered."""

    name: str
    seq: int
    since_us: int
    parent: str | None = None
    """The call of the subagent that called it."""
    depth: int = 0
    """How many subagents deep it is."""
    background: bool = False
    """No turn waits for it: it belongs to a subagent whose own call has returned."""
    is_agent: bool = False
    """It is the call of a subagent."""
    denied: bool = False


class Question(msgspec.Struct, omit_defaults=True):
    """A request of Claude Code that the caller has not answered."""

    kind: str
    seq: int
    since_us: int
    tool: str | None = None
    tool_use_id: str | None = None

    def about_tool(self) -> dict[str, str]:
        """Return which tool it is about, if it is about one."""
        fields = {"tool": self.tool, "tool_use_id": self.tool_use_id}
        return {key: value for key, value in fields.items() if value is not None}


class Task(msgspec.Struct, omit_defaults=True):
    """A background task or subagent that runs."""

    description: str
    seq: int
    since_us: int


class Session(msgspec.Struct, omit_defaults=True):
    """One session. Moments are microseconds since 1970; 0 where there was none yet."""

    session_id: str
    kind: str = "wrapped"
    """``wrapped``, or ``monitoring`` for one that a client of the API has started."""
    name: str | None = None
    prompt: str | None = None
    """The beginning of the first prompt: what the session is about, to a person."""
    command: list[str] = []
    cwd: str | None = None
    pid: int | None = None
    validation: str | None = None
    one_prompt: bool = False
    """The prompt came on the command line or as text: the command is to exit after its result."""

    started_us: int = 0
    last_record_us: int = 0
    last_event_us: int = 0
    last_output_us: int = 0
    ended_us: int = 0
    last_seq: int = -1
    ran_ms: float | None = None
    """How long the command ran, as the record of its exit says."""
    figures: Figures = msgspec.field(default_factory=Figures)

    state: str = "starting"
    state_since_us: int = 0
    evidence: Evidence = msgspec.field(default_factory=Evidence)
    states_are_stated: bool = False

    model: str | None = None
    claude_code_version: str | None = None
    claude_session_id: str | None = None
    permission_mode: str | None = None
    initialized: bool = False

    runs: int = 0
    counts: dict[str, dict[str, int]] = {}
    partials: int = 0
    lost_records: int = 0

    run: Run | None = None
    queued: list[Prompt] = []
    tools: dict[str, Tool] = {}
    questions: dict[str, Question] = {}
    requests: dict[str, str] = {}
    """Control requests of the client without an answer yet: their subtypes by id."""
    tasks: dict[str, Task] = {}
    exit: dict[str, Any] = {}
    ended_in_run: bool = False
