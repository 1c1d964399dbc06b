"""Tests of `proxy.server.routes`."""
