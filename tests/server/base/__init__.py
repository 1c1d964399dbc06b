"""Tests of `proxy.server.base`."""
