"""``claude-proxy serve``: run the API server of a data directory in the foreground."""

import argparse
import gc

from proxy.cli.errors import complain


def serve_options(parser: argparse.ArgumentParser) -> None:
    """Serve live status, events, validation and monitoring of the data directory's sessions over HTTP, until
    interrupted. The address is --host and --port.

    Examples:
        claude-proxy serve
        claude-proxy serve --host 0.0.0.0 --port 8443 --config server.yaml
    """


def run_serve(args: argparse.Namespace) -> int:
    """Serve, and return the exit status."""
    from proxy.server.background import take_lock  # noqa: PLC0415 - each path imports no more than it needs

    try:
        lock = take_lock(args.data_dir)
    except OSError as error:
        from proxy.events.formatting import error_message  # noqa: PLC0415 - most servers start

        return complain(f"the data directory cannot be used: {error_message(error)}")
    if lock is None:
        return complain(f"a server for {args.data_dir} runs already: `claude-proxy status` says where")
    from proxy.cli.settings import settings_of  # noqa: PLC0415
    from proxy.server.process.run import Options, serve  # noqa: PLC0415 - 300 ms that only this one needs

    gc.set_threshold(700, 10, 10)  # Python's own, which suits a process that stays
    serve(Options(args.data_dir, args.host, args.port, settings_of(args)), lock)
    return 0
