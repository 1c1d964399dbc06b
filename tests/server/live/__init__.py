"""Tests of `proxy.server.live`."""
