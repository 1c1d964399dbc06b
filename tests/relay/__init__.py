"""Tests of the wrapper: its parts one by one, and the whole of it against injected faults."""
