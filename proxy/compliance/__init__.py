"""Checks any program that stands in for `claude`: scenarios, how they are run, and what they are worth."""
