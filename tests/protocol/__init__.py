"""Tests of the specification at work."""
