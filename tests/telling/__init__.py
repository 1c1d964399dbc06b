"""Tests of the conversation that people read."""
