"""Tests of what others may do to a live session."""
