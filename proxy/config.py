"""The settings model: every key, what it takes, its default and its meaning.

To add a key: see "How to change things" in ARCHITECTURE.md. Where values come from, and which of several counts, is in
``sources``.

The model uses ``msgspec``, not ``pydantic``: sessions wait for its import, which takes a third of the time.
"""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, NamedTuple, get_args, get_origin

import msgspec
from msgspec import Meta

from proxy.rule_settings import Rule, rule_of
from proxy.setting_types import (
    NEVER,
    DatabaseUrl,
    Days,
    FieldNames,
    Flag,
    HostNames,
    Interactive,
    Level,
    Mode,
    Number,
    OnOff,
    Origins,
    Path,
    Patterns,
    Rate,
    Redact,
    Seconds,
    Section,
    Size,
    Tokens,
    Url,
    Wait,
    Whole,
)
from proxy.ship_settings import Otlp, Ship


class Api(Section, frozen=True):
    """The server's address and what it takes."""

    host: Annotated[str, Meta(min_length=1, max_length=253), "Address the server listens on."] = "127.0.0.1"
    port: Annotated[Whole, Meta(ge=0, le=65535), "Port the server listens on; 0 picks a free one."] = 8000
    workers: Annotated[
        Whole,
        Meta(ge=1, le=64),
        "Processes beside the server for what is processor-bound: large validations and analyses.",
    ] = 1
    timeout: Annotated[
        Seconds, "Time for head and body of a request to arrive, and for a first request on a connection."
    ] = 60
    max_request_size: Annotated[Size, "Largest body of a request."] = 10_000_000
    max_connections: Annotated[
        Whole,
        Meta(ge=1, le=1_000_000),
        "Connections that the server holds, and no more than half of the files that it may open; further ones get 503.",
    ] = 10_000
    linger: Annotated[
        Seconds, "How long a background server stays after the last session has ended and nobody listens."
    ] = 60


class Monitoring(Section, frozen=True):
    """What the server keeps, and for how long."""

    max_events_per_session: Annotated[
        Whole, Meta(ge=1, le=10**12), "Events of a session that the server indexes."
    ] = 500_000
    session_timeout: Annotated[
        Seconds, "Time without an event after which a monitoring session is stopped."
    ] = 7200
    cleanup_interval: Annotated[Seconds, "Time between two looks for what has expired."] = 3600
    retention_days: Annotated[
        Days | None, "How long a session is kept after it was last written to; none: for ever."
    ] = None


class Validation(Section, frozen=True):
    """How messages are judged."""

    mode: Annotated[Mode, "As `--validation`."] = "observe"
    cache_schemas: Annotated[
        Flag, "Whether the server keeps compiled schemas, or reads and compiles them for each request."
    ] = True
    max_validation_size: Annotated[Size, "Largest `data` of a validation request."] = 10_000_000
    concurrent_validations: Annotated[
        Whole, Meta(ge=1, le=1024), "Large validations at once; further ones wait."
    ] = 8


class Schemas(Section, frozen=True):
    """Schemas of your own, for validation."""

    directory: Annotated[
        Path | None,
        "Folder of JSON Schema files: `NAME.json` is the schema type `user/NAME`; none: there are none.",
    ] = None


class Security(Section, frozen=True):
    """Who may ask the server, and how often."""

    rate_limit: Annotated[
        Rate | None,
        "Requests of one client (a token, or an address without one), counted from the first request of each"
        " stretch of time; none: no limit.",
    ] = None
    enable_cors: Annotated[Flag, "Whether `allowed_origins` is in force."] = False
    allowed_origins: Annotated[
        Origins, "Other origins whose pages may ask, post and listen, where `enable_cors` is `true`."
    ] = ()
    allowed_hosts: Annotated[
        HostNames, "Names that requests may have in `Host`, besides addresses, `localhost` and `api.host`."
    ] = ()
    local_access: Annotated[Flag, "Whether the same user on this machine needs no token."] = True
    tokens: Annotated[Tokens, "Bearer tokens with all scopes, besides those of `claude-proxy token`."] = ()
    tls_certificate: Annotated[
        Path | None, "Certificate chain in PEM: the server speaks HTTPS; read again when it changes."
    ] = None
    tls_key: Annotated[Path | None, "The certificate's private key in PEM, without a password."] = None

    @property
    def cors_origins(self) -> tuple[str, ...]:
        """Other origins whose pages may ask."""
        return self.allowed_origins if self.enable_cors else ()

    def __post_init__(self) -> None:
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("tls_certificate and tls_key go together")
        if self.enable_cors and not self.allowed_origins:
            raise ValueError("enable_cors is true, and allowed_origins names none")


class Storage(Section, frozen=True):
    """Where things are kept."""

    data_directory: Annotated[Path | None, "As `--data-dir`."] = None
    max_total_size: Annotated[
        Size | None, "Largest size of all logs together: beyond, the oldest sessions go; none: no limit."
    ] = None
    min_free_space: Annotated[
        Size,
        "Free disk space below which the server is degraded and makes no copies; nor, below 100 MB, an index.",
    ] = 1_000_000_000
    backup_enabled: Annotated[Flag, "Whether copies of the logs are made."] = False
    backup_interval: Annotated[Seconds, "Time between two copies."] = 86400
    backups_kept: Annotated[Whole, Meta(ge=1, le=100_000), "Copies that are kept: beyond, the oldest go."] = 7
    seal: Annotated[OnOff, "As `--seal`."] = "off"
    url: Annotated[
        DatabaseUrl | None,
        "The PostgreSQL database of a centre, to which the hosts of a fleet push; none: this machine's own sessions.",
    ] = None
    listen: Annotated[
        Flag, "Whether the database tells of new events at once; `false` behind a pooler in transaction mode."
    ] = True

    def __post_init__(self) -> None:
        if self.url is not None and self.max_total_size is not None:
            raise ValueError("max_total_size is of logs, and url of a centre: see monitoring.retention_days")


class Seal(Section, frozen=True):
    """Where the seals of sessions go besides `seals.jsonl`."""

    send_to: Annotated[
        Url | None,
        "Where each line of `seals.jsonl` is posted, and the newest checkpoint of live sessions each minute; none:"
        " nowhere.",
    ] = None
    journal: Annotated[Flag, "Whether the same goes to the journal of systemd."] = False


class Logging(Section, frozen=True):
    """What the server says of itself."""

    level: Annotated[Level, "Least level that is logged."] = "INFO"
    format: Annotated[
        Literal["auto", "json", "console"],
        "One JSON object a line, or text; `auto`: text on a terminal, else JSON.",
    ] = "auto"


class Alerts(Section, frozen=True):
    """Whom the server tells."""

    webhook_url: Annotated[Url | None, "Where alerts are posted; none: nobody is told."] = None
    server_error: Annotated[Flag, "Whether to tell of requests and jobs that a fault of ours failed."] = True
    session_failed: Annotated[
        Flag, "Whether to tell of wrappers that died, and commands that ended in a turn."
    ] = True
    permission_wait: Annotated[
        Wait, "Wait for a permission or another answer of the caller that is told; none: never."
    ] = 300
    model_wait: Annotated[
        Wait, "Silence of Claude Code in the middle of a turn that is told; none: never."
    ] = 300
    tool_wait: Annotated[Wait, "Time of a tool that is told; none: never."] = 900
    exit_wait: Annotated[
        Wait, "Wait for the command's exit after its only turn that is told; none: never."
    ] = 60
    invalid_messages: Annotated[
        Annotated[Whole, Meta(ge=1, le=1_000_000_000)] | None,
        NEVER,
        "Invalid and malformed messages of a session from which on it is told; none: never.",
    ] = 1
    recording_gap: Annotated[Flag, "Whether to tell of lines that could not be recorded."] = True
    session_budget: Annotated[
        Annotated[Number, Meta(gt=0, le=1_000_000)] | None,
        NEVER,
        "Cost of a session in US dollars beyond which it is told; none: never.",
    ] = None
    rule: Annotated[Flag, "Whether to tell that a rule of `rules` has fired."] = True
    disk_low: Annotated[Flag, "Whether to tell of a disk below `storage.min_free_space`."] = True


class Compliance(Section, frozen=True):
    """Checks of wrappers that clients ask the server for: they run programs."""

    enabled: Annotated[Flag, "Whether clients may have programs checked, which runs them."] = False
    concurrent_runs: Annotated[Whole, Meta(ge=1, le=64), "Checks at once; further ones wait."] = 1


class Redaction(Section, frozen=True):
    """What is kept out of the record."""

    mode: Annotated[Redact, "As `--redact`."] = "on"
    patterns: Annotated[Patterns, "What is replaced too, in texts."] = ()
    fields: Annotated[FieldNames, "Fields and variables whose values are replaced too."] = ()


class InteractiveUse(Section, frozen=True):
    """What is recorded of an interactive `claude`."""

    mode: Annotated[Interactive, "As `--interactive`."] = "record"


class Acting(Section, frozen=True):
    """What others may do to a session."""

    grant: Annotated[Literal["off", "restrain", "full"], "As `--act`."] = "off"
    rate: Annotated[
        Rate,
        "Actions that one client of the server (a token, or an address without one) may ask for, refused ones too.",
    ] = "30/minute"


class Rules(Section, frozen=True):
    """What is done about sessions that run away: each further key is a rule, under a name of your own."""

    mode: Annotated[
        Literal["dry_run", "act"], "Whether rules do what they say, or only tell what they would do."
    ] = "dry_run"
    ask_every: Annotated[
        Seconds, "Time between two questions for the running cost of a turn, where a rule needs it."
    ] = 15
    named: Mapping[str, Rule] = {}
    """The rules, in the order of the file: of one condition the first that matches a session counts."""


class PolicyInForce(Section, frozen=True):
    """Permission rules that are in force for a session."""

    file: Annotated[Path | None, "As `--policy`."] = None
    on_failure: Annotated[
        Literal["stop", "tell"],
        "What becomes of a session in which the policy cannot be put in force: it is stopped before its first"
        " prompt, or its log says so.",
    ] = "stop"


class Settings(Section, frozen=True):
    """A whole configuration."""

    api: Api = Api()
    monitoring: Monitoring = Monitoring()
    validation: Validation = Validation()
    schemas: Schemas = Schemas()
    redaction: Redaction = Redaction()
    interactive: InteractiveUse = InteractiveUse()
    acting: Acting = Acting()
    rules: Rules = Rules()
    policy: PolicyInForce = PolicyInForce()
    security: Security = Security()
    storage: Storage = Storage()
    seal: Seal = Seal()
    ship: Ship = Ship()
    otlp: Otlp = Otlp()
    logging: Logging = Logging()
    alerts: Alerts = Alerts()
    compliance: Compliance = Compliance()


class InvalidSettingsError(ValueError):
    """Some values are wrong; ``faults`` holds a sentence for each key, or for a section whose keys contradict."""

    def __init__(self, faults: dict[str, str]) -> None:
        self.faults = faults
        super().__init__("; ".join(f"{name}: {sentence}" for name, sentence in faults.items()))


def settings_of(content: Mapping[str, Mapping[str, object]]) -> Settings:
    """Return the settings that these sections give; what they do not name has its default.

    Raises:
        InvalidSettingsError: a key is unknown, or its value is not what it takes.
    """
    faults: dict[str, str] = {}
    sections: dict[str, Any] = {}
    for section, given in content.items():
        values: dict[str, Any] = {}
        for key, value in given.items():
            name = f"{section}.{key}"
            try:
                if name in KEYS:
                    values[key] = KEYS[name].taken(value)
                elif section == "rules":
                    values.setdefault("named", {})[key] = rule_of(value)
                else:
                    faults[name] = "is no key"
            except ValueError as error:
                faults[name] = str(error)
        try:
            sections[section] = SECTIONS[section](**values)
        except ValueError as error:
            faults[section] = str(error)
    if faults:
        raise InvalidSettingsError(faults)
    return Settings(**sections)


class Key(NamedTuple):
    """One key of the configuration, as documentation, errors and ``claude-proxy config`` know it."""

    section: str
    key: str
    type: Any
    default: Any

    @property
    def name(self) -> str:
        """Its name with its section's: ``api.port``."""
        return f"{self.section}.{self.key}"

    @property
    def variable(self) -> str:
        """The environment variable that sets it: ``CLAUDE_PROXY_API__PORT``."""
        return f"CLAUDE_PROXY_{self.section}__{self.key}".upper()

    @property
    def description(self) -> str:
        """What it means, in a sentence or two."""
        return next(one for one in self.type.__metadata__ if isinstance(one, str))

    @property
    def takes(self) -> str:
        """What it takes, with its range, in words."""
        words = self._known("takes") or _plain(self.type)
        least, above, most = (
            next((limit for meta in self._about if (limit := getattr(meta, name)) is not None), None)
            for name in ("ge", "gt", "le")
        )
        if least is not None:
            words += f", from {least}" + ("" if most is None else f" to {most}")
        elif above is not None:
            words += f", above {above}" + ("" if most is None else f" and at most {most}")
        return words

    @property
    def may_be_none(self) -> bool:
        """Whether it can be left without a value."""
        return type(None) in _types(self.type)

    @property
    def is_secret(self) -> bool:
        """Whether its value is never to be shown."""
        return bool(self._known("is_secret"))

    @property
    def is_path(self) -> bool:
        """Whether it is a path; a relative one is relative to the file that names it."""
        return bool(self._known("is_path"))

    @property
    def also(self) -> Mapping[str, object] | None:
        """The JSON Schema of what it takes besides what it is."""
        also: Mapping[str, object] | None = self._known("also")
        return also

    def taken(self, value: object) -> Any:
        """Return what a given value means. ValueError: it is not taken."""
        for meta in self._about:
            if meta.extra and meta.extra["parse"]:
                value = meta.extra["parse"](value)
        return msgspec.convert(value, self.type, strict=False)

    @property
    def _about(self) -> list[Meta]:
        return list(_metas(self.type))

    def _known(self, what: str) -> Any:
        return next((meta.extra[what] for meta in self._about if meta.extra and meta.extra[what]), None)


def _metas(annotation: Any) -> Iterator[Meta]:
    """Yield what is said about a type and the types in it, but for those of a list's items."""
    if get_origin(annotation) is Annotated:
        yield from (one for one in annotation.__metadata__ if isinstance(one, Meta))
        annotation = annotation.__origin__
    if get_origin(annotation) not in (tuple, Literal):
        for part in get_args(annotation):
            yield from _metas(part)


def _types(annotation: Any) -> tuple[Any, ...]:
    while get_origin(annotation) is Annotated:
        annotation = annotation.__origin__
    return get_args(annotation) or (annotation,)


def _plain(annotation: Any) -> str:
    types = _types(annotation)
    if types == (str,):
        return "a text"
    *some, last = (f"`{value}`" for value in types)
    return f"{', '.join(some)} or {last}"


SECTIONS: dict[str, type[Section]] = {field.name: field.type for field in msgspec.structs.fields(Settings)}
"""The model of each section by its name."""
KEYS = {
    key.name: key
    for section, model in SECTIONS.items()
    for key in (Key(section, one.name, one.type, one.default) for one in msgspec.structs.fields(model))
    if get_origin(key.type) is Annotated  # a field that is not has no key of its own: the user's rules
}
"""Every key by its name."""
