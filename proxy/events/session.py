"""What is known of a session at one point of its log.

Everything that the interpreter remembers is in here and nowhere else, as plain values: it is kept beside the index
as JSON, and interpreting goes on from it as if it had never stopped.
"""

from typing import Any, Final, Literal, TypeVar

import msgspec

from proxy import claude_command
from proxy.events.approved_calls import By
from proxy.events.fields import known
from proxy.events.figures import Figures
from proxy.events.known_rules import KnownRules
from proxy.events.outcome import OK, Outcome
from proxy.events.spending import Spending, Usage
from proxy.events.vocabulary import OVER, State

T = TypeVar("T")

NOT_RECORDED: Final = {
    "child_session": "It was begun within Claude Code, which keeps no transcript of such a session.",
    "no_registry": "Claude Code has not registered it: it still waits to be set up, or this release does not.",
    "no_transcript": "Claude Code writes no transcript of it.",
    "background": "Claude Code has moved it to a process in the background.",
}
"""Why nothing is recorded of an interactive session, in a sentence."""
CRASHED: Final = "the log is not held by its writer and does not end"
"""The evidence of a crash: no message, but what the lock and the end of the log show."""


MOST_OPEN: Final = 1000
"""So many calls, questions, requests, actions, tasks and waiting prompts are held open; of more, the oldest gives way.

A session has a handful at once, and all of them are written down with each step of the index."""


def hold(held: dict[str, T], key: str, value: T) -> None:
    """Add to what is open; of more than `MOST_OPEN` the oldest gives way."""
    held[key] = value
    if len(held) > MOST_OPEN:
        del held[next(iter(held))]


class Evidence(msgspec.Struct, frozen=True, omit_defaults=True):
    """From what a state is known: the record, the message in it, and whether it was stated or had to be inferred."""

    seq: int = 0
    message: str = ""
    stated: bool = False
    source: str = ""
    """Of a followed session: ``registry`` or ``transcript``."""


class Standing(msgspec.Struct, frozen=True, omit_defaults=True):
    """A state, since when (microseconds since 1970), and from what it is known."""

    state: State = "starting"
    since_us: int = 0
    evidence: Evidence = Evidence()


class Run(msgspec.Struct, omit_defaults=True):
    """One turn: from a user message to its result."""

    run_id: str
    seq: int
    since_us: int
    prompted: bool = False
    """Whether the caller asked for it; else Claude Code began it by itself."""
    origin: str | None = None
    """Of a prompt that says so: whose it is, such as ``peer``."""
    is_command: bool = False
    """The prompt is a slash command, which need not have an answer."""
    interrupted: bool = False
    heard: bool = False
    """Whether Claude Code has said anything since."""
    blocked: str | None = None
    """Why a hook has kept the prompt from the model, if one has."""
    waited: bool = False
    """The prompt came while another turn ran."""
    is_set_aside: bool = False
    """What was taken for its turn was another one, and its own has not begun."""
    message_id: str | None = None
    """The main agent's last message."""
    results_us: int = 0
    """When the last result of a main agent's call came since then, 0 if none did."""
    is_replayed: bool = False
    """Claude Code has shown its prompt (`--replay-user-messages`)."""
    took_in: bool = False
    """The model was called again after a tool had run: what waited until then was put to it, too."""


class Prompt(msgspec.Struct, omit_defaults=True):
    """A user message; one that comes while a run is open waits for its turn."""

    seq: int
    prompt: str
    received_us: int
    uuid: str | None = None
    origin: str | None = None
    asks: bool = True
    """It is to be answered."""
    priority: str = "next"
    """``later``: it may wait behind what Claude Code begins by itself; ``now``: it goes before all others."""
    is_taken: bool = False
    """Claude Code has said that it is put to the model now."""

    @property
    def is_later(self) -> bool:
        """Whether it may wait behind others."""
        return self.priority == "later"

    @property
    def is_command(self) -> bool:
        """Whether it is a slash command."""
        return self.prompt.startswith("/")

    @property
    def stays(self) -> bool:
        """Whether it waits for a turn of its own, and is not taken into one that runs."""
        return self.is_later or self.is_command or not self.asks


AGENT_TOOLS: Final = frozenset(("Agent", "Task"))
"""The tools that start a subagent, by their names now and before."""


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
    allowed_by_parts: By = "unknown"
    """By what its shell command was allowed, where Claude Code says that each part of it was."""
    is_refused: bool = False
    """Claude Code has remarked that it was denied."""
    has_task: bool = False
    """A task was begun for it, so it runs."""
    answer: "Answer | None" = None
    """What was answered to the question whether it may run, if one was asked."""

    def about_depth(self) -> dict[str, int]:
        """Return how deep it is, nothing for a call of the main agent."""
        return {"depth": self.depth} if self.depth else {}


class Answer(msgspec.Struct, omit_defaults=True):
    """What was answered to a question for permission; no decision: it was withdrawn."""

    decision: Literal["allow", "deny"] | None
    by: Literal["caller", "api"]
    waited_ms: float
    lasting: Literal["once", "session", "always"] = "once"
    reason: str | None = None
    evidence: list[int] = []
    """The records of question and answer."""
    request_id: str | None = None


class Question(msgspec.Struct, omit_defaults=True):
    """A request of Claude Code that the caller has not answered."""

    kind: str
    seq: int
    since_us: int
    tool: str | None = None
    tool_use_id: str | None = None
    server: str | None = None
    """Of a message to an MCP server that lives in the caller: which one."""
    method: str | None = None
    """The method of that server that is called; of a hook, what it is called for."""
    reason: str | None = None
    """Why Claude Code asks."""

    @property
    def is_menu(self) -> bool:
        """Whether it is a dialog that the user has opened."""
        return self.kind == "dialog open"

    @property
    def is_work(self) -> bool:
        """Whether the caller is working for Claude Code, in an MCP server of its own: no question to anybody."""
        return self.kind == "mcp_message"

    def about_tool(self) -> dict[str, str]:
        """Return which tool it is about, if it is about one."""
        return known(tool=self.tool, tool_use_id=self.tool_use_id)


class Request(msgspec.Struct, omit_defaults=True):
    """A control request of the caller that Claude Code has not answered."""

    subtype: str
    seq: int
    since_us: int


class Action(msgspec.Struct, omit_defaults=True):
    """Something that others have done to the session, until the wire shows what became of it."""

    name: str
    seq: int
    since_us: int
    tool_use_id: str | None = None
    """The call that it answers for."""
    frame: str | None = None
    """The id of the request that was sent for it."""


class Task(msgspec.Struct, omit_defaults=True):
    """A background task or subagent that runs."""

    description: str
    seq: int
    since_us: int
    tool_use_id: str | None = None
    """The call that began it, of a task that ends with that call's result."""
    depth: int = 0
    """How many subagents deep whoever began it is."""


class PermissionPrompt(msgspec.Struct, omit_defaults=True):
    """A prompt of an interactive session at which the user decides on a tool."""

    kind: str
    seq: int
    since_us: int
    until_us: int = 0
    tool_use_id: str | None = None
    """What it asks for, as soon as that is known."""


class Counted(msgspec.Struct, omit_defaults=True):
    """What was counted of an answer that comes in several lines, each of which says what all of them took."""

    message_id: str
    model: str
    usage: Usage


class Followed(msgspec.Struct, omit_defaults=True):
    """What is known of a session besides that it is followed and not relayed."""

    content: bool = True
    """Whether its transcripts are recorded, and not its states alone."""
    status: str | None = None
    """What Claude Code's registry says that it does."""
    states_are_told: bool = False
    """Whether the registry says so at all; else the transcript tells states."""
    background: bool = False
    """A shell runs in the background."""
    not_recorded: str | None = None
    """Why nothing is recorded."""
    cost_is_mixed: bool = False
    """Claude Code's totals hold what others took, and nobody knows how much."""
    agents: dict[str, str | None] = {}
    """The transcripts of subagents: the call of each."""
    finished: list[str] = []
    """Calls of subagents that have returned."""
    prompts: list[PermissionPrompt] = []
    decided_us: int = 0
    """When the user decided on a tool last."""
    usage: dict[str, Usage] = {}
    """Tokens of each model since Claude Code stated totals last."""
    counted: dict[str, Counted] = {}
    """The last answer of each agent."""
    is_answered: bool = False
    """Whether the model's last answer ends its turn."""

    @property
    def why_not_recorded(self) -> str:
        """A sentence that says why nothing is recorded, empty where something is."""
        return "" if self.not_recorded is None else NOT_RECORDED.get(self.not_recorded, self.not_recorded)


class Session(msgspec.Struct, omit_defaults=True):
    """One session. Timestamps are microseconds since 1970; 0 where there was none yet."""

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
    prints: Literal["text", "json"] | None = None
    """What the command prints at its end in place of messages: nothing is known of what it does meanwhile."""
    printed: dict[str, str] = {}
    """What it has printed as text, by stream."""

    started_us: int = 0
    last_record_us: int = 0
    last_event_us: int = 0
    last_output_us: int = 0
    last_seq: int = -1
    ran_ms: int | float | None = None
    """How long the command ran, as the record of its exit says."""
    figures: Figures = msgspec.field(default_factory=Figures)

    standing: Standing = Standing()
    """Where the session stands by its log."""
    crash: Standing | None = None
    """Where it stands by the lock: see `mark_crashed`."""
    complete: bool = False
    """The log has its last record."""

    model: str | None = None
    claude_code_version: str | None = None
    claude_session_id: str | None = None
    permission_mode: str | None = None
    problems: list[str] = []
    """What failed at the start, such as an MCP server: a sentence each."""
    initialized: bool = False

    runs: int = 0
    result_us: int = 0
    """When the last result came."""
    states_are_stated: bool = False
    """Claude Code says in what state it is."""
    idle_us: int = 0
    """Since when it says that it is idle; 0 while it does not."""
    last_turn: Outcome = OK
    """What became of the last turn."""
    spending: Spending = msgspec.field(default_factory=Spending)
    cost_is_mixed: bool = False
    """The total that was stated holds what the conversation had cost before, and nobody knows how much."""
    counts: dict[str, dict[str, int]] = {}
    lost_records: int = 0

    run: Run | None = None
    queued: list[Prompt] = []
    tools: dict[str, Tool] = {}
    questions: dict[str, Question] = {}
    requests: dict[str, Request] = {}
    tasks: dict[str, Task] = {}
    actions: dict[str, Action] = {}
    grant: str = "off"
    """What others may do to the session."""
    paused: bool = False
    firings: int = 0
    """How often rules have fired."""
    followed: Followed | None = None
    """Of an interactive session."""
    exit: dict[str, Any] = {}
    rules: KnownRules = msgspec.field(default_factory=KnownRules)
    is_policy_alone: bool = False
    """The rules that deny are those of the policy in force, and no others."""
    cut_off: bool = False
    """The command ended in the middle of a turn."""
    end_told: bool = False
    """The event of its end is made."""

    @property
    def state(self) -> State:
        """The state, as log and lock tell it."""
        return (self.crash or self.standing).state

    @property
    def state_since_us(self) -> int:
        """Since when."""
        return (self.crash or self.standing).since_us

    @property
    def evidence(self) -> Evidence:
        """From what that is known."""
        return (self.crash or self.standing).evidence

    @property
    def resumes(self) -> bool:
        """Whether the command goes on with a conversation that another process has begun."""
        return claude_command.guess(self.command).resumes

    @property
    def writes_in_turn(self) -> bool:
        """Whether Claude Code writes something while it works on a turn, so that silence means something."""
        return self.followed is None and self.prints is None

    @property
    def over(self) -> bool:
        """Whether the session is over: its command has exited, or its wrapper has died."""
        return self.state in OVER

    @property
    def ended_us(self) -> int:
        """When it was over; 0 while it is not."""
        return self.state_since_us if self.over else 0

    @property
    def ended_in_turn(self) -> bool:
        """Whether it was over in the middle of a turn."""
        return self.cut_off or (self.over and self.run is not None)

    @property
    def asked(self) -> dict[str, Question]:
        """The questions that wait for an answer of the caller."""
        return {key: question for key, question in self.questions.items() if not question.is_work}

    def mark_crashed(self) -> None:
        """Claim that the wrapper died: nobody holds the log, and it does not end.

        That is no event: it is known from the lock and not from the log, and the next record takes it back.
        """
        if not self.over:
            self.crash = Standing("failed", self.last_record_us, Evidence(max(0, self.last_seq), CRASHED))

    def duration_ms(self, now_us: int) -> float:
        """Return how long the command ran, so far if it goes on. ``now_us``: microseconds since 1970."""
        if not self.started_us:
            return 0.0
        if self.ran_ms is not None:
            return self.ran_ms
        return ((self.ended_us or max(now_us, self.last_record_us)) - self.started_us) / 1000
