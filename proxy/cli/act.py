"""``claude-proxy act``: interrupt a live session, answer its questions, pause or stop it, through the server."""

from __future__ import annotations

import contextlib
import getpass
import os
import sys
from typing import TYPE_CHECKING, Any

import msgspec

from proxy.acting.verbs import HOW_TO_STOP, RESTRAIN, VERBS
from proxy.cli.arguments import add_session, add_verb, option
from proxy.cli.errors import FailedError, UsageError
from proxy.cli.terminal import print_answer
from proxy.escaping import escape_controls
from proxy.sessions import catalogue

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from proxy.client import Client
    from proxy.client.models import ActionAnswer, QuestionPage

_TOKEN = "CLAUDE_PROXY_TOKEN"
_WAIT_S = 10
"""Claude Code shows an interrupt within a second; what waits for a tool to end takes as long as that."""


def act_options(parser: argparse.ArgumentParser) -> None:
    """Act on a live session that was started with `--act`; see docs/acting.md.

    `allow`, `resume`, `mode` and `model` need a token that existed when the session began, from CLAUDE_PROXY_TOKEN or
    entered at the terminal.

    Examples:
        claude-proxy act latest questions
        claude-proxy act latest interrupt
        claude-proxy act latest deny REQUEST -m 'not now'
    """
    add_session(parser, note="; of a server that CLAUDE_PROXY_URL names, a whole id")
    verbs = parser.add_subparsers(metavar="ACTION", dest="verb", required=True)
    listing = add_verb(
        verbs, "questions: list the open questions, each with the tool's whole input", _list_questions
    )
    option(listing, "--json: print JSON")
    for name, verb in VERBS.items():
        one = add_verb(verbs, f"{name}: {verb.help}", _act)
        one.description = verb.help
        if "request_id" in verb.takes:
            option(one, "request_id REQUEST: the question, as `questions` lists it")
        if "value" in verb.takes:
            option(one, f"value {name.upper()}: its name")
        if name == "deny":
            one.add_argument("-m", dest="message", metavar="TEXT", help="what the model is told")
            option(one, "--stop-turn: end the turn, too")
        if name == "allow":
            option(one, "--remember: for the rest of the session")
        if name == "stop":
            one.add_argument("--how", choices=HOW_TO_STOP, help="end (default), drain or term")
        option(one, "--json: print JSON")


def _list_questions(arguments: argparse.Namespace) -> None:
    with _session(arguments, os.environ.get(_TOKEN)) as (client, session_id):
        page = client.questions(session_id)
    print_answer(arguments, page, *_told(page))


def _act(arguments: argparse.Namespace) -> int:
    token = os.environ.get(_TOKEN)
    if token is None and arguments.verb not in RESTRAIN:
        token = _asked_token(arguments.verb)
    takes = VERBS[arguments.verb].takes
    given: dict[str, Any] = {
        name: one for name in takes if (one := getattr(arguments, name, None)) not in (None, False)
    }
    with _session(arguments, token) as (client, session_id):
        told = client.act(session_id, arguments.verb, given, wait=_WAIT_S)
    print_answer(arguments, told, _sentence(arguments.verb, told))
    return 1 if told.state == "failed" else 0


@contextlib.contextmanager
def _session(arguments: argparse.Namespace, token: str | None) -> Iterator[tuple[Client, str]]:
    """Give a client of the session's server, and the session's id there. FailedError: the server did not do it."""
    from proxy.client import Client, ClientError  # noqa: PLC0415 - its libraries take long to import

    try:
        if os.environ.get("CLAUDE_PROXY_URL"):  # of another machine, whose sessions only its server knows
            client, session_id = Client(token=token), arguments.session
        else:
            session_id = catalogue.find(arguments.data_dir, arguments.session).session_id
            client = Client(data_dir=arguments.data_dir, token=token)
        with client:
            yield client, session_id
    except (ClientError, ValueError) as error:
        raise FailedError(str(error)) from None


def _asked_token(verb: str) -> str:
    """Ask for the token. It is in no file of the data directory, where the wrapped agent could read it."""
    if not sys.stdin.isatty():
        raise UsageError(f"act: {verb} needs a token with the scope `act`: give it in {_TOKEN}")
    try:
        return getpass.getpass("Token with the scope `act`: ")
    except EOFError:
        raise UsageError("act: no token was given") from None


def _sentence(verb: str, told: ActionAnswer) -> str:
    """Return what became of an action."""
    why = told.error or told.effect
    more = f" ({escape_controls(why)})" if why else ""
    if told.state == "sent":
        more = f": nothing shows its effect yet, after {_WAIT_S} s"
    return f"{verb}: {told.state}{more}"


def _told(page: QuestionPage) -> Iterator[str]:
    if not page.questions:
        yield "No question is open."
    for one in page.questions:
        held = ", held back while the session is paused" if one.held else ""
        yield escape_controls(f"{one.request_id}  {one.tool}, since {one.since}{held}")
        text = msgspec.json.format(msgspec.json.encode(one.input)).decode()
        about = [one.reason] if one.reason else []
        yield from (f"  {escape_controls(line)}" for line in (*about, *text.splitlines()))
