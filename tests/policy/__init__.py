"""Tests of what permission rules say of calls."""
