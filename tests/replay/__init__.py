"""Tests of the room proxy/replay."""
