"""``claude-proxy check``: whether a program that stands in for ``claude`` does so, for people, programs and CI."""

import argparse
import os
import signal
import sys
from typing import TYPE_CHECKING

from proxy.cli.arguments import option
from proxy.cli.errors import complain
from proxy.cli.terminal import print_json, progress
from proxy.compliance import scenario
from proxy.compliance.request import DEFAULT_JOBS, DEFAULT_PATIENCE_S, DEFAULT_THRESHOLD

if TYPE_CHECKING:
    from proxy.compliance.report import Report


def check_options(parser: argparse.ArgumentParser) -> None:
    """Run WRAPPER, any executable that stands in for `claude`, against a scripted stand-in, and report what it
    changes, loses, delays or leaves behind. The stand-in is the first `claude` on WRAPPER's PATH, its path is in
    CLAUDE_PROXY_CLAUDE, CLAUDE_CODE_EXECUTABLE, CLAUDE_PATH, CLAUDE_BIN and REAL_CLAUDE, and a WRAPPER that takes
    the original command line gets it as its first argument. Exit status 1 below the threshold, 2 if it cannot be
    checked.

    Examples:
        claude-proxy check ./my-wrapper
        claude-proxy check ./my-wrapper --junit report.xml --threshold 95
    """
    parser.usage = "claude-proxy check [OPTION...] WRAPPER [-- ARG...]"
    option(parser, "wrapper WRAPPER ?: the program; ARG are arguments of its own")
    option(parser, "--json: print the report as JSON")
    option(parser, "--junit FILE: write it as JUnit XML as well; - for standard output alone")
    option(parser, "--sarif FILE: write it as SARIF 2.1.0 as well; - for standard output alone")
    option(parser, "--scenario NAME ...: only this one, or those that match a pattern")
    option(parser, "--scenarios PATH ...: add the scenarios of a file or folder")
    option(parser, "--list: list the scenarios and run none")
    option(parser, "--threshold N: score below which it fails (default: 100)", float, DEFAULT_THRESHOLD)
    style = parser.add_mutually_exclusive_group()
    option(style, "--as-argument: claude is WRAPPER's first argument")
    option(style, "--no-argument: it is not (default: detected)")
    option(parser, "--variable NAME ...: a variable in which WRAPPER looks for claude")
    option(parser, "--claude PATH: use a real claude; scenarios that need the stand-in are skipped")
    option(parser, "--bare: check the stand-in itself, as a reference")
    option(parser, "--patience SECONDS: longest silence (default: 10)", float, DEFAULT_PATIENCE_S)
    option(parser, f"--jobs N: scenarios at a time (default: {DEFAULT_JOBS})", int, DEFAULT_JOBS)
    parser.set_defaults(arguments=[])


def run_check(arguments: argparse.Namespace) -> int:
    """Check the wrapper, print the report and return the exit status."""
    if fault := _fault(arguments):
        return complain(fault, 2)
    scenarios = scenario.shipped()
    for path in arguments.scenarios:
        scenarios = scenario.merged(scenarios, scenario.load(path))
    scenarios = scenario.choose(scenarios, arguments.scenario)
    if arguments.list:
        for one in scenarios:
            print(f"{one.name:38} {one.weight}  {one.title}")
        return 0
    if (report := _checked(arguments, scenarios)) is None:
        return 130
    for path, document in _documents(arguments, report):
        if path == "-":
            sys.stdout.buffer.write(document)
        else:
            with open(path, "wb") as file:
                file.write(document)
    if arguments.json:
        print_json(report)
    elif "-" not in (arguments.junit, arguments.sarif):
        from proxy.cli.check_report import print_report  # noqa: PLC0415 - most of what the other forms would wait for

        print_report(report)
    return 0 if report.passed else 1


def _fault(given: argparse.Namespace) -> str | None:
    """Return what is wrong with the command line."""
    faults = {
        "check takes either a WRAPPER or --bare; claude-proxy check --help says more": (
            given.bare == bool(given.wrapper) and not given.list
        ),
        f"--threshold is {given.threshold:g}; it takes a number from 0 to 100": (
            not 0 <= given.threshold <= 100
        ),
        "--patience and --jobs take a number above 0": not 0 < given.patience < 10**9 or given.jobs < 1,
        "only one of --json, --junit - and --sarif - can have standard output": (
            [given.json, given.junit == "-", given.sarif == "-"].count(True) > 1
        ),
        f"--claude is {given.claude!r}; it takes the path of a program": (
            given.claude and not os.access(given.claude, os.X_OK)
        ),
        "--bare checks the stand-in, and --claude puts another in its place; give one of them": (
            given.claude and given.bare
        ),
    }
    return next((sentence for sentence, is_so in faults.items() if is_so), None)


def _checked(arguments: argparse.Namespace, scenarios: list[scenario.Scenario]) -> "Report | None":
    """Return the report; None when the check was stopped. TargetError: the wrapper cannot be checked."""
    from proxy.compliance.processes import Orphans  # noqa: PLC0415 - `--list` does without all that runs
    from proxy.compliance.runner import CancelledError, Check  # noqa: PLC0415
    from proxy.compliance.target import Target, found  # noqa: PLC0415

    command = () if arguments.bare else found([arguments.wrapper, *arguments.arguments])
    as_argument = True if arguments.as_argument else False if arguments.no_argument else None
    with progress("checking", len(scenarios)) as advance:
        check = Check(
            Target(command, as_argument, tuple(arguments.variable)),
            scenarios,
            claude=arguments.claude and os.path.abspath(arguments.claude),
            threshold=arguments.threshold,
            jobs=arguments.jobs,
            patience_s=arguments.patience,
            on_outcome=lambda _: advance(1),
            orphans=Orphans(),
        )
        # What runs is in sessions of its own: Ctrl-C reaches this process alone, which ends the others.
        before = {
            number: signal.signal(number, lambda *_: check.cancel())
            for number in (signal.SIGINT, signal.SIGTERM)
        }
        try:
            return check.run()
        except CancelledError:
            return None
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _documents(arguments: argparse.Namespace, report: "Report") -> list[tuple[str, bytes]]:
    from proxy.compliance import documents as formats  # noqa: PLC0415 - few want a file

    documents = [(arguments.junit, formats.junit(report))] if arguments.junit else []
    if arguments.sarif:
        from proxy.compliance.target import found  # noqa: PLC0415 - as above

        program = found([arguments.wrapper])[0] if arguments.wrapper else sys.executable
        documents.append((arguments.sarif, formats.sarif(report, program)))
    return documents
