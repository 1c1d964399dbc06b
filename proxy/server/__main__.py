"""What ``background`` starts: a server that leaves when nobody needs it, and says everything in its log.

The lock comes first, before anything that takes long to import: of many that are started at once, those that are
not needed leave within a few milliseconds.
"""

import argparse
import sys

from proxy.server.background import take_lock


def main() -> int:
    """Serve, and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m proxy.server")
    parser.add_argument("--data-dir", required=True)
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--config")
    args = parser.parse_args()
    lock = take_lock(args.data_dir)
    if lock is None:
        return 0
    from proxy import config  # noqa: PLC0415 - see the module's docstring
    from proxy.server.run import CannotServeError, Options, serve  # noqa: PLC0415

    try:
        settings = config.load(args.config) if args.config else config.Settings()
        serve(Options(args.data_dir, args.host, args.port, settings, background=True), lock)
    except (config.ConfigurationError, CannotServeError) as error:
        sys.stderr.write(f"claude-proxy: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
