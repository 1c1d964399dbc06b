"""Tests of `proxy.api`."""
