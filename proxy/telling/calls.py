"""What tool calls and their results say: what a tool is for, with its file, command, change or plan set apart."""

import json
import os
from collections.abc import Callable, Iterable
from typing import Any, Final

from proxy.events import formatting
from proxy.events.fields import inner, items, number, text
from proxy.events.figures import CallOutcome, call_outcome
from proxy.events.session import AGENT_TOOLS
from proxy.telling.diff import Lines, line_diff
from proxy.telling.entry import Part, Tone

_BEST = ("command", "file_path", "notebook_path", "pattern", "query", "url", "path", "description", "prompt")
_SUMMARY = (*_BEST, "skill", "subject")
"""Fields of a tool's input that tell a person what the call does, the best first.

A command is better here than what it is called, which `proxy.events.formatting` prefers where there is less room."""
_LONGEST_SUMMARY = 200  # characters: more than a line of any view
_RESULT_LINES = 10
"""Of a result: as many as a reader takes in at a glance; half of them from its end, where a failure is told."""
_CALL_LINES = 14
"""Of what is written or run: enough to see what it is."""
_EXTENSIONS: Final = {
    "python": "py pyi",
    "javascript": "js mjs cjs jsx",
    "typescript": "ts mts tsx",
    "rust": "rs",
    "go": "go",
    "java": "java",
    "c": "c h",
    "cpp": "cc cpp hpp",
    "ruby": "rb",
    "bash": "sh bash zsh",
    "json": "json jsonl",
    "yaml": "yaml yml",
    "toml": "toml",
    "ini": "ini cfg",
    "sql": "sql",
    "html": "html",
    "xml": "xml svg",
    "css": "css",
    "markdown": "md",
    "lua": "lua",
    "perl": "pl",
    "docker": "Dockerfile",
    "make": "Makefile mk",
    "diff": "diff patch",
}
"""Languages as fences of Markdown name them, with the extensions and names of their files."""
_LANGUAGES: Final = {one: language for language, names in _EXTENSIONS.items() for one in names.split()}

_TONES: Final[dict[CallOutcome, Tone]] = {"completed": "faint", "failed": "bad"}
"""Of results; calls that were denied or interrupted are something to look at."""

Input = dict[str, Any]


def one_line(value: object, longest: int = _LONGEST_SUMMARY) -> str:
    """Return the beginning of a value in one line."""
    encoded = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return formatting.one_line(encoded, longest)


def call(tool: str, given: object) -> Part:
    """Return what a call says."""
    if not isinstance(given, dict):
        fields = {} if given in (None, "") else {"input": given}
        return Part("call", "tool", tool, fields=fields)
    name = next((name for name in _SUMMARY if text(given, name)), None)
    summary = "" if name is None else one_line(given[name])
    if name == "pattern" and text(given, "path"):
        summary, given = f"{summary} in {one_line(given['path'])}", {**given, "path": None}
    tell_apart, covered = _APART.get(tool, (lambda _given: {}, ()))
    fields = {
        key: value
        for key, value in given.items()
        if key not in covered and (key != name or one_line(value) != value) and value not in (None, "", False)
    }
    return Part("call", "tool", tool, summary, fields=fields, lines=_CALL_LINES, **tell_apart(given))


def result(event_type: str, data: dict[str, Any]) -> Part:
    """Return what the result of a call says."""
    outcome = call_outcome(event_type, data)
    label = "result" if outcome == "completed" else outcome
    took = number(data, "duration_ms")
    by = text(inner(data, "approval"), "by") or ""
    printed = content_text(data.get("result")).strip("\n")
    return Part(
        "result",
        label,
        text(data, "tool") or "",
        text=printed,
        form="code",
        decided="" if by in ("", "harmless") else f"by {by}",
        figures=[] if took is None else [formatting.format_duration(took)],
        tone=_TONES.get(outcome, "warn"),
        lines=_RESULT_LINES,
    )


def content_text(content: object) -> str:
    """Return the text of a message's content; blocks that are no text are named in brackets."""
    if isinstance(content, str) or content is None:
        return content or ""
    if not isinstance(content, list):
        return json.dumps(content, ensure_ascii=False, indent=2, default=str)
    return "\n".join(map(_block, content))


def _block(block: object) -> str:
    if not isinstance(block, dict):
        return block if isinstance(block, str) else one_line(block)
    return str(block.get("text")) if block.get("type") == "text" else f"[{block.get('type') or 'block'}]"


# -- tools whose input is more than fields ---------------------------------------------------------------------


def _code(code: object, language: str) -> dict[str, Any]:
    return {"text": code, "form": "code", "language": language} if isinstance(code, str) else {}


def _prose(words: object) -> dict[str, Any]:
    return {"text": words, "form": "markdown"} if isinstance(words, str) else {}


def _language(given: Input) -> str:
    name = os.path.basename(text(given, "file_path") or "")
    return _LANGUAGES.get(name) or _LANGUAGES.get(name.rpartition(".")[2].lower(), "")


def _command(given: Input) -> dict[str, Any]:
    command = text(given, "command") or ""
    return {} if one_line(command) == command else _code(command, "bash")


def _changes(given: Input, edits: Iterable[Input]) -> dict[str, Any]:
    diff: Lines = []
    for edit in edits:
        diff += [("@", "")] if diff else []
        diff += line_diff(text(edit, "old_string") or "", text(edit, "new_string") or "")
    return {"diff": diff, "language": _language(given)}


def _notebook(given: Input) -> dict[str, Any]:
    return _code(given.get("new_source"), "markdown" if given.get("cell_type") == "markdown" else "python")


def _todos(given: Input) -> dict[str, Any]:
    marks = {"completed": "☑", "in_progress": "▶"}
    todos = [(str(one.get("status")), one.get("content")) for one in items(given, "todos")]
    return {"text": "\n".join(f"{marks.get(status, '☐')} {what}" for status, what in todos)}


def _questions(given: Input) -> dict[str, Any]:
    lines = []
    for one in items(given, "questions"):
        lines += [str(one.get("question")), *(f"- {option.get('label')}" for option in items(one, "options"))]
    return _prose("\n".join(lines))


_APART: Final[dict[str, tuple[Callable[[Input], dict[str, Any]], tuple[str, ...]]]] = {
    "Bash": (_command, ("command",)),
    "Read": (lambda given: {"language": _language(given)}, ("file_path",)),
    "Write": (lambda given: _code(given.get("content"), _language(given)), ("content", "file_path")),
    "Edit": (lambda given: _changes(given, [given]), ("old_string", "new_string", "file_path")),
    "MultiEdit": (lambda given: _changes(given, items(given, "edits")), ("edits", "file_path")),
    "NotebookEdit": (_notebook, ("new_source", "notebook_path")),
    **dict.fromkeys(AGENT_TOOLS, (lambda given: _prose(given.get("prompt")), ("prompt", "description"))),
    "ExitPlanMode": (lambda given: _prose(given.get("plan")), ("plan",)),
    "TodoWrite": (_todos, ("todos",)),
    "AskUserQuestion": (_questions, ("questions",)),
}
"""What is told apart of a tool's input, as arguments of a `Part`, and the fields that are told with it."""
