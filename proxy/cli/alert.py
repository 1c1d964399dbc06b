"""``claude-proxy alert test``: whether the webhook of the configuration takes alerts."""

import argparse
import asyncio
import time

from proxy.cli.arguments import add_verb, option
from proxy.cli.errors import UsageError, complain
from proxy.cli.settings import settings_of
from proxy.cli.terminal import print_answer


def alert_options(parser: argparse.ArgumentParser) -> None:
    """Post a test alert to the webhook."""
    verbs = parser.add_subparsers(metavar="test", required=True)
    test = add_verb(verbs, "test: post an alert to alerts.webhook_url", run_test)
    test.description = "Post one alert of the kind `test` to alerts.webhook_url, and print the result."
    option(test, "--json: print JSON")


def run_test(arguments: argparse.Namespace) -> int:
    """Post an alert; return 0 when it was taken, else 1."""
    url = settings_of(arguments).alerts.webhook_url
    if url is None:
        raise UsageError("there is no webhook to test: set alerts.webhook_url in the configuration")
    error = asyncio.run(_post(url, arguments.data_dir))
    if error is not None and not arguments.json:
        return complain(f"the webhook did not take the alert: {error}")
    print_answer(arguments, {"taken": error is None, "error": error}, "The webhook took the alert.")
    return 0 if error is None else 1


async def _post(url: str, data_dir: str) -> str | None:
    from proxy.events.timestamps import format_timestamp  # noqa: PLC0415 - only this needs the HTTP library
    from proxy.server.watch.alerts import Alert  # noqa: PLC0415
    from proxy.server.watch.webhook import NotTakenError, Webhook  # noqa: PLC0415

    text = f"This is a test: alerts of claude-proxy for {data_dir} arrive here."
    try:
        async with Webhook(url) as webhook:
            await webhook.post(
                Alert("test", "test", text, timestamp=format_timestamp(time.time_ns() // 1000))
            )
    except NotTakenError as error:
        return str(error)
    return None
