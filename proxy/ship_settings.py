"""Where a machine sends what it records: the sections ``ship`` and ``otlp`` of the configuration."""

from typing import Literal

from proxy.setting_types import CentreUrl, Days, Flag, Patterns, Seconds, Secret, Section, Size, Url


class Ship(Section, frozen=True):
    """Where to what is recorded is sent, and what of it."""

    to: CentreUrl | None = None
    """The centre to which everything is sent that is recorded; none: it stays here."""
    token: Secret | None = None
    """Token for it, of the scope `push`."""
    content: Literal["full", "texts_removed", "figures"] = "full"
    """What leaves: everything; without what people and models wrote; or what sessions cost, and how they ended."""
    redact: Patterns = ()
    """What is replaced too, before it leaves, in texts; known credentials are anyway."""
    gather: Seconds = 0.25
    """Time for which records are gathered to be sent together."""
    piece: Size = 256_000
    """About how much is sent at once."""
    rate: Size | None = None
    """Most bytes sent in a second; none: no limit."""
    keep: Days = 7
    """Least time for which a log is kept after it was last written to, so that a centre that was restored to an
    older state gets it again. One that is not acknowledged is kept longer: see `storage.max_total_size`."""
    linger: Seconds = 600
    """How long a background server stays for what is not sent yet while the centre is away."""

    def __post_init__(self) -> None:
        if self.to is None and self.token is not None:
            raise ValueError("token is given, and to names no centre")


class Otlp(Section, frozen=True):
    """Traces and metrics for OpenTelemetry."""

    endpoint: Url | None = None
    """Where traces and metrics are sent over OTLP/HTTP, without `/v1/traces`; none: as
    `OTEL_EXPORTER_OTLP_ENDPOINT` says, else nowhere."""
    content: Flag = False
    """Whether prompts, answers, and what tools take and give are sent, too."""
