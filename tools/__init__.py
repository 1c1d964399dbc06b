"""Commands for the maintainers of this project; no part of what is installed."""
