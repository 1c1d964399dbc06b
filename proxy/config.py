"""The settings model: what a configuration file may say, with units, ranges and defaults.

YAML, read from ``--config FILE``. Unknown keys are an error that names the key and the nearest known one.
"""

from __future__ import annotations

import difflib
import re
from typing import Annotated, Any, Literal

import yaml
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

_UNITS = {"": 1, "b": 1, "kb": 1000, "mb": 1000**2, "gb": 1000**3}


class ConfigurationError(Exception):
    """A configuration file cannot be read, or says something wrong; the sentence names the key."""


def _size(value: object) -> object:
    """Bytes: a number, or a number and a unit, as in ``"10MB"`` (KB, MB and GB are powers of 1000)."""
    if isinstance(value, str) and (
        match := re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kmg]?b)?\s*", value, re.IGNORECASE)
    ):
        return int(float(match[1]) * _UNITS[(match[2] or "").lower()])
    return value


def _rate(value: str) -> str:
    if not re.fullmatch(r"[1-9]\d*\s*/\s*(second|minute|hour|day)", value):
        raise ValueError(
            'must be a number of requests for a time, such as "1000/hour" (second, minute, hour, day)'
        )
    return value


Size = Annotated[int, BeforeValidator(_size), Field(gt=0)]
Seconds = Annotated[float, Field(gt=0)]
Rate = Annotated[str, AfterValidator(_rate)]


# YAML takes a bare `off` for false.
Mode = Annotated[
    Literal["observe", "enforce", "off"], BeforeValidator(lambda value: "off" if value is False else value)
]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Api(_Section):
    """The server's address and what it takes."""

    host: str = Field("127.0.0.1", min_length=1, description="Address the server listens on.")
    port: int = Field(8000, ge=0, le=65535, description="Port the server listens on; 0 picks a free one.")
    workers: int = Field(1, ge=1, le=64, description="Processes that share the port.")
    timeout: Seconds = Field(60, description="Seconds for head and body of a request.")
    max_request_size: Size = Field(10_000_000, description="Largest body of a request.")
    linger: Seconds = Field(60, description="Seconds that a background server stays after the last session.")


class Monitoring(_Section):
    """What the server keeps, and for how long."""

    max_events_per_session: int = Field(
        500_000, ge=1, description="Events of a session that the server indexes."
    )
    session_timeout: Seconds = Field(
        7200, description="Seconds after which an idle monitoring session is stopped."
    )
    cleanup_interval: Seconds = Field(3600, description="Seconds between two looks for what has expired.")
    retention_days: float | None = Field(
        None, gt=0, description="Days that a session's log is kept; none: for ever."
    )


class Validation(_Section):
    """How messages are judged."""

    mode: Mode = Field("observe", description="As `--validation`.")
    cache_schemas: bool = Field(True, description="Whether the server keeps compiled schemas.")
    max_validation_size: Size = Field(10_000_000, description="Largest `data` of a validation request.")
    concurrent_validations: int = Field(8, ge=1, description="Validations at once; further ones wait.")


class Security(_Section):
    """Who may ask the server, and how often."""

    rate_limit: Rate | None = Field(
        None, description='Requests of one client, as in "1000/hour"; none: no limit.'
    )
    enable_cors: bool = Field(False, description="Whether pages of `allowed_origins` may ask.")
    allowed_origins: tuple[str, ...] = Field((), description="Origins, as in `https://app.example`.")
    tokens: tuple[str, ...] = Field((), description="Bearer tokens.")


class Storage(_Section):
    """Where things are kept."""

    data_directory: str | None = Field(None, min_length=1, description="As `--data-dir`.")
    backup_enabled: bool = Field(False, description="Whether copies of the logs are made.")
    backup_interval: Seconds = Field(86400, description="Seconds between two copies.")


class Logging(_Section):
    """What the server says of itself."""

    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="Least level that is logged."
    )
    format: Literal["auto", "json", "console"] = Field(
        "auto", description="One JSON object a line, or text; `auto`: text on a terminal, else JSON."
    )


class Alerts(_Section):
    """Whom the server tells."""

    webhook_url: str | None = Field(None, pattern=r"^https?://", description="Where alerts are posted.")


class Settings(_Section):
    """A whole configuration file."""

    api: Api = Api()
    monitoring: Monitoring = Monitoring()
    validation: Validation = Validation()
    security: Security = Security()
    storage: Storage = Storage()
    logging: Logging = Logging()
    alerts: Alerts = Alerts()


def load(path: str) -> Settings:
    """Read a configuration file.

    Raises:
        ConfigurationError: it cannot be read, is not YAML, or has a wrong or unknown key.
    """
    try:
        with open(path, "rb") as file:
            content = yaml.safe_load(file)
    except OSError as error:
        raise ConfigurationError(f"cannot read the configuration {path}: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        where = getattr(error, "problem_mark", None)
        line = f", line {where.line + 1}" if where else ""
        problem = getattr(error, "problem", None) or "not text in UTF-8"
        raise ConfigurationError(f"the configuration {path} is not YAML{line}: {problem}") from None
    if content is None:
        return Settings()
    if not isinstance(content, dict):
        raise ConfigurationError(
            f"the configuration {path} must be a mapping of sections ({_listed(Settings)})"
        )
    try:
        # A section whose keys are all commented out is empty, not wrong.
        return Settings.model_validate(
            {key: {} if value is None else value for key, value in content.items()}
        )
    except ValidationError as error:
        raise ConfigurationError(f"in the configuration {path}: {_sentence(error)}") from None


def _sentence(error: ValidationError) -> str:
    """Say what is wrong with the first wrong key."""
    fault = error.errors()[0]
    path = [str(part) for part in fault["loc"]]
    name = ".".join(path)
    if fault["type"] == "extra_forbidden":
        model: type[BaseModel] = Settings
        for part in path[:-1]:
            annotation: Any = model.model_fields[part].annotation
            model = annotation
        near = difflib.get_close_matches(path[-1], model.model_fields, n=1, cutoff=0.4)
        hint = f"did you mean {'.'.join([*path[:-1], near[0]])}?" if near else f"known: {_listed(model)}"
        return f"unknown key {name}; {hint}"
    reason = fault["msg"].removeprefix("Value error, ")
    return f"{name} is {fault['input']!r}: {reason[:1].lower()}{reason[1:]}"


def _listed(model: type[BaseModel]) -> str:
    return ", ".join(model.model_fields)
