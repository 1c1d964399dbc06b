"""Imports msgspec without what it imports and has no use for: two thirds of the time, and 2.7 MB of a wrapped session.

Whoever asks for one of these modules later gets the real one, as msgspec does if it wants more of one than it did.
"""

from __future__ import annotations

import _datetime  # type: ignore[import-not-found] # no types: what `datetime` is made of
import os
import sys
import types

TYPE_CHECKING = False  # `typing` is what is imported without `re` below
if TYPE_CHECKING:
    from typing import Any


class _Later(types.ModuleType):
    """Stands in for a module that is imported when something else of it is asked for than what is given."""

    def __init__(self, name: str, **given: Any) -> None:
        super().__init__(name)
        self.__dict__.update(given)

    def __getattr__(self, name: str) -> Any:
        import importlib  # noqa: PLC0415 - it imports `warnings`, and next to nobody asks

        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return getattr(importlib.import_module(self.__name__), name)


def _compile(pattern: str) -> Any:
    """Stand in for `re.compile`, which msgspec takes along for types with a pattern."""
    import re  # noqa: PLC0415 - for who makes such a type

    return re.compile(pattern)


_re = _Later("re", compile=_compile)
if sys.version_info < (3, 13):  # where `typing` has names for two of its types
    import _sre  # type: ignore[import-not-found] # as above: what `re` is made of

    _nothing = _sre.compile("", 0, [1], 0, {}, ())  # an expression that matches at once, compiled by hand
    _re.__dict__.update(Pattern=type(_nothing), Match=type(_nothing.match("")))

_STAND_INS = {
    # Where it is installed: it imports `inspect` and the tokenizer.
    "typing_extensions": None,  # not to be found
    # The same classes. Before Python 3.12 `datetime` makes them in Python first, and throws those away.
    "datetime": _datetime,
    # For types with a pattern.
    "re": _re,
    # Before Python 3.12 `uuid` asks it on which system it runs.
    "platform": _Later("platform", system=lambda: os.uname().sysname),
    # For JSON Schemas of types, which nobody makes in a session.
    "msgspec.inspect": _Later("msgspec.inspect"),
    "textwrap": _Later("textwrap"),
}


_STAND_INS_IN_A_SESSION = {
    "decimal": _Later("decimal", Decimal=type("Decimal", (), {})),
    "uuid": _Later("uuid", UUID=type("UUID", (), {}), SafeUUID=types.SimpleNamespace(unknown=None)),
}
"""For values of these types, which no session has. msgspec does not know the real ones then."""


def load(*, in_session: bool = False) -> None:
    """Import msgspec, if nobody has. ``in_session``: this process is a wrapped session and does nothing else."""
    if "msgspec" in sys.modules:
        return
    wanted = {**_STAND_INS, **(_STAND_INS_IN_A_SESSION if in_session else {})}
    stand_ins = {name: module for name, module in wanted.items() if name not in sys.modules}
    sys.modules.update(stand_ins)
    try:
        import msgspec  # noqa: F401, PLC0415 - here alone
    finally:
        for name, module in stand_ins.items():
            if sys.modules.get(name) is module:
                del sys.modules[name]
