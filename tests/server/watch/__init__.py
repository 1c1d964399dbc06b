"""Tests of `proxy.server.watch`."""
