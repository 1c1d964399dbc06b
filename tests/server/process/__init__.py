"""Tests of `proxy.server.process`."""
