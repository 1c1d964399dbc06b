"""The real Claude Code, driven by real clients, bare and wrapped."""
