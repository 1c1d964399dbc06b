"""Tests of `proxy.server.access`."""
