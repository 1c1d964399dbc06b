"""A compliance report for people."""

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from proxy.cli.terminal import printable
from proxy.compliance.report import Outcome, Report

_MARKS = {"passed": ("✓", "green"), "failed": ("✗", "bold red"), "skipped": ("-", "dim")}


def print_report(report: Report) -> None:
    """Print a report on standard output."""
    console = Console(highlight=False)
    for one in report.scenarios:
        _print_outcome(one, console)
    console.print()
    if any(one.measured for one in report.scenarios):
        console.print(_figures(report))
    console.print(_scores(report))
    against = f"the real {report.claude}" if report.claude else "the scripted stand-in"
    given = ", given as its first argument" if report.as_argument else ""
    console.print(
        Text(
            printable(
                f"{report.wrapper or 'The bare stand-in'} against {against}{given}, {report.duration_ms / 1000:.1f} s"
            )
        )
    )
    for sentence in report.unseen:
        console.print(Text(f"Not seen on this system: {sentence}", style="dim"))
    verdict = Text.assemble(
        (f"{report.score:g} %", "bold green" if report.passed else "bold red"),
        f", threshold {report.threshold:g} %: {'passed' if report.passed else 'failed'}",
    )
    console.print(verdict)


def _print_outcome(one: Outcome, console: Console) -> None:
    mark, style = _MARKS[one.verdict]
    line = Text.assemble(
        (f"{mark} ", style), f"{one.name:34} ", (one.title, "" if one.verdict == "failed" else "dim")
    )
    console.print(line, soft_wrap=not console.is_terminal)
    for problem in one.problems:
        _print_part("expected", problem.expected, "yellow", console)
        _print_part("came", problem.came, "red", console)
    if one.problems:
        _print_part("why", one.why, "dim", console)


def _print_part(word: str, text: str, style: str, console: Console) -> None:
    if not console.is_terminal:  # a line stays a line
        console.print(f"    {word:9} {printable(text)}", markup=False, soft_wrap=True)
        return
    table = Table.grid(padding=(0, 1))
    table.add_column(width=9, style="dim")
    table.add_column(overflow="fold", style=style)
    table.add_row(word, Text(printable(text)))
    console.print(Padding(table, (0, 0, 0, 4)))


def _figures(report: Report) -> Table:
    table = Table("measured", "unit", box=None, padding=(0, 2, 0, 0))
    for name in ("stand-in alone", "behind the wrapper", "ratio", "limit"):
        table.add_column(name, justify="right")
    for one in report.scenarios:
        if measured := one.measured:
            figures = (measured.bare, measured.wrapped, measured.ratio, measured.limit)
            table.add_row(one.name.partition("/")[2], measured.unit, *(f"{figure:.4g}" for figure in figures))
    return table


def _scores(report: Report) -> Table:
    table = Table("group", box=None, padding=(0, 2, 0, 0))
    for name in ("weight", "points", "of", "score"):
        table.add_column(name, justify="right")
    for group in report.groups:
        score = "-" if group.score is None else f"{group.score:g} %"
        table.add_row(group.group, str(group.weight), str(group.points), str(group.of), score)
    return table
