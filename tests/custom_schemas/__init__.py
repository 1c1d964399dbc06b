"""Schemas that users bring."""
