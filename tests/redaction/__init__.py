"""Tests of what keeps credentials out of the record."""
