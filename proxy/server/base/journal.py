"""What the server says of itself: one line for each thing that happened, named in the past tense, on stderr.

``journal.info("server.started", url=..., pid=...)``: a name, and its figures as keys. The names are a closed set, in
docs/operation.md. JSON for machines, or text for people; what libraries say through ``logging`` comes in the same
form, under the name ``library.said``.
"""

import logging
import sys
from io import StringIO
from typing import Any, Literal, TextIO

import structlog

from proxy.escaping import escape_controls

_NAME = "claude_proxy.server"

structlog.configure(
    processors=[structlog.stdlib.filter_by_level, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
    logger_factory=structlog.stdlib.LoggerFactory(),
    wrapper_class=structlog.stdlib.BoundLogger,
    cache_logger_on_first_use=True,
)

journal: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(_NAME)


def configure(
    level: str, form: Literal["auto", "json", "console"] = "auto", stream: TextIO | None = None
) -> None:
    """Begin to write to a stream (None: stderr). ``auto``: text for a terminal, JSON for everything else."""
    stream = stream or sys.stderr
    is_terminal = stream.isatty()
    shown: list[Any]
    if form == "json" or (form == "auto" and not is_terminal):
        shown = [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    else:
        shown = [
            structlog.dev.ConsoleRenderer(
                colors=is_terminal, exception_formatter=_traceback, repr_native_str=True
            )
        ]
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(foreign_pre_chain=[_of_a_library], processors=[_headed, *shown])
    )
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel("WARNING")  # of libraries we hear what is wrong
    logging.getLogger(_NAME).setLevel(level)


def _traceback(stream: TextIO, error: Any) -> None:
    """Write an error for people; it may quote what came from outside."""
    text = StringIO()
    structlog.dev.plain_traceback(text, error)
    stream.write(escape_controls(text.getvalue(), keep_lines=True))


def _of_a_library(_logger: Any, _method: str, event: Any) -> Any:
    """Give what a library says the shape of what we say."""
    return {**event, "event": "library.said", "logger": event["_record"].name, "text": event["event"]}


_stamp = structlog.processors.TimeStamper(fmt="iso", utc=True)


def _headed(logger: Any, method: str, event: Any) -> Any:
    """Put first what every line has."""
    record = event.pop("_record")
    del event["_from_structlog"]
    head = {"level": record.levelname.lower(), "event": event.pop("event")}
    return {**_stamp(logger, method, {}), **head, **event}
