"""Tests of `proxy.server.work`."""
