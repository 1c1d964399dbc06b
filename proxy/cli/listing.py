"""Lists of sessions for people: what was recorded, and what is running now."""

import os
from datetime import UTC, datetime
from typing import Any

from rich.text import Text

from proxy.cli.columns import Column, table
from proxy.cli.terminal import Output, folded, one_line, print_lines, printable
from proxy.events.formatting import format_dollars, format_duration, quantity

_STYLES = {"ended": "dim", "failed": "bold red", "executing": "bold green", "waiting": "bold yellow"}
_MORE = {"suspended": "suspended", "background": "a shell runs in the background"}
_COLUMNS = (
    Column("session", right=False),
    Column("state", right=False),
    Column("", 5, right=False),
    Column("duration", 4),
    Column("turns", 3),
    Column("cost", 6),
    Column("model", 1, right=False),
    Column("folder", 2, right=False),
    Column("about", right=False, least=24),  # else a prompt says nothing
)
_LONGEST_FOLDER = 28  # cells: the last two or three folders of a path


def print_table(console: Output, described: list[dict[str, Any]], ids: list[str], left: int) -> None:
    """Print a line for each session; ``ids``: of all there are. ``left``: as many older ones are not listed."""
    now, costs = datetime.now(UTC), [one["cost"] or 0.0 for one in described]
    short = _shortest(ids)
    rows = [
        (
            short[one["session_id"]],
            _state(one),
            Text(_ago(one["started_at"], now), style="dim"),
            format_duration(one["duration_ms"]),
            "…" if one["turns"] is None else str(one["turns"]),
            format_dollars(one["cost"], costs) if one["cost"] is not None else "",
            Text(_model(one["model"] or ""), style="dim"),
            Text(_folder(one["cwd"] or ""), style="dim"),
            Text.assemble((_problems(one), "red"), _about(one)),
        )
        for one in described
    ]
    more = [Text(f"{quantity(left, 'older session')}; -n 0 lists all", style="dim")] if left else []
    print_lines(console, [*table(_COLUMNS, rows, console.width), *more])


def _state(one: dict[str, Any]) -> Text:
    """Return what a session does, or what became of it."""
    if one["outcome"] is None:
        return Text(one["state"], style=_STYLES.get(one["state"], ""))
    return Text(one["outcome"], style="dim" if one["outcome"] == "ok" else "bold red")


def _model(name: str) -> str:
    """Return a model's name without what all have in common, and the date of its release."""
    name, _, date = printable(name).removeprefix("claude-").rpartition("-")
    return name if len(date) == 8 and date.isdecimal() else f"{name}-{date}".strip("-")


def _folder(path: str) -> str:
    """Return a folder, with ~ for the home, and of a long one the end."""
    home = os.path.expanduser("~")
    if path == home or path.startswith(home + os.sep):
        path = "~" + path[len(home) :]
    path = printable(path)
    while len(path) > _LONGEST_FOLDER and os.sep in path.removeprefix("…/"):
        path = "…/" + path.removeprefix("…/").partition(os.sep)[2]
    return path


def print_running(console: Output, running: list[dict[str, Any]], ids: list[str]) -> None:
    """Print what each running session does; ``ids``: of all sessions."""
    short = _shortest(ids)
    lines = []
    for one in running:
        told = _told(short[one["session_id"]], one)
        lines += [Text(), *(piece for line in told for piece in folded(console, line, hang=4))]
    print_lines(console, lines)


def _told(session_id: str, one: dict[str, Any]) -> list[Text]:
    """Return what a session does, in a line each: itself, what it is about, what it waits for, how it may hang."""
    more = [said for name, said in _MORE.items() if one.get(name)]
    state = f"{one['state']} ({', '.join(more)})" if more else one["state"]
    if one["state_for_ms"] is not None:
        state += f" for {format_duration(one['state_for_ms'])}"
    facts = [
        f"running for {format_duration(one['duration_ms'])}",
        "" if one["turns"] is None else quantity(one["turns"], "turn"),
        format_dollars(one["cost"]) if one["cost"] is not None else "",
        str(one["model"] or ""),
        f"pid {one['pid']}" if one["pid"] else "",
    ]
    style = _STYLES.get(one["state"], "bold")
    rest = printable("".join(f", {fact}" for fact in facts if fact))
    return [
        Text.assemble((session_id, "bold"), "  ", (state, style), rest),
        Text.assemble("  ", (_problems(one), "red"), _about(one)),
        *(
            Text(f"  waits for {one_line(wait['label'], 100)}, for {format_duration(wait['for_ms'])} now")
            for wait in one["waits_for"]
        ),
        *(Text(printable(f"  {warning['message']}"), style="yellow") for warning in one["warnings"]),
    ]


def _shortest(ids: list[str]) -> dict[str, str]:
    """Return the beginning of each id that is enough to find it by: the second of its start, or more."""
    found: dict[str, str] = {}
    ordered = sorted(ids)
    for at, session_id in enumerate(ordered):
        near = [*ordered[max(0, at - 1) : at], *ordered[at + 1 : at + 2]]
        # Of characters, which is what is wanted here.
        alike = [os.path.commonprefix([session_id, other]) for other in near]  # noqa: RUF071
        common = max(map(len, alike), default=0)
        cut = session_id[: max(15, common + 1)]
        found[session_id] = cut.rstrip("-_.") if len(cut.rstrip("-_.")) > common else cut
    return found


def _ago(started_at: str | None, now: datetime) -> str:
    """Return how long ago something was, in one unit."""
    if not started_at:
        return ""
    seconds = max(0, int((now - datetime.fromisoformat(started_at)).total_seconds()))
    for unit, name in ((86_400, "d"), (3600, "h"), (60, "m")):
        if seconds >= unit:
            return f"{seconds // unit} {name} ago"
    return "just now"


def _about(one: dict[str, Any]) -> str:
    """Return what a session is called: the name that it was given, else its first prompt, else its command."""
    program, *words = one["command"] or [""]
    return one_line(one["name"] or one["prompt"] or " ".join([os.path.basename(program), *words]))


def _problems(one: dict[str, Any]) -> str:
    """Return what is wrong with a session's lines, to stand before what it is about; empty when nothing is."""
    counts = dict.fromkeys(("invalid", "malformed", "unknown"), 0)
    for verdicts in one["counts"].values():
        for verdict in counts:
            counts[verdict] += verdicts.get(verdict, 0)
    counts["lost"] = one["lost_records"]
    problems = ", ".join(f"{number} {what}" for what, number in counts.items() if number)
    return f"{problems}  " if problems else ""
