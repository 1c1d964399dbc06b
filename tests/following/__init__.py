"""The recorder beside an interactive ``claude``."""
