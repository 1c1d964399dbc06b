"""Looking after a data directory."""
