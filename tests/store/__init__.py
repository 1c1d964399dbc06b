"""The index, held to the logs."""
