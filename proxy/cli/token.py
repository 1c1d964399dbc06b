"""``claude-proxy token``: who may ask the server from elsewhere than this machine and user."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from proxy.cli.arguments import examples
from proxy.cli.errors import complain
from proxy.server.access.tokens import SCOPES, TokenError, TokenFile

if TYPE_CHECKING:
    import argparse


def token_options(parser: argparse.ArgumentParser) -> None:
    """Say what the subcommand takes."""
    parser.description = (
        "A request that does not come from this machine and user needs a token: "
        "`Authorization: Bearer TOKEN`. Tokens hold for the data directory, at once and without a restart."
    )
    parser.epilog = examples(
        "token create ci --scope read", "token create phone --scope act", "token revoke ci"
    )
    verbs = parser.add_subparsers(metavar="create|list|revoke", required=True)
    create = verbs.add_parser("create", help="make a token, and print it once")
    create.add_argument("name", metavar="NAME", help="who it is for")
    create.add_argument(
        "--scope",
        action="append",
        choices=SCOPES,
        help=(
            "read: ask and listen; write: record events of your own; act: read, and act on sessions that were"
            " started with --act after it was made (may be given several times; default: read)"
        ),
    )
    create.set_defaults(run=_create)
    listing = verbs.add_parser("list", help="list names, scopes and when they were made")
    listing.add_argument("--json", action="store_true", help="print JSON")
    listing.set_defaults(run=_list)
    revoke = verbs.add_parser("revoke", help="make a token worthless")
    revoke.add_argument("name", metavar="NAME", help="as `claude-proxy token list` says it")
    revoke.set_defaults(run=_revoke)


def _create(arguments: argparse.Namespace) -> int:
    try:
        secret = TokenFile(arguments.data_dir).create(arguments.name, arguments.scope or ["read"])
    except TokenError as error:
        return complain(error, 1, sys.stderr)
    print(secret)
    sys.stderr.write("This token is shown once, and kept as a hash only.\n")
    return 0


def _list(arguments: argparse.Namespace) -> int:
    try:
        tokens = sorted(TokenFile(arguments.data_dir).tokens().values(), key=lambda token: token.name)
    except TokenError as error:
        return complain(error, 1, sys.stderr)
    if arguments.json:
        shown = [{"name": one.name, "scopes": one.scopes, "created_at": one.created_at} for one in tokens]
        print(json.dumps({"tokens": shown}, indent=2))
        return 0
    width = max((len(token.name) for token in tokens), default=0)
    for token in tokens:
        print(f"{token.name:{width}}  {token.created_at}  {','.join(token.scopes)}")
    if not tokens:
        print("No tokens yet. Make one: claude-proxy token create NAME")
    return 0


def _revoke(arguments: argparse.Namespace) -> int:
    try:
        TokenFile(arguments.data_dir).revoke(arguments.name)
    except TokenError as error:
        return complain(error, 1, sys.stderr)
    print(f"{arguments.name} is revoked.")
    return 0
