"""The lines of an interactive session's transcript: the conversation as Claude Code keeps it.

It has no results, no requests and no partial text: a turn begins with a prompt and ends with the line that says how
long it took, with an interruption or with an error of the API. Where a release does not write the first of these, it
ends at the next prompt, if the model's last answer ended it. Lines come late, so what they tell happened when they
say.
"""

import re
from collections.abc import Callable
from typing import Any, Final, Literal

from proxy.events import stdout
from proxy.events.emitter import Emitter
from proxy.events.fields import Message, inner, integer, items, known, number, present, text
from proxy.events.outcome import OK, Outcome
from proxy.events.prompts import prompt_text
from proxy.events.registry import decided, match_prompts
from proxy.events.session import Counted, Followed, Prompt, Task
from proxy.events.spending import DIGITS, TOKENS, Usage, api_usage, stated_usage, sum_of
from proxy.events.system import TASK_ENDS

_REJECTED = "Error: The user doesn't want to proceed with this tool use."
"""How release 2.1.100 says it, in words alone."""
_INTERRUPTED: Final = "[Request interrupted by user"
_ENDS_OF_TURN: Final = frozenset(("end_turn", "stop_sequence", "max_tokens", "refusal"))
_NOTICE: Final = re.compile(r"\s*<task-notification>.*", re.DOTALL)
_TAG: Final = "<{0}>(.*?)</{0}>"
_SLASH, _BASH = "command-name", "bash-input"
_PRINTED: Final = ("local-command-stdout", "local-command-stderr", "bash-stdout", "bash-stderr")
_PASTED: Final = re.compile(r'\n{0,2}</?pasted_content id="\w{1,64}">\n{0,2}')
"""What stands before and behind a text that was pasted, for the model: the terminal shows the text alone."""
_COLOURS: Final = re.compile(r"\x1b\[[0-9;]*m")
_OF_THE_USER: Final = re.compile(r"\s*<(command-name|command-message|local-command|bash-input|bash-std)")
_MOST_FINISHED = 200
"""Calls of subagents that are remembered as returned, for transcripts that come later than their results."""
_SUBTYPES: Final = {"ok": "success", "interrupted": "interrupted"}
"""What a turn's end has in place of a result's subtype, by outcome; all others are errors."""
_OF_A_RETRY: Final = ("attempt", "max_retries", "retry_delay_ms")
_SYNTHETIC: Final = "<synthetic>"
"""The model of answers that Claude Code writes itself."""


def take(emitter: Emitter, followed: Followed, file: str, message: Message) -> None:
    """Take one line of a transcript; ``file``: which, as the recorder names it."""
    emitter.happened(text(message, "timestamp"), "transcript")
    line = _Line(emitter, followed, file)
    handler = _HANDLERS.get(text(message, "type") or "")
    if handler is not None:  # else it is of no consequence for what a session does
        handler(line, message)


def _told(decision: Message, refusal: str | None) -> Message:
    """Return what a transcript says of a decision, as a result on the wire says it."""
    if decision:
        return {"permission_decision": {**decision, "reason_type": text(decision, "reasonType")}}
    if not refusal:
        return {}
    source = "user_reject" if refusal == "user-rejected" else "config"
    return {"permission_decision": {"decision": "reject", "source": source}}


def ended(emitter: Emitter, followed: Followed) -> None:
    """Take the end of the command: a turn that the model has answered is over, though no line says so."""
    if followed.is_answered:
        _Line(emitter, followed, "").close_run("session_ended")


class _Line:
    """One line: whose it is, and what it changes."""

    def __init__(self, emitter: Emitter, followed: Followed, file: str) -> None:
        self.emitter = emitter
        self.session = emitter.session
        self.followed = followed
        self.is_subagents = file in followed.agents
        self.parent = followed.agents.get(file)
        self.agent = file if self.is_subagents else ""

    # -- what the user says ------------------------------------------------------------------------------------

    def user(self, message: Message) -> None:
        """Take a line in the user's name: a prompt, a command, results of tools, or what Claude Code adds itself."""
        said = inner(message, "message")
        results = [block for block in items(said, "content") if text(block, "tool_use_id")]
        for block in results:
            self._result(message, block)
        is_added = message.get("isMeta") is True or message.get("isCompactSummary") is True
        if results or self.is_subagents or is_added:
            return
        content = said.get("content")
        words = prompt_text(content)
        if words.startswith(_INTERRUPTED):
            self._interrupted()
        elif text(message, "promptSource") == "system" or _NOTICE.match(words):
            self._began_by_itself(message, words)
        elif _OF_THE_USER.match(words):
            self._command(words)
        else:
            # All prompts that had to wait are put to the model together.
            run, waited = self.session.run, text(message, "promptSource") == "queued"
            joins = waited and run is not None and run.prompted and not run.heard
            self._prompt(words, content, is_queued=joins)

    def _prompt(self, words: str, content: object, *, is_queued: bool = False) -> None:
        words = _PASTED.sub("\n", words).strip("\n") or words
        command: dict[str, Any] = {"action": "prompt", "prompt": words}
        if isinstance(content, list):
            command["content"] = content
        if is_queued:
            self.emitter.emit("command_received", command={**command, "queued": True})
            return
        self.close_run()
        self.emitter.emit("command_received", command=command)
        self.emitter.start_run(Prompt(self.emitter.seq, words, self.emitter.timestamp_us), "user")
        self.followed.is_answered = False

    def _command(self, words: str) -> None:
        """Tell a slash command or a command of the shell, or what it printed: no prompt, and no turn by itself."""
        if (name := _tagged(words, _SLASH)) is not None:
            arguments = _tagged(words, "command-args") or ""
            self._remark("slash_command", f"{name} {arguments}".strip())
        elif (typed := _tagged(words, _BASH)) is not None:
            self._remark("shell_command", f"! {typed}")
        else:
            printed = (_tagged(words, tag) for tag in _PRINTED)
            self._remark("command_output", "\n".join(text for text in printed if text))

    def _remark(self, kind: str, words: str) -> None:
        if said := _COLOURS.sub("", words).strip():
            self.emitter.emit("notification", text=said, kind=kind)

    def _interrupted(self) -> None:
        if self.session.run is not None:
            self.session.run.interrupted = True
            self._end_run("user/interrupted", Outcome("interrupted", "The turn was interrupted."))

    def _began_by_itself(self, message: Message, words: str) -> None:
        self._notified(words)
        self.close_run()
        self.emitter.start_unprompted_run("user", text(inner(message, "origin"), "kind"))
        self.followed.is_answered = False

    # -- tools -------------------------------------------------------------------------------------------------

    def _result(self, message: Message, block: Message) -> None:
        tool_use_id = text(block, "tool_use_id") or ""
        refusal = text(message, "toolDenialKind")
        if not refusal and (text(message, "toolUseResult") or "").startswith(_REJECTED):
            refusal = "user-rejected"
        decision = inner(message, "permissionDecision")
        answer: Literal["allow", "deny"] | None = None
        if refusal == "user-rejected":
            answer = "deny"
        elif (text(decision, "source") or "").startswith("user") and text(decision, "decision") == "accept":
            answer = "allow"
        decided(self.emitter, self.followed, tool_use_id, answer)
        self._task_of(message, tool_use_id)
        call, scope = self.session.tools.get(tool_use_id), text(decision, "grantScope")
        if call is not None and call.answer is not None and scope is not None:
            call.answer.lasting = "once" if scope == "once" else "session" if scope == "session" else "always"
        stdout.tool_result(self.emitter, block, _told(decision, refusal))
        match_prompts(self.emitter, self.followed)

    def _task_of(self, message: Message, tool_use_id: str) -> None:
        """Take what the result of a call says of a task: it goes on in the background, or is over with the call."""
        told = inner(message, "toolUseResult")
        if task_id := text(told, "backgroundTaskId"):
            tool = self.session.tools.get(tool_use_id)
            name = "" if tool is None else tool.name
            self.session.tasks[task_id] = Task(name, self.emitter.seq, self.emitter.timestamp_us)
            about = {"tool_use_id": tool_use_id, "task_type": "shell", "description": name}
            self.emitter.emit("task_started", task_id=task_id, **about)
        elif text(told, "agentId") and text(told, "status") != "async_launched":
            self.followed.finished = [*self.followed.finished[-_MOST_FINISHED:], tool_use_id]
            for task_id, task in list(self.session.tasks.items()):
                if task.tool_use_id == tool_use_id:
                    self._end_task(task_id, text(told, "status") or "completed")

    def _notified(self, words: str) -> None:
        """Take the notice that a task is over; it may come several times."""
        task_id, status = _tagged(words, "task-id"), _tagged(words, "status")
        if task_id in self.session.tasks and status is not None:
            self._end_task(task_id, status, _tagged(words, "summary"))

    def _end_task(self, task_id: str, status: str, summary: str | None = None) -> None:
        task = self.session.tasks.pop(task_id)
        event = TASK_ENDS.get("stopped" if status == "killed" else status, "task_updated")
        about = {"task_id": task_id, "status": status, "description": task.description}
        self.emitter.emit(event, **about, **known(tool_use_id=task.tool_use_id, summary=summary))

    # -- what Claude Code says ---------------------------------------------------------------------------------

    def assistant(self, message: Message) -> None:
        """Take a part of an answer."""
        answer = inner(message, "message")
        if not self.is_subagents:
            self._hear(message, answer)
        self._count(answer)
        told = {key: value for key, value in message.items() if key != "error"}
        stdout.take_answer(self.emitter, {**told, "parent_tool_use_id": self.parent})
        match_prompts(self.emitter, self.followed)
        if message.get("isApiErrorMessage") is True:
            self._failed(message, answer)

    def _hear(self, message: Message, answer: Message) -> None:
        """Note which model speaks, and whether it has answered; a turn that nobody asked for begins with it."""
        session, emitter, model = self.session, self.emitter, text(answer, "model")
        version = text(message, "version")
        session.claude_code_version = session.claude_code_version or version
        if model is not None and model not in (_SYNTHETIC, session.model):
            session.model = model
            emitter.emit("session_initialized", model=model, changed=True)
        if session.run is None:
            emitter.start_unprompted_run("assistant")
        if session.run is not None:
            session.run.heard = True
        self.followed.is_answered = text(answer, "stop_reason") in _ENDS_OF_TURN
        emitter.infer_state("assistant")
        if self.followed.is_answered and not self.followed.states_are_told:
            emitter.change_state("idle", "assistant")

    def _count(self, answer: Message) -> None:
        """Count tokens. Each line of an answer says what all of its lines took, the last one best."""
        message_id, model = text(answer, "id"), text(answer, "model")
        if message_id is None or model is None or model == _SYNTHETIC:
            return
        usage: Usage = {**dict.fromkeys(TOKENS, 0), **api_usage(inner(answer, "usage"))}
        before = self.followed.counted.get(self.agent)
        if before is not None and before.message_id == message_id:
            less: dict[str, Usage] = {before.model: {key: -value for key, value in before.usage.items()}}
            self.followed.usage = sum_of(self.followed.usage, less)
        self.followed.usage = sum_of(self.followed.usage, {model: usage})
        self.followed.counted[self.agent] = Counted(message_id, model, usage)

    def _failed(self, message: Message, answer: Message) -> None:
        said = "\n".join(text(block, "text") or "" for block in items(answer, "content"))
        status = known(api_error_status=message.get("apiErrorStatus"))
        self.emitter.emit("error", source="assistant", error=text(message, "error"), **status)
        if not self.is_subagents:
            failed = Outcome("failed", said or "The API answered with an error.")
            self._end_run("assistant/error", failed, errors=[said])

    # -- turns -------------------------------------------------------------------------------------------------

    def system(self, message: Message) -> None:
        """Take a line of Claude Code's own."""
        match text(message, "subtype"):
            case "turn_duration" if not self.is_subagents:
                self._end_run("system/turn_duration", OK)
            case "compact_boundary":
                told = inner(message, "compactMetadata")
                tokens = known(pre_tokens=told.get("preTokens"), post_tokens=told.get("postTokens"))
                about = {"duration_ms": number(told, "durationMs"), **present(told, "trigger"), **tokens}
                self.emitter.emit("compaction", **about)
            case "local_command":
                self._command(text(message, "content") or "")
            case "informational" | "notification":
                self._remark(str(message["subtype"]), text(message, "content") or "")
            case "api_error":
                status = integer(inner(message, "error"), "status")
                named = zip(_OF_A_RETRY, ("retryAttempt", "maxRetries", "retryInMs"), strict=True)
                figures = {ours: value for ours, theirs in named if (value := number(message, theirs))}
                self.emitter.emit("api_retry", error_status=status, **figures)
            # All others are of no consequence for what a session does.

    def close_run(self, line: str = "user") -> None:
        """Close a run of which the end was not written (2.1.100 writes none): the next one begins."""
        if self.session.run is not None:
            interrupted = Outcome("interrupted", "The next prompt came before its end.")
            self._end_run(line, OK if self.followed.is_answered else interrupted)

    def _end_run(self, line: str, outcome: Outcome, **fields: Any) -> None:
        run = self.session.run
        if run is None:
            return
        self.session.last_turn = outcome
        fields["subtype"] = _SUBTYPES.get(outcome.kind, "error")
        models = sum_of(self.session.spending.models, self.followed.usage)
        self.emitter.end_run(line, outcome, model_usage=models, **fields)
        if not self.followed.states_are_told:
            self.emitter.change_state("idle", line)

    # -- the rest ----------------------------------------------------------------------------------------------

    def cost(self, message: Message) -> None:
        """Take the total that Claude Code states when a conversation ends."""
        spending, before = self.session.spending, self.session.spending.cost_usd
        if self.followed.cost_is_mixed or self.is_subagents:
            return
        spending.take(number(message, "totalCostUSD"), stated_usage(message))
        self.followed.usage = {}
        if spending.cost_usd is not None and spending.cost_usd != before:
            paid = round(spending.cost_usd - (self.session.figures.cost_usd or 0.0), DIGITS)
            total, models = spending.cost_usd, spending.models
            self.emitter.emit("cost_updated", cost_usd=paid, total_cost_usd=total, model_usage=models)

    def attachment(self, message: Message) -> None:
        """Take what Claude Code adds to the conversation: of consequence is what the user said meanwhile."""
        added = inner(message, "attachment")
        if text(added, "type") != "queued_command" or self.is_subagents:
            return
        words, mode = prompt_text(added.get("prompt")), text(added, "commandMode")
        if mode == "task-notification" or _NOTICE.match(words):
            self._notified(words)
        elif mode == "prompt":
            self._prompt(words, added.get("prompt"), is_queued=True)

    def queue(self, message: Message) -> None:
        """Take a change of what waits to be put to the model: notices of tasks are among it."""
        words = text(message, "content") or ""
        if text(message, "operation") == "enqueue" and _NOTICE.match(words):
            self._notified(words)

    def mode(self, message: Message) -> None:
        """Take the permission mode, which is said again and again."""
        mode = text(message, "permissionMode")
        if mode is not None and mode != self.session.permission_mode and not self.is_subagents:
            self.session.permission_mode = mode
            self.emitter.emit("status_changed", source="transcript", **present(message, "permissionMode"))


def _tagged(words: str, tag: str) -> str | None:
    """Return what stands in a tag, None where there is none."""
    found = re.search(_TAG.format(tag), words, re.DOTALL)
    return None if found is None else found[1].strip()


_HANDLERS: dict[str, Callable[[_Line, Message], None]] = {
    "user": _Line.user,
    "assistant": _Line.assistant,
    "system": _Line.system,
    "cost-state": _Line.cost,
    "attachment": _Line.attachment,
    "queue-operation": _Line.queue,
    "permission-mode": _Line.mode,
}
