"""The server, through real requests."""
