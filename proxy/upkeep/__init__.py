"""Looks after a data directory: ``retention`` removes what expires, ``backup`` copies, ``restore`` unpacks a copy."""
