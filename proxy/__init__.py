"""claude-proxy: stands in place of the ``claude`` binary, relays unchanged, judges and records."""

__version__ = "0.1.0"
