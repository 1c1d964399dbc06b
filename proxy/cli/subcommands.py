"""The subcommands: the one list that the command line, help, completion and tests follow.

To add one: see "How to change things" in ARCHITECTURE.md. The module of a subcommand is imported when the subcommand is
called. This module is imported before the wrapped command starts, so it imports nothing.
"""

GROUPS = {
    "Read what was recorded": {
        "sessions": ("overview", "list recorded sessions, newest first"),
        "show": ("reading", "print one session for reading"),
        "tail": ("reading", "print the end of a session, and follow it"),
        "status": ("overview", "what is running now, and what each session waits for"),
        "open": ("opening", "open the page of all sessions, or of one, in a browser"),
        "analyze": ("analyze", "what a session did, where time and money went, what went wrong"),
        "approvals": ("approvals", "who or what allowed or denied each tool call"),
        "policy": (
            "policy",
            "which recorded calls a policy forbids; the smallest policy that allows what ran",
        ),
        "drift": ("drift", "what was seen that is not in the specification"),
    },
    "Act on what runs": {
        "act": ("act", "interrupt, answer, pause or stop a session that was started with --act"),
    },
    "Validate, check and replay": {
        "validate": ("validate", "judge JSON lines by a schema"),
        "check": ("check", "check a program that runs in place of claude"),
        "replay": ("replay", "run in place of claude: play a recorded session, or a script"),
        "shim": ("shim", "write DIR/claude, which wraps the real claude"),
    },
    "Run the server, and maintain the records": {
        "serve": ("serve", "run the API server in the foreground"),
        "config": ("settings", "check the settings, or show where each comes from"),
        "token": ("token", "make, list and revoke tokens for the server"),
        "alert": ("alert", "post a test alert to the webhook"),
        "verify": ("seal", "whether sealed logs are unchanged, and what they lack"),
        "seal": ("seal", "sign the log of a session"),
        "redact": ("redact", "write a copy of a session's log without credentials"),
        "export": ("export", "send a session's traces to OpenTelemetry, or write logs to a folder"),
        "prune": ("upkeep", "remove sessions that have expired"),
        "backup": ("upkeep", "make a verified copy of all sessions"),
        "restore": ("upkeep", "unpack a backup into an empty data directory"),
    },
    "Bring the sessions of many machines together": {
        "ship": ("ship", "send what is recorded to the centre of a fleet"),
        "store": ("store", "maintain the database of a centre"),
        "forget": ("store", "erase sessions from a centre"),
    },
    "Get help": {
        "help": ("manual", "print this, or how a subcommand is used"),
        "version": ("manual", "print the version"),
        "completion": ("completion", "print a completion script for bash, zsh or fish"),
    },
}
"""The subcommands by what they are for: each with the module of `proxy.cli` that has it, and what it does."""

SUBCOMMANDS = {name: about for group in GROUPS.values() for name, about in group.items()}
"""Every subcommand: a word that is not taken for a COMMAND unless ``--`` stands before it."""

READING = frozenset([*GROUPS["Read what was recorded"], "redact", "export", "backup"])
"""Those that read sessions: recorders that were killed are to be replaced before."""

LOCAL = READING - {"export", "open", "status"} | {"prune", "restore", "seal", "verify"}
"""Those that know the sessions of a data directory alone, and not those of a centre's database."""
