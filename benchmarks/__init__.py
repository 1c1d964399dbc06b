"""Measurements beside what a user would pick instead; never part of the tests."""
