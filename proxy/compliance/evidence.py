"""What was seen in one run of a scenario: by the caller on one side of the wrapper, by the stand-in on the other."""

import msgspec

from proxy.compliance.processes import Found


class Seen(msgspec.Struct):
    """What the stand-in saw, as its journal tells it."""

    started: bool = False
    """Whether it ran as a session; `--version` is answered without one."""
    arguments: list[str] = []
    environment: dict[str, str] = {}
    directory: str = ""
    stdin: bytes = b""
    input_ended: bool = False
    signals: dict[str, int] = {}
    stdout: bytes = b""
    """What it wrote."""
    stderr: bytes = b""


class Evidence(msgspec.Struct):
    """What the caller saw and did."""

    arguments: list[str]
    environment: dict[str, str]
    directory: str
    stdout: bytes = b""
    stderr: bytes = b""
    sent: bytes = b""
    """What the caller wrote, whether the wrapper took it or not."""
    status: int | None = None
    """The exit status, negative for death by a signal; None: it did not end in time, and was killed."""
    stuck: str | None = None
    """The step of the caller at which it went no further, and what was there instead."""
    left: list[Found] = []
    """Processes that lived on."""
    seen: Seen | None = None
    """None: it is the real `claude`, which keeps no journal."""
