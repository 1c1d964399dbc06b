"""The way in of the console script: our own ``proxy``, whatever else of that name the caller's ``PYTHONPATH`` holds."""

import os
import sys

_HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, _HERE)
import proxy  # noqa: E402, F401 - from now on its modules come from where it was found

sys.path.remove(_HERE)
from proxy.cli import main  # noqa: E402

__all__ = ["main"]
