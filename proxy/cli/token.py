"""``claude-proxy token``: who may ask the server from elsewhere than this machine and user."""

import argparse
import contextlib
import sys
from collections.abc import Iterator

from proxy.cli.arguments import add_verb, option
from proxy.cli.settings import settings_of
from proxy.cli.store import opened
from proxy.cli.terminal import print_answer
from proxy.escaping import escape_controls
from proxy.events.fields import known
from proxy.server.access.tokens import SCOPES, StoredTokens, TokenFile, Tokens


def token_options(parser: argparse.ArgumentParser) -> None:
    """Requests from other machines and users need a token: `Authorization: Bearer TOKEN`.

    Changes of tokens take effect at once, without a restart; with the configuration of a centre, on all of its servers
    within five seconds.

    Examples:
        claude-proxy token create ci --scope read
        claude-proxy token create phone --scope act
        claude-proxy token revoke ci
        claude-proxy --config centre.yaml token create laptops --scope push --team payments
    """
    verbs = parser.add_subparsers(metavar="create|list|revoke", required=True)
    create = add_verb(verbs, "create: make a token, and print it once", _create)
    option(create, "name NAME: its name, such as whom it is for")
    may = (
        "read: ask and listen; write: record events of your own; act: read, and act on sessions that were started with"
        " --act after it was made; push: send sessions to a centre (may be given several times; default: read)"
    )
    option(create, f"--scope {'|'.join(SCOPES)} ...: {may}", choices=SCOPES)
    option(create, "--team TEAM: of a centre: it sees this team's sessions alone, and pushes to it")
    listing = add_verb(verbs, "list: list names, scopes and when they were made", _list)
    option(listing, "--json: print JSON")
    revoke = add_verb(verbs, "revoke: revoke a token", _revoke)
    option(revoke, "name NAME: as `claude-proxy token list` prints it")


def _create(arguments: argparse.Namespace) -> None:
    with _tokens(arguments) as tokens:
        secret = tokens.create(arguments.name, arguments.scope or ["read"], arguments.team)
    print(secret)
    sys.stderr.write("This token is shown once, and kept as a hash only.\n")


def _list(arguments: argparse.Namespace) -> None:
    with _tokens(arguments) as tokens:
        found = sorted(tokens.tokens().values(), key=lambda token: token.name)
    width = max((len(token.name) for token in found), default=0)
    lines = []
    for token in found:
        team = f"  {escape_controls(token.team)}" if token.team is not None else ""
        lines.append(f"{token.name:{width}}  {token.created_at}  {','.join(token.scopes)}{team}")
    names = ("name", "scopes", "created_at", "team")
    answer = {"tokens": [known(**{name: getattr(one, name) for name in names}) for one in found]}
    print_answer(arguments, answer, *(lines or ["No tokens yet. Make one: claude-proxy token create NAME"]))


def _revoke(arguments: argparse.Namespace) -> None:
    with _tokens(arguments) as tokens:
        tokens.revoke(arguments.name)
    print(f"{arguments.name} is revoked.")


@contextlib.contextmanager
def _tokens(arguments: argparse.Namespace) -> Iterator[Tokens]:
    """Give the tokens of the data directory or, with the configuration of a centre, those of its database."""
    if settings_of(arguments).storage.url is None:
        yield TokenFile(arguments.data_dir)
        return
    with opened(arguments) as store:
        yield StoredTokens(store)
