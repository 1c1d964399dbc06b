"""The settings model: every key, what it takes, its default and its meaning.

The text below a key says what it means, in the documentation and in the published schema. To add a key: see "How to
change things" in ARCHITECTURE.md. Where values come from, and which of several counts, is in
``sources``.

The model uses ``msgspec``, not ``pydantic``: sessions wait for its import, which takes a third of the time.
"""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, NamedTuple, get_args, get_origin

import msgspec
from msgspec import Meta

from proxy import setting_types as kinds
from proxy.rule_settings import Rule, rule_of
from proxy.ship_settings import Otlp, Ship


class Api(kinds.Section, frozen=True):
    """The server's address and what it takes."""

    host: Annotated[str, Meta(min_length=1, max_length=253)] = "127.0.0.1"
    """Address the server listens on."""
    port: Annotated[kinds.Whole, Meta(ge=0, le=65535)] = 8000
    """Port the server listens on; 0 picks a free one."""
    workers: Annotated[kinds.Whole, Meta(ge=1, le=64)] = 1
    """Processes beside the server for what is processor-bound: large validations and analyses."""
    timeout: kinds.Seconds = 60
    """Time for head and body of a request to arrive, and for a first request on a connection."""
    max_request_size: kinds.Size = 10_000_000
    """Largest body of a request."""
    max_connections: Annotated[kinds.Whole, Meta(ge=1, le=1_000_000)] = 10_000
    """Connections that the server holds, and no more than half of the files that it may open; further ones get
    503."""
    linger: kinds.Seconds = 60
    """How long a background server stays after the last session has ended and nobody listens."""


class Monitoring(kinds.Section, frozen=True):
    """What the server keeps, and for how long."""

    max_events_per_session: Annotated[kinds.Whole, Meta(ge=1, le=10**12)] = 500_000
    """Events of a session that the server indexes."""
    session_timeout: kinds.Seconds = 7200
    """Time without an event after which a monitoring session is stopped."""
    cleanup_interval: kinds.Seconds = 3600
    """Time between two looks for what has expired."""
    retention_days: kinds.Days | None = None
    """How long a session is kept after it was last written to; none: for ever."""


class Validation(kinds.Section, frozen=True):
    """How messages are judged."""

    mode: kinds.Mode = "observe"
    """As `--validation`."""
    cache_schemas: kinds.Flag = True
    """Whether the server keeps compiled schemas, or reads and compiles them for each request."""
    max_validation_size: kinds.Size = 10_000_000
    """Largest `data` of a validation request."""
    concurrent_validations: Annotated[kinds.Whole, Meta(ge=1, le=1024)] = 8
    """Large validations at once; further ones wait."""


class Schemas(kinds.Section, frozen=True):
    """Schemas of your own, for validation."""

    directory: kinds.Path | None = None
    """Folder of JSON Schema files: `NAME.json` is the schema type `user/NAME`; none: there are none."""


class Security(kinds.Section, frozen=True):
    """Who may ask the server, and how often."""

    rate_limit: kinds.Rate | None = None
    """Requests of one client (a token, or an address without one), counted from the first request of each
    stretch of time; none: no limit."""
    enable_cors: kinds.Flag = False
    """Whether `allowed_origins` is in force."""
    allowed_origins: kinds.Origins = ()
    """Other origins whose pages may ask, post and listen, where `enable_cors` is `true`."""
    allowed_hosts: kinds.HostNames = ()
    """Names that requests may have in `Host`, besides addresses, `localhost` and `api.host`."""
    local_access: kinds.Flag = True
    """Whether the same user on this machine needs no token."""
    tokens: kinds.Tokens = ()
    """Bearer tokens with all scopes, besides those of `claude-proxy token`."""
    tls_certificate: kinds.Path | None = None
    """Certificate chain in PEM: the server speaks HTTPS; read again when it changes."""
    tls_key: kinds.Path | None = None
    """The certificate's private key in PEM, without a password."""

    @property
    def cors_origins(self) -> tuple[str, ...]:
        """Other origins whose pages may ask."""
        return self.allowed_origins if self.enable_cors else ()

    def __post_init__(self) -> None:
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("tls_certificate and tls_key go together")
        if self.enable_cors and not self.allowed_origins:
            raise ValueError("enable_cors is true, and allowed_origins names none")


class Storage(kinds.Section, frozen=True):
    """Where things are kept."""

    data_directory: kinds.Path | None = None
    """As `--data-dir`."""
    max_total_size: kinds.Size | None = None
    """Largest size of all logs together: beyond, the oldest sessions go; none: no limit."""
    min_free_space: kinds.Size = 1_000_000_000
    """Free disk space below which the server is degraded and makes no copies; nor, below 100 MB, an index."""
    backup_enabled: kinds.Flag = False
    """Whether copies of the logs are made."""
    backup_interval: kinds.Seconds = 86400
    """Time between two copies."""
    backups_kept: Annotated[kinds.Whole, Meta(ge=1, le=100_000)] = 7
    """Copies that are kept: beyond, the oldest go."""
    seal: kinds.OnOff = "off"
    """As `--seal`."""
    url: kinds.DatabaseUrl | None = None
    """The PostgreSQL database of a centre, to which the hosts of a fleet push; none: this machine's own sessions."""
    listen: kinds.Flag = True
    """Whether the database tells of new events at once; `false` behind a pooler in transaction mode."""

    def __post_init__(self) -> None:
        if self.url is not None and self.max_total_size is not None:
            raise ValueError("max_total_size is of logs, and url of a centre: see monitoring.retention_days")


class Seal(kinds.Section, frozen=True):
    """Where the seals of sessions go besides `seals.jsonl`."""

    send_to: kinds.Url | None = None
    """Where each line of `seals.jsonl` is posted, and the newest checkpoint of live sessions each minute; none:
    nowhere."""
    journal: kinds.Flag = False
    """Whether the same goes to the journal of systemd."""


class Logging(kinds.Section, frozen=True):
    """What the server says of itself."""

    level: kinds.Level = "INFO"
    """Least level that is logged."""
    format: Literal["auto", "json", "console"] = "auto"
    """One JSON object a line, or text; `auto`: text on a terminal, else JSON."""


class Alerts(kinds.Section, frozen=True):
    """Whom the server tells."""

    webhook_url: kinds.Url | None = None
    """Where alerts are posted; none: nobody is told."""
    server_error: kinds.Flag = True
    """Whether to tell of requests and jobs that a fault of ours failed."""
    session_failed: kinds.Flag = True
    """Whether to tell of wrappers that died, and commands that ended in a turn."""
    permission_wait: kinds.Wait = 300
    """Wait for a permission or another answer of the caller that is told; none: never."""
    model_wait: kinds.Wait = 300
    """Silence of Claude Code in the middle of a turn that is told; none: never."""
    tool_wait: kinds.Wait = 900
    """Time of a tool that is told; none: never."""
    exit_wait: kinds.Wait = 60
    """Wait for the command's exit after its only turn that is told; none: never."""
    invalid_messages: Annotated[Annotated[kinds.Whole, Meta(ge=1, le=1_000_000_000)] | None, kinds.NEVER] = 1
    """Invalid and malformed messages of a session from which on it is told; none: never."""
    recording_gap: kinds.Flag = True
    """Whether to tell of lines that could not be recorded."""
    session_budget: Annotated[Annotated[kinds.Number, Meta(gt=0, le=1_000_000)] | None, kinds.NEVER] = None
    """Cost of a session in US dollars beyond which it is told; none: never."""
    rule: kinds.Flag = True
    """Whether to tell that a rule of `rules` has fired."""
    disk_low: kinds.Flag = True
    """Whether to tell of a disk below `storage.min_free_space`."""


class Compliance(kinds.Section, frozen=True):
    """Checks of wrappers that clients ask the server for: they run programs."""

    enabled: kinds.Flag = False
    """Whether clients may have programs checked, which runs them."""
    concurrent_runs: Annotated[kinds.Whole, Meta(ge=1, le=64)] = 1
    """Checks at once; further ones wait."""


class Redaction(kinds.Section, frozen=True):
    """What is kept out of the record."""

    mode: kinds.Redact = "on"
    """As `--redact`."""
    patterns: kinds.Patterns = ()
    """What is replaced too, in texts."""
    fields: kinds.FieldNames = ()
    """Fields and variables whose values are replaced too."""


class InteractiveUse(kinds.Section, frozen=True):
    """What is recorded of an interactive `claude`."""

    mode: kinds.Interactive = "record"
    """As `--interactive`."""


class Acting(kinds.Section, frozen=True):
    """What others may do to a session."""

    grant: Literal["off", "restrain", "full"] = "off"
    """As `--act`."""
    rate: kinds.Rate = "30/minute"
    """Actions that one client of the server (a token, or an address without one) may ask for, refused ones too."""


class Rules(kinds.Section, frozen=True):
    """What is done about sessions that run away: each further key is a rule, under a name of your own."""

    mode: Literal["dry_run", "act"] = "dry_run"
    """Whether rules do what they say, or only tell what they would do."""
    ask_every: kinds.Seconds = 15
    """Time between two questions for the running cost of a turn, where a rule needs it."""
    named: Mapping[str, Rule] = {}
    """The rules, in the order of the file: of one condition the first that matches a session counts."""


class PolicyInForce(kinds.Section, frozen=True):
    """Permission rules that are in force for a session."""

    file: kinds.Path | None = None
    """As `--policy`."""
    on_failure: Literal["stop", "tell"] = "stop"
    """What becomes of a session in which the policy cannot be put in force: it is stopped before its first
    prompt, or its log says so."""


class Settings(kinds.Section, frozen=True):
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


SECTIONS: dict[str, type[kinds.Section]] = {
    field.name: field.type for field in msgspec.structs.fields(Settings)
}
"""The model of each section by its name."""
KEYS = {
    key.name: key
    for section, model in SECTIONS.items()
    for key in (Key(section, one.name, one.type, one.default) for one in msgspec.structs.fields(model))
    if key.name != "rules.named"  # these are the user's own, each under a key of its own
}
"""Every key by its name."""
