"""Tests of `proxy.shipping`, most of them with a real centre."""
