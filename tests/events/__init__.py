"""The interpreter, held to recorded sessions."""
