"""Tests of the session log's writing side."""
