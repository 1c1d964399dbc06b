"""What the content of a store is derived by: another version of this code, and everything is derived anew.

The version is a checksum of the code itself and of the schemas, so that nobody has to remember to raise it.
"""

import os
import zlib
from collections.abc import Iterator
from functools import cache

from proxy import __version__
from proxy.protocol import library

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_CODE = ("events", "protocol", "sessions/drift.py", "sessions/reader.py", "store")
"""Below the package: what reads records, what makes events, drift and pieces of them, and how those are kept."""


@cache
def derivation_version() -> int:
    """Return a number of 31 bits, above 0, that is another one when the code or the schemas are."""
    found = zlib.crc32(__version__.encode())
    for path in (*_files(_PACKAGE, _CODE, (".py", ".sql")), *_files(library.SCHEMA_DIR, ("",), (".json",))):
        with open(path, "rb") as file:
            found = zlib.crc32(file.read(), zlib.crc32(os.path.basename(path).encode(), found))
    return found & 0x7FFFFFFF or 1


def _files(root: str, places: tuple[str, ...], suffixes: tuple[str, ...]) -> Iterator[str]:
    for place in places:
        path = os.path.join(root, place)
        if os.path.isfile(path):
            yield path
            continue
        for folder, inner, names in os.walk(path):
            inner[:] = sorted(name for name in inner if name not in ("__pycache__", "node_modules"))
            yield from (os.path.join(folder, name) for name in sorted(names) if name.endswith(suffixes))
