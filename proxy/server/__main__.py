"""What ``background`` starts: a server that leaves when nobody needs it, and says everything in its log.

The lock comes first, before anything that takes long to import: of many that are started at once, those that are
not needed leave within a few milliseconds.
"""

import argparse
import contextlib
import os
import resource
import sys

from proxy.escaping import escape_controls
from proxy.server.background import ensure_server, raise_limits, take_lock

_NEWEST = 100
"""Sessions that can have begun while a server was leaving."""


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
    # What the session that starts us was bound by is not to bind a server for all sessions.
    raise_limits(resource.RLIMIT_NOFILE, resource.RLIMIT_FSIZE, resource.RLIMIT_CPU, resource.RLIMIT_AS)
    from proxy import sources  # noqa: PLC0415 - see the module's docstring
    from proxy.server.process.run import CannotServeError, Options, serve  # noqa: PLC0415

    try:
        settings = sources.read(args.config, os.environ).settings
        left = serve(Options(args.data_dir, args.host, args.port, settings, background=True), lock)
    except (sources.ConfigurationError, CannotServeError) as error:
        sys.stderr.write(f"claude-proxy: {escape_controls(str(error))}\n")
        return 1
    if left and any_session_runs(args.data_dir):
        # It began while we were leaving, saw us, and started none.
        ensure_server(args.data_dir, args.host, args.port, args.config)
    return 0


def any_session_runs(data_dir: str) -> bool:
    """Tell whether one of the newest sessions runs."""
    from proxy.sessions import catalogue  # noqa: PLC0415
    from proxy.sessions.identity import log_path  # noqa: PLC0415

    try:
        newest = catalogue.list_logs(data_dir)[:_NEWEST]
    except OSError:
        return False  # sessions that cannot be read cannot be served either
    for session_id in newest:
        with contextlib.suppress(OSError):
            if catalogue.is_running(log_path(data_dir, session_id)):
                return True
    return False


if __name__ == "__main__":
    sys.exit(main())
