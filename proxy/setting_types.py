"""What the keys of the configuration take: types with their limits, the words for them, and what stands for them.

Each is an ``Annotated`` type of ``msgspec``, which holds to the limits; `kind` says the rest.
"""

import json
import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

_UNITS = {"": 1, "b": 1, "kb": 1000, "mb": 1000**2, "gb": 1000**3}


def kind(
    takes: str = "",
    *,
    parse: Callable[[Any], object] | None = None,
    also: Mapping[str, object] | None = None,
    is_secret: bool = False,
    is_path: bool = False,
) -> Meta:
    """Return what is known of a kind of value.

    ``takes``: what one looks like, in the words of documentation and errors. ``parse`` makes a value of what stands
    for it, and returns all else as it is. ``also``: the JSON Schema of what it is made of. A secret
    is never shown; a relative path is relative to the file that names it.
    """
    known = {"takes": takes, "parse": parse, "also": also, "is_secret": is_secret, "is_path": is_path}
    return Meta(extra=known)


def _size(value: object) -> object:
    if isinstance(value, str) and (
        match := re.fullmatch(r"\s*(\d{1,15}(?:\.\d{1,9})?)\s*([kmg]?b)?\s*", value, re.IGNORECASE | re.ASCII)
    ):
        return int(float(match[1]) * _UNITS[(match[2] or "").lower()])
    return value


def _listed(value: object) -> object:
    """Take a list also as one text: with commas, or as JSON. So the environment can give it."""
    if not isinstance(value, str):
        return value
    if value.lstrip().startswith("["):
        return json.loads(value)
    return [part.strip() for part in value.split(",") if part.strip()]


def _patterns(value: object) -> object:
    """Take one expression for a list of one, and a list as JSON; an expression may hold commas and begin with `[`."""
    if isinstance(value, str):
        try:
            listed = json.loads(value)
        except ValueError:
            listed = None
        value = listed if isinstance(listed, list) else [value]
    if isinstance(value, list | tuple):
        for pattern in value:
            try:
                re.compile(pattern)
            except (re.error, TypeError) as error:
                raise ValueError(f"{pattern!r} is no regular expression: {error}") from error
    return value


def _listed_in_lower_case(value: object) -> object:
    listed = _listed(value)
    if not isinstance(listed, list | tuple):
        return listed
    return [one.lower() if isinstance(one, str) else one for one in listed]


def _flag(value: object) -> object:
    """Take what YAML takes for true and false also from the environment, which has texts alone."""
    if not isinstance(value, str):
        return value
    return {"yes": True, "on": True, "no": False, "off": False}.get(value.lower(), value.lower())


def _never(value: object) -> object:
    """Take ``false`` for none: so every kind of alert is switched off in the same way."""
    return None if value is False or value == "false" else value


_TEXT: dict[str, object] = {"type": "string"}
Flag = Annotated[bool, kind("`true` or `false`", parse=_flag)]
Whole = Annotated[int, kind("a whole number")]
Number = Annotated[float, kind("a number")]
Size = Annotated[
    int,
    Meta(gt=0, le=10**15),
    kind(
        'bytes: a number, or one with KB, MB or GB, as in `"10MB"`',
        parse=_size,
        also=_TEXT | {"pattern": r"^\s*[0-9]{1,15}(\.[0-9]{1,9})?\s*([kmgKMG]?[bB])?\s*$"},
    ),
]
Seconds = Annotated[float, Meta(gt=0, le=315_360_000), kind("seconds")]
Days = Annotated[float, Meta(gt=0, le=36_500), kind("days")]
Rate = Annotated[
    str,
    Meta(pattern=r"^[1-9][0-9]{0,8}\s*/\s*(second|minute|hour|day)$(?!\n)"),
    kind('requests for a time (second, minute, hour or day), as in `"1000/hour"`'),
]
Path = Annotated[str, Meta(min_length=1), kind("a path", is_path=True)]
Url = Annotated[
    str,
    Meta(pattern=r"^https?://[!-~]+$(?!\n)", max_length=4096),
    kind("a URL with http:// or https://", is_secret=True),
]
CentreUrl = Annotated[
    str,
    Meta(pattern=r"^(https://|http://(localhost|127\.[0-9.]+|\[::1\])(:|/|$))[!-~]*$(?!\n)", max_length=4096),
    kind("a URL with https://, or with http:// on this machine"),
]
DatabaseUrl = Annotated[
    str,
    Meta(pattern=r"^postgres(ql)?://[!-~]+$(?!\n)", max_length=4096),
    kind("a URL with postgresql://", is_secret=True),
]
Secret = Annotated[str, Meta(pattern=r"^[!-~]{1,512}$(?!\n)"), kind("a token", is_secret=True)]
Origins = Annotated[
    tuple[
        Annotated[
            str,
            Meta(
                pattern=r"^[Hh][Tt][Tt][Pp][Ss]?://([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?$(?!\n)"
            ),
        ],
        ...,
    ],
    kind(
        "a list of origins, each a scheme, a host and perhaps a port, as in `https://app.example`",
        parse=_listed_in_lower_case,
        also=_TEXT,
    ),
]
HostNames = Annotated[
    tuple[Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.-]{1,253}$(?!\n)")], ...],
    kind("a list of host names, as in `proxy.example`", parse=_listed_in_lower_case, also=_TEXT),
]
Tokens = Annotated[
    tuple[Annotated[str, Meta(pattern=r"^(?!sha256:(?![0-9a-f]{64}$))[!-~]{1,512}$(?!\n)")], ...],
    kind("a list of tokens, or of their hashes as `sha256:...`", parse=_listed, also=_TEXT, is_secret=True),
]
Patterns = Annotated[tuple[str, ...], kind("a list of regular expressions", parse=_patterns, also=_TEXT)]
FieldNames = Annotated[
    tuple[Annotated[str, Meta(min_length=1)], ...], kind("a list of names", parse=_listed, also=_TEXT)
]
NEVER = kind(parse=_never)
Wait = Annotated[Seconds | None, NEVER]
# YAML takes bare `on` and `off` for true and false.
_ON_OR_OFF = kind(
    parse=lambda value: {True: "on", False: "off"}[value] if isinstance(value, bool) else value,
    also={"type": "boolean"},
)
Redact = Annotated[Literal["on", "strict", "off"], _ON_OR_OFF]
OnOff = Annotated[Literal["on", "off"], _ON_OR_OFF]
_OFF = kind(parse=lambda value: "off" if value is False else value, also={"const": False})
Mode = Annotated[Literal["observe", "enforce", "off"], _OFF]
Interactive = Annotated[Literal["record", "status", "off"], _OFF]
Level = Annotated[
    Literal["DEBUG", "INFO", "WARNING", "ERROR"],
    kind(
        parse=lambda value: value.upper() if isinstance(value, str) else value,
        also={"enum": ["debug", "info", "warning", "error"]},
    ),
]


class Section(msgspec.Struct, frozen=True, kw_only=True):
    """A section of the configuration: its keys, nothing else.

    Where some of them do not go together, `__post_init__` raises ValueError.
    """
