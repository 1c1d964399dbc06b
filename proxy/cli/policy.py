"""``claude-proxy policy``: which recorded calls a policy forbids, and the smallest policy that covers what ran."""

import argparse
import sys
from collections.abc import Sequence

import yaml

from proxy.cli.arguments import add_session, add_verb, option, some_of
from proxy.cli.errors import complain
from proxy.cli.terminal import events_of, print_json, printable
from proxy.events.approved_calls import DECISIONS
from proxy.events.formatting import quantity
from proxy.policy.calls import calls_of, shown
from proxy.policy.check import KINDS, Finding, check
from proxy.policy.rules import load
from proxy.policy.suggest import suggest
from proxy.sessions import catalogue

_FORMATS = ("text", "json", "sarif", "junit")


def policy_options(parser: argparse.ArgumentParser) -> None:
    """`check` lists the recorded calls that a policy forbids; `suggest` prints the smallest list of rules that allows
    what ran. Rules have the syntax of Claude Code: see docs/policy.md.
    """
    verbs = parser.add_subparsers(metavar="check|suggest", required=True)
    checking = add_verb(verbs, "check: tell which recorded calls a policy forbids", run_check)
    add_session(checking, "+")
    smallest = add_verb(verbs, "suggest: print the smallest list of rules that allows what ran", run_suggest)
    add_session(smallest, "+")
    checking.add_argument("--policy", metavar="FILE", required=True, help="the policy, in YAML or JSON")
    option(checking, f"--format {'|'.join(_FORMATS)}: what to print", default="text", choices=_FORMATS)
    failing = f"kinds of findings that make the exit status 1: {', '.join(KINDS)} (default: deny)"
    option(checking, f"--fail-on KIND,...: {failing}", some_of(KINDS), "deny")


def run_suggest(arguments: argparse.Namespace) -> None:
    """Print a policy that allows what ran in sessions."""
    sessions = [catalogue.find(arguments.data_dir, text) for text in arguments.sessions]
    suggestion = suggest(ran.call for info in sessions for ran in calls_of(events_of(info)))
    sys.stdout.write(
        yaml.safe_dump({"permissions": {"allow": suggestion.rules}}, allow_unicode=True, width=110)
    )
    for call in suggestion.uncovered:
        complain(f"no rule covers {call.tool}: {printable(shown(call.input))}", 0)


def run_check(arguments: argparse.Namespace) -> int:
    """Check sessions by a policy; return the exit status."""
    from proxy.policy import documents  # noqa: PLC0415 - most print text

    sessions = [catalogue.find(arguments.data_dir, text) for text in arguments.sessions]
    policy, failing = load(arguments.policy), arguments.fail_on
    checked = {info.session_id: check(policy, info.session_id, events_of(info)) for info in sessions}
    findings = [finding for one in checked.values() for finding in one.findings]
    calls = {session_id: one.ran for session_id, one in checked.items()}
    tools = frozenset().union(*(one.tools for one in checked.values()))
    never = [{"rule": rule.text, "reason": reason} for rule, reason in policy.never_matching(tools or None)]
    match arguments.format:
        case "json":
            answer = {"findings": findings, "calls": sum(calls.values()), "never_matching": never}
            print_json(answer)
        case "sarif":
            logs = {info.session_id: info.path for info in sessions}
            sys.stdout.write(documents.sarif(findings, logs, failing).decode())
        case "junit":
            sys.stdout.write(documents.junit(findings, calls, failing).decode())
        case _:
            _print_lines(findings, sum(calls.values()))
    for rule in never:
        complain(f"the rule {printable(rule['rule'])} never matches: {rule['reason']}", 0)
    return int(any(finding.kind in failing for finding in findings))


def _print_lines(findings: Sequence[Finding], calls: int) -> None:
    for one in findings:
        by = one.approval or {}
        who = f", {DECISIONS.get(by.get('decision', 'none'))} by {by.get('by')}" if by else ""
        rule = f" by {one.rule}" if one.rule else ""
        said = f"{one.kind}{rule}: {one.tool or 'log'} {one.text} ({one.session_id}, record {one.seq}{who})"
        print(printable(said))
    sys.stderr.write(f"{quantity(len(findings), 'finding')} in {quantity(calls, 'call')}\n")
