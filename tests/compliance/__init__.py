"""Tests of the check for anything that stands in for `claude`."""
