"""The settings model: every key, what it takes, its default and its meaning.

To add a key: a line in its section here, its row in ``docs/configuration.md`` (a test prints the row that it wants)
and its entry in ``schemas/config.json``, which is published (then ``python schemas/generate_types.py``).
Where values come from, and which of several counts, is in ``sources``.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, get_args, get_origin

from annotated_types import Ge, Gt, Le
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    model_validator,
)
from pydantic.fields import FieldInfo

if TYPE_CHECKING:
    from collections.abc import Iterator

_UNITS = {"": 1, "b": 1, "kb": 1000, "mb": 1000**2, "gb": 1000**3}


@dataclass(frozen=True, slots=True)
class Takes:
    """What a value of a kind looks like, in the words of documentation and errors."""

    text: str


@dataclass(frozen=True, slots=True)
class Mark:
    """Something about a kind of value that others must know."""

    name: Literal["secret", "path"]


SECRET = Mark("secret")
"""Never to be shown."""
PATH = Mark("path")
"""A relative one is relative to the file that names it."""


def _size(value: object) -> object:
    if isinstance(value, str) and (
        match := re.fullmatch(r"\s*(\d{1,15}(?:\.\d{1,9})?)\s*([kmg]?b)?\s*", value, re.IGNORECASE | re.ASCII)
    ):
        return int(float(match[1]) * _UNITS[(match[2] or "").lower()])
    return _number(value)


def _number(value: object) -> object:
    if isinstance(value, bool):  # `port: yes` is not port 1
        raise ValueError("is no number")
    return value


def _rate(value: str) -> str:
    if not re.fullmatch(r"[1-9][0-9]{0,8}\s*/\s*(second|minute|hour|day)", value):
        raise ValueError("is no rate")
    return value


def _listed(value: object) -> object:
    """Take a list also as one text: with commas, or as JSON. So the environment can give it."""
    if not isinstance(value, str):
        return value
    if value.lstrip().startswith("["):
        return json.loads(value)
    return [part.strip() for part in value.split(",") if part.strip()]


def _pattern(value: str) -> str:
    try:
        re.compile(value)
    except re.error as error:
        raise ValueError(f"is no regular expression: {error}") from error
    return value


def _one_or_several(value: object) -> object:
    """Take one expression for a list of one, and a list as JSON; an expression may hold commas and begin with `[`."""
    if not isinstance(value, str):
        return value
    try:
        listed = json.loads(value)
    except ValueError:
        return [value]
    return listed if isinstance(listed, list) else [value]


def _origin(value: str) -> str:
    if not re.fullmatch(r"https?://([a-z0-9.-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?", value.lower(), re.ASCII):
        raise ValueError("is no origin")
    return value.lower()


def _host_name(value: str) -> str:
    if not re.fullmatch(r"[a-z0-9_.-]{1,253}", value.lower(), re.ASCII):
        raise ValueError("is no name of a host")
    return value.lower()


def _token(value: str) -> str:
    if not re.fullmatch(r"[!-~]{1,512}", value):
        raise ValueError("is no token")
    return value


def _never(value: object) -> object:
    """Take ``false`` for none: so every kind of alert is switched off in the same way."""
    return None if value is False or value == "false" else value


Whole = Annotated[int, BeforeValidator(_number), Takes("a whole number")]
Number = Annotated[float, BeforeValidator(_number), Takes("a number")]
Size = Annotated[
    int,
    BeforeValidator(_size),
    Field(gt=0, le=10**15),
    Takes('bytes: a number, or one with KB, MB or GB, as in `"10MB"`'),
]
Seconds = Annotated[float, BeforeValidator(_number), Field(gt=0, le=315_360_000), Takes("seconds")]
Days = Annotated[float, BeforeValidator(_number), Field(gt=0, le=36_500), Takes("days")]
Rate = Annotated[
    str,
    AfterValidator(_rate),
    Takes('requests for a time (second, minute, hour or day), as in `"1000/hour"`'),
]
Path = Annotated[str, Field(min_length=1), PATH, Takes("a path")]
Url = Annotated[
    str,
    Field(pattern=r"^https?://[!-~]+$", max_length=4096),
    SECRET,
    Takes("a URL with http:// or https://"),
]
Origins = Annotated[
    tuple[Annotated[str, AfterValidator(_origin)], ...],
    BeforeValidator(_listed),
    Takes("a list of origins, each a scheme, a host and perhaps a port, as in `https://app.example`"),
]
HostNames = Annotated[
    tuple[Annotated[str, AfterValidator(_host_name)], ...],
    BeforeValidator(_listed),
    Takes("a list of host names, as in `proxy.example`"),
]
Tokens = Annotated[
    tuple[Annotated[str, AfterValidator(_token)], ...],
    BeforeValidator(_listed),
    SECRET,
    Takes("a list of tokens, or of their hashes as `sha256:...`"),
]


Redact = Annotated[
    Literal["on", "strict", "off"],
    BeforeValidator(lambda value: {True: "on", False: "off"}[value] if isinstance(value, bool) else value),
]
Patterns = Annotated[
    tuple[Annotated[str, AfterValidator(_pattern)], ...],
    BeforeValidator(_one_or_several),
    Takes("a list of regular expressions"),
]
FieldNames = Annotated[
    tuple[Annotated[str, Field(min_length=1)], ...],
    BeforeValidator(_listed),
    Takes("a list of names"),
]


Wait = Annotated[Seconds | None, BeforeValidator(_never)]


# YAML takes bare `on` and `off` for true and false.
Mode = Annotated[
    Literal["observe", "enforce", "off"], BeforeValidator(lambda value: "off" if value is False else value)
]
Level = Annotated[
    Literal["DEBUG", "INFO", "WARNING", "ERROR"],
    BeforeValidator(lambda value: value.upper() if isinstance(value, str) else value),
]


class Section(BaseModel):
    """A section of the configuration: its keys, nothing else."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, hide_input_in_errors=True)


class Api(Section):
    """The server's address and what it takes."""

    host: str = Field("127.0.0.1", min_length=1, max_length=253, description="Address the server listens on.")
    port: Whole = Field(8000, ge=0, le=65535, description="Port the server listens on; 0 picks a free one.")
    workers: Whole = Field(
        1,
        ge=1,
        le=64,
        description="Processes beside the server for what is processor-bound: large validations and analyses.",
    )
    timeout: Seconds = Field(
        60,
        description="Time for head and body of a request to arrive, and for a first request on a connection.",
    )
    max_request_size: Size = Field(10_000_000, description="Largest body of a request.")
    max_connections: Whole = Field(
        10_000,
        ge=1,
        le=1_000_000,
        description="Connections that the server holds, and no more than half of the files that it may open;"
        " further ones get 503.",
    )
    linger: Seconds = Field(
        60,
        description="How long a background server stays after the last session has ended and nobody listens.",
    )


class Monitoring(Section):
    """What the server keeps, and for how long."""

    max_events_per_session: Whole = Field(
        500_000, ge=1, le=10**12, description="Events of a session that the server indexes."
    )
    session_timeout: Seconds = Field(
        7200, description="Time without an event after which a monitoring session is stopped."
    )
    cleanup_interval: Seconds = Field(3600, description="Time between two looks for what has expired.")
    retention_days: Days | None = Field(
        None, description="How long a session is kept after it was last written to; none: for ever."
    )


class Validation(Section):
    """How messages are judged."""

    mode: Mode = Field("observe", description="As `--validation`.")
    cache_schemas: bool = Field(
        True,
        description="Whether the server keeps compiled schemas, or reads and compiles them for each request.",
    )
    max_validation_size: Size = Field(10_000_000, description="Largest `data` of a validation request.")
    concurrent_validations: Whole = Field(
        8, ge=1, le=1024, description="Large validations at once; further ones wait."
    )


class Security(Section):
    """Who may ask the server, and how often."""

    rate_limit: Rate | None = Field(
        None,
        description="Requests of one client (a token, or an address without one), counted from"
        " the first request of each stretch of time; none: no limit.",
    )
    enable_cors: bool = Field(False, description="Whether `allowed_origins` is in force.")
    allowed_origins: Origins = Field(
        (), description="Other origins whose pages may ask, post and listen, where `enable_cors` is `true`."
    )
    allowed_hosts: HostNames = Field(
        (),
        description="Names that requests may have in `Host`, besides addresses, `localhost` and `api.host`.",
    )
    local_access: bool = Field(True, description="Whether the same user on this machine needs no token.")
    tokens: Tokens = Field(
        (), description="Bearer tokens with all scopes, besides those of `claude-proxy token`."
    )
    tls_certificate: Path | None = Field(
        None, description="Certificate chain in PEM: the server speaks HTTPS; read again when it changes."
    )
    tls_key: Path | None = Field(
        None, description="The certificate's private key in PEM, without a password."
    )

    @property
    def cors_origins(self) -> tuple[str, ...]:
        """Other origins whose pages may ask."""
        return self.allowed_origins if self.enable_cors else ()

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("tls_certificate and tls_key go together")
        if self.enable_cors and not self.allowed_origins:
            raise ValueError("enable_cors is true, and allowed_origins names none")
        return self


class Storage(Section):
    """Where things are kept."""

    data_directory: Path | None = Field(None, description="As `--data-dir`.")
    max_total_size: Size | None = Field(
        None, description="Largest size of all logs together: beyond, the oldest sessions go; none: no limit."
    )
    min_free_space: Size = Field(
        1_000_000_000,
        description="Free disk space below which the server is degraded and makes no copies; nor, below 100 MB,"
        " an index.",
    )
    backup_enabled: bool = Field(False, description="Whether copies of the logs are made.")
    backup_interval: Seconds = Field(86400, description="Time between two copies.")
    backups_kept: Whole = Field(
        7, ge=1, le=100_000, description="Copies that are kept: beyond, the oldest go."
    )


class Logging(Section):
    """What the server says of itself."""

    level: Level = Field("INFO", description="Least level that is logged.")
    format: Literal["auto", "json", "console"] = Field(
        "auto", description="One JSON object a line, or text; `auto`: text on a terminal, else JSON."
    )


class Alerts(Section):
    """Whom the server tells."""

    webhook_url: Url | None = Field(None, description="Where alerts are posted; none: nobody is told.")
    server_error: bool = Field(
        True, description="Whether to tell of requests and jobs that a fault of ours failed."
    )
    session_failed: bool = Field(
        True, description="Whether to tell of wrappers that died, and commands that ended in a turn."
    )
    permission_wait: Wait = Field(
        300, description="Wait for a permission or another answer of the caller that is told; none: never."
    )
    model_wait: Wait = Field(
        300, description="Silence of Claude Code in the middle of a turn that is told; none: never."
    )
    tool_wait: Wait = Field(900, description="Time of a tool that is told; none: never.")
    exit_wait: Wait = Field(
        60, description="Wait for the command's exit after its only turn that is told; none: never."
    )
    invalid_messages: Annotated[Whole | None, BeforeValidator(_never)] = Field(
        1,
        ge=1,
        le=1_000_000_000,
        description="Invalid and malformed messages of a session from which on it is told; none: never.",
    )
    recording_gap: bool = Field(True, description="Whether to tell of lines that could not be recorded.")
    session_budget: Annotated[Number | None, BeforeValidator(_never)] = Field(
        None,
        gt=0,
        le=1_000_000,
        description="Cost of a session in US dollars beyond which it is told; none: never.",
    )
    disk_low: bool = Field(True, description="Whether to tell of a disk below `storage.min_free_space`.")


class Compliance(Section):
    """Checks of wrappers that clients ask the server for: they run programs."""

    enabled: bool = Field(False, description="Whether clients may have programs checked, which runs them.")
    concurrent_runs: Whole = Field(1, ge=1, le=64, description="Checks at once; further ones wait.")


class Redaction(Section):
    """What is kept out of the record."""

    mode: Redact = Field("on", description="As `--redact`.")
    patterns: Patterns = Field((), description="What is replaced too, in texts.")
    fields: FieldNames = Field((), description="Fields and variables whose values are replaced too.")


class Settings(Section):
    """A whole configuration."""

    api: Api = Api()
    monitoring: Monitoring = Monitoring()
    validation: Validation = Validation()
    redaction: Redaction = Redaction()
    security: Security = Security()
    storage: Storage = Storage()
    logging: Logging = Logging()
    alerts: Alerts = Alerts()
    compliance: Compliance = Compliance()


@dataclass(frozen=True, slots=True)
class Key:
    """One key of the configuration, as documentation, errors and ``claude-proxy config`` know it."""

    section: str
    key: str
    field: FieldInfo

    @property
    def name(self) -> str:
        """Its name with its section's: ``api.port``."""
        return f"{self.section}.{self.key}"

    @property
    def variable(self) -> str:
        """The environment variable that sets it: ``CLAUDE_PROXY_API__PORT``."""
        return f"CLAUDE_PROXY_{self.section}__{self.key}".upper()

    @property
    def takes(self) -> str:
        """What it takes, with its range, in words."""
        about = list(_about(self.field.annotation)) + self.field.metadata
        words = next((one.text for one in about if isinstance(one, Takes)), "") or _plain(
            self.field.annotation
        )
        least = next((one.ge for one in about if isinstance(one, Ge)), None)
        above = next((one.gt for one in about if isinstance(one, Gt)), None)
        most = next((one.le for one in about if isinstance(one, Le)), None)
        if least is not None:
            words += f", from {least}" + ("" if most is None else f" to {most}")
        elif above is not None:
            words += f", above {above}" + ("" if most is None else f" and at most {most}")
        return words

    @property
    def may_be_none(self) -> bool:
        """Whether it can be left without a value."""
        return type(None) in get_args(self.field.annotation)

    def is_marked(self, mark: Mark) -> bool:
        """Tell whether its values are of a marked kind."""
        return mark in (*_about(self.field.annotation), *self.field.metadata)


def _about(annotation: Any) -> Iterator[Any]:
    """Yield what is said about a type and the types in it, constraints of pydantic's fields taken apart."""
    if get_origin(annotation) is Annotated:
        for one in annotation.__metadata__:
            yield from one.metadata if isinstance(one, FieldInfo) else (one,)
    if get_origin(annotation) is not tuple:
        for part in get_args(annotation):
            yield from _about(part)


def _plain(annotation: Any) -> str:
    if annotation is bool:
        return "`true` or `false`"
    if get_origin(annotation) is Literal:
        *some, last = (f"`{value}`" for value in get_args(annotation))
        return f"{', '.join(some)} or {last}"
    return "a text"


def sections() -> dict[str, type[Section]]:
    """Return the model of each section by its name."""
    found: dict[str, type[Section]] = {}
    for name, field in Settings.model_fields.items():
        assert isinstance(field.annotation, type)
        assert issubclass(field.annotation, Section)
        found[name] = field.annotation
    return found


KEYS = {
    key.name: key
    for section, model in sections().items()
    for key in (Key(section, name, field) for name, field in model.model_fields.items())
}
"""Every key by its name."""
