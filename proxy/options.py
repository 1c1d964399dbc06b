"""The wrapper's own options: the one table that the command line, the environment, the configuration and help follow.

To add one: see "How to change things" in ARCHITECTURE.md. This module is imported before the wrapped command starts, so
it imports nothing.
"""

PREFIX = "CLAUDE_PROXY_"
"""What the environment variables of claude-proxy begin with."""


class Option:
    """An option of the wrapper, which every subcommand takes too."""

    __slots__ = ("choices", "default", "help", "key", "name", "takes", "variable")

    def __init__(
        self,
        name: str,
        takes: str,
        help: str,  # noqa: A002 - the word of argparse for it
        *,
        default: str | None = None,
        key: str | None = None,
        in_environment: bool = True,
    ) -> None:
        """``takes``: how help calls its value, or all that it takes, as in ``on|off``.

        ``key``: the configuration's key for the same thing, if any. ``in_environment``: whether it has a variable.
        """
        self.name = name
        self.takes = takes
        self.help = help
        self.default = default
        self.choices = tuple(takes.split("|")) if "|" in takes else ()
        self.key = key
        self.variable = PREFIX + name.upper().replace("-", "_") if in_environment else ""


OPTIONS = {
    option.name: option
    for option in (
        Option(
            "data-dir",
            "DIR",
            "where sessions are recorded (default: the platform's state directory)",
            key="storage.data_directory",
        ),
        Option("config", "FILE", "settings in YAML"),
        Option(
            "validation",
            "observe|enforce|off",
            "observe: judge and pass on (default); enforce: hold back invalid messages to the command and answer"
            " them; off: record without verdicts",
            default="observe",
            key="validation.mode",
        ),
        Option(
            "redact",
            "on|strict|off",
            "on: keep credentials out of the record (default); strict: also what is named like a secret or looks"
            " random; off: nothing. What passes is never changed",
            default="on",
            key="redaction.mode",
        ),
        Option(
            "interactive",
            "record|status|off",
            "of an interactive claude, record states and transcript (default), only states, or nothing",
            default="record",
            key="interactive.mode",
        ),
        Option(
            "act",
            "off|restrain|full",
            "what others may do to the session: nothing (default), only stop and deny, or everything",
            default="off",
            key="acting.grant",
        ),
        Option(
            "policy",
            "FILE",
            "permission rules in force for the session, see docs/policy.md",
            key="policy.file",
        ),
        Option(
            "seal",
            "on|off",
            "on: checkpoints in the log that show later changes, see docs/seal.md (default: off)",
            default="off",
            key="storage.seal",
        ),
        Option("session-name", "NAME", "a label for the session"),
        # Without a variable: a wrapper would give its own session's id to whatever its command wraps.
        Option(
            "session-id",
            "ID",
            "the id of the session, for callers that need to know it beforehand; it must be new",
            in_environment=False,
        ),
        Option(
            "server",
            "auto|off",
            "auto: start a server for the data directory if none is running (default: auto)",
            default="auto",
        ),
        Option(
            "host", "HOST", "the server's address (default: 127.0.0.1)", default="127.0.0.1", key="api.host"
        ),
        Option(
            "port",
            "PORT",
            "the server's port; 0: any free one (default: 8000)",
            default="8000",
            key="api.port",
        ),
    )
}
"""Every option by its name."""

LISTS = ("redaction.patterns", "redaction.fields")
"""Keys of the configuration that a wrapped session needs and that are no options: lists of texts."""
TEXTS = ("policy.on_failure", "storage.url")
"""The same: single ones; the last one says that this is a centre's configuration."""

VARIABLES = frozenset(
    [
        *(option.variable for option in OPTIONS.values() if option.variable),
        *(PREFIX + name for name in ("SESSION_ID", "CLAUDE", "URL", "TOKEN", "CHECK")),
    ]
)
"""All variables that are no key of the configuration: of options, a session, ``shim``, the client and ``check``."""
