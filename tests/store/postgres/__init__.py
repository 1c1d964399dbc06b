"""The store of a centre."""
