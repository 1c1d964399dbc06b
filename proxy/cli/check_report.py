"""A compliance report for people."""

from rich.text import Text

from proxy.cli.columns import Column, table
from proxy.cli.terminal import Output, folded, open_console, print_lines, printable
from proxy.compliance.report import Outcome, Report

_MARKS = {"passed": ("✓", "green"), "failed": ("✗", "bold red"), "skipped": ("-", "dim")}
_FIGURES = (
    Column("measured", right=False),
    Column("unit", right=False),
    *map(Column, ("stand-in alone", "behind the wrapper", "ratio", "limit")),
)
_SCORES = (Column("group", right=False), *map(Column, ("weight", "points", "of", "score")))


def print_report(report: Report) -> None:
    """Print a report on standard output."""
    console = open_console()
    figures = [
        (
            one.name.partition("/")[2],
            of.unit,
            *map("{:.4g}".format, (of.bare, of.wrapped, of.ratio, of.limit)),
        )
        for one in report.scenarios
        if (of := one.measured)
    ]
    scores = [
        (
            *map(str, (one.group, one.weight, one.points, one.of)),
            "-" if one.score is None else f"{one.score:g} %",
        )
        for one in report.groups
    ]
    against = f"the real {report.claude}" if report.claude else "the scripted stand-in"
    given = ", given as its first argument" if report.as_argument else ""
    about = (
        f"{report.wrapper or 'The bare stand-in'} against {against}{given}, {report.duration_ms / 1000:.1f} s"
    )
    verdict = Text.assemble(
        (f"{report.score:g} %", "bold green" if report.passed else "bold red"),
        f", threshold {report.threshold:g} %: {'passed' if report.passed else 'failed'}",
    )
    lines = [
        *(line for one in report.scenarios for line in _outcome(one, console)),
        Text(),
        *(table(_FIGURES, figures, console.width) if figures else []),
        *table(_SCORES, scores, console.width),
        Text(printable(about)),
        *(Text(f"Not seen on this system: {sentence}", style="dim") for sentence in report.unseen),
        verdict,
    ]
    print_lines(console, lines)


def _outcome(one: Outcome, console: Output) -> list[Text]:
    """Return the lines of a scenario: how it ended, and of each problem what was expected and what came."""
    mark, style = _MARKS[one.verdict]
    title = (one.title, "" if one.verdict == "failed" else "dim")
    lines = [Text.assemble((f"{mark} ", style), f"{one.name:34} ", title)]
    said = [
        part
        for problem in one.problems
        for part in (("expected", problem.expected, "yellow"), ("came", problem.came, "red"))
    ]
    if one.problems:
        said.append(("why", one.why, "dim"))
    for word, text, style in said:
        line = Text.assemble("    ", (f"{word:9} ", "dim"), (printable(text), style))
        lines += folded(console, line, hang=14)
    return lines
