"""A scenario: what the stand-in does, what the caller does, and what must come of it. They are YAML files.

A file holds one scenario or a list of them; `docs/compliance.md` describes every key. Unknown keys are errors.
"""

import base64
import fnmatch
import os
import signal
from collections.abc import Iterable, Sequence
from typing import Any, Literal

import msgspec
import yaml

from proxy.nearest import nearest
from proxy.replay import script

Group = Literal["schema", "behaviour", "performance"]
GROUPS: tuple[Group, ...] = ("schema", "behaviour", "performance")
Comparison = Literal["identical", "unchanged", "complete", "ordered", "valid", "added-valid", "nothing-added"]
SESSION = ("--print", "--input-format", "stream-json", "--output-format", "stream-json", "--verbose")
_SHIPPED = os.path.join(os.path.dirname(__file__), "scenarios")


class ScenarioError(Exception):
    """A scenario cannot be used, or there is none of that name; the sentence says what to change."""


class _Strict(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A mapping whose every key is known."""


class _OneOf(_Strict):
    """A mapping with exactly one key."""

    def __post_init__(self) -> None:
        given = [name for name in self.__struct_fields__ if getattr(self, name) is not None]
        if len(given) != 1:
            known = ", ".join(self.__struct_encode_fields__)
            raise ValueError(f"one key of {known} is wanted, not {' and '.join(given) or 'none'}")

    @property
    def verb(self) -> str:
        """The one key that is given."""
        return next(name for name in self.__struct_fields__ if getattr(self, name) is not None)


class Step(_OneOf, rename={"await_": "await"}):
    """One thing that the caller does."""

    send: dict[str, Any] | None = None
    """Writes a message as a line."""
    write: str | None = None
    """Writes text as it is."""
    write_base64: str | None = None
    """Writes bytes as they are."""
    send_many: dict[str, int] | None = None
    """Writes `count` user messages of `bytes` bytes each, in one go."""
    await_: dict[str, Any] | str | None = None
    """Reads until a message has these fields, or a line holds this text."""
    await_seen: dict[str, Any] | None = None
    """Goes on until the stand-in's journal has an entry with these fields."""
    await_read: bool | None = None
    """Waits until the wrapper has read all that was written: what follows comes in a read of its own."""
    answer: dict[str, Any] | None = None
    """Answers the control request that was awaited last."""
    close: Literal["stdin", "stdout", "stderr", "all"] | None = None
    signal: str | None = None
    """Sends a signal to the wrapper alone, as the SDKs do."""
    signal_group: str | None = None
    """Sends a signal to the wrapper's whole process group, as a terminal does."""
    await_exit: bool | None = None
    """Waits until the wrapper has ended."""
    pause: float | None = None
    """Goes on reading for so many seconds."""
    rest: float | None = None
    """Reads nothing for so many seconds."""

    def __post_init__(self) -> None:
        super().__post_init__()
        name = self.signal or self.signal_group
        if name is not None and name not in signal.Signals.__members__:
            raise ValueError(f"{name!r} is no signal; write its name, such as SIGTERM")
        if self.write_base64 is not None:
            base64.b64decode(self.write_base64, validate=True)


class Expectation(_OneOf):
    """One thing that must hold afterwards."""

    stdout: Comparison | None = None
    """What the caller got, held against what the stand-in wrote."""
    stdin: Comparison | None = None
    """What the stand-in got, held against what the caller wrote."""
    stderr: Comparison | None = None
    stdout_text: str | None = None
    """The whole of what the caller got."""
    status: int | None = None
    """The exit status; a negative one is death by that signal."""
    signals: dict[str, int] | None = None
    """How often the stand-in got each signal."""
    input_ended: bool | None = None
    """The stand-in was told of the end of its input."""
    nothing_left: bool | None = None
    """No process is left."""
    same: Literal["arguments", "environment", "directory"] | None = None
    """What the stand-in was started with is what the caller started the wrapper with."""


class Measurement(_Strict):
    """What a scenario of the performance group measures, and the ratio to the bare stand-in that it allows."""

    what: Literal["start", "latency", "throughput", "memory"]
    limit: float
    """At most so many times the bare stand-in's figure; of throughput, at least this share of it."""
    runs: int = 5
    """Runs of each side, in turn; their medians count."""


class Scenario(_Strict):
    """One truth about a wrapper, and how to find out whether it holds."""

    name: str
    """`GROUP/NAME`."""
    title: str
    """The truth, as a sentence."""
    why: str
    """What goes wrong for a user where it does not hold."""
    weight: int = 1
    arguments: list[str] = msgspec.field(default_factory=lambda: list(SESSION))
    environment: dict[str, str] = msgspec.field(default_factory=dict)
    stand_in: list[Any] | dict[str, Any] = msgspec.field(default_factory=list)
    """The script of the stand-in, see `docs/replay.md`."""
    caller: list[Step] = msgspec.field(default_factory=list)
    expect: list[Expectation] = msgspec.field(default_factory=list)
    at_once: int = 1
    """So many of it run at the same time."""
    real: bool = False
    """Holds for the real `claude` as well."""
    measure: Measurement | None = None

    def __post_init__(self) -> None:
        if self.name.partition("/")[0] not in GROUPS or not self.name.partition("/")[2]:
            raise ValueError(f"the name {self.name!r} is not GROUP/NAME with a GROUP of {', '.join(GROUPS)}")
        if self.weight < 1 or self.at_once < 1:
            raise ValueError("weight and at_once are 1 or more")
        if (self.group == "performance") != (self.measure is not None):
            raise ValueError("scenarios of the performance group have `measure`, others do not")
        if self.measure is None and not self.expect and not self.caller:
            raise ValueError("neither `caller` nor `expect` says anything")
        try:
            script.parse(self.stand_in)
        except script.ScriptError as error:
            raise ValueError(f"stand_in: {error}") from None

    @property
    def group(self) -> Group:
        """The group that its score counts for."""
        return next(group for group in GROUPS if self.name.startswith(group + "/"))


_decode = msgspec.json.Decoder(Scenario).decode


def shipped() -> list[Scenario]:
    """Return the scenarios that come with the package."""
    return merged(load(_SHIPPED), ())


def load(path: str) -> list[Scenario]:
    """Return the scenarios of a file, or of all `*.yaml`, `*.yml` and `*.json` files of a folder.

    Raises:
        ScenarioError: one cannot be read or used.
    """
    if not os.path.isdir(path):
        return _load_file(path)
    try:
        names = sorted(name for name in os.listdir(path) if name.endswith((".yaml", ".yml", ".json")))
    except OSError as error:
        raise ScenarioError(f"cannot read the scenarios in {path}: {error.strerror}") from None
    if not names:
        raise ScenarioError(f"there are no scenarios in {path}: they are files *.yaml, *.yml or *.json")
    return [scenario for name in names for scenario in _load_file(os.path.join(path, name))]


def merged(first: Iterable[Scenario], then: Iterable[Scenario]) -> list[Scenario]:
    """Return both, by groups; a scenario of the second takes the place of its namesake in the first."""
    by_name = {scenario.name: scenario for scenario in first}
    by_name.update((scenario.name, scenario) for scenario in then)
    return sorted(by_name.values(), key=lambda scenario: GROUPS.index(scenario.group))


def choose(scenarios: Sequence[Scenario], patterns: Sequence[str]) -> list[Scenario]:
    """Return the scenarios whose name, with or without its group, fits one of the patterns; all without patterns.

    Raises:
        ScenarioError: a pattern fits none.
    """
    if not patterns:
        return list(scenarios)
    for pattern in patterns:
        if not any(_fits(scenario, pattern) for scenario in scenarios):
            names = [scenario.name for scenario in scenarios]
            near = nearest(pattern, [*names, *(name.partition("/")[2] for name in names)])
            meant = next((name for name in names if near and name.endswith(near)), None)
            hint = f"did you mean {meant}?" if meant else "`claude-proxy check --list` lists them"
            raise ScenarioError(f"no scenario is named {pattern!r}; {hint}")
    return [scenario for scenario in scenarios if any(_fits(scenario, pattern) for pattern in patterns)]


def instance(scenario: Scenario, number: int) -> Scenario:
    """Return the scenario as it is for one of those that run at once: ``{{n}}`` is its number."""
    text = msgspec.json.encode(scenario).replace(b"{{n}}", b"%d" % number)
    return _decode(text)


def _fits(scenario: Scenario, pattern: str) -> bool:
    group, _, name = scenario.name.partition("/")
    return any(fnmatch.fnmatchcase(word, pattern) for word in (scenario.name, name, group))


def _load_file(path: str) -> list[Scenario]:
    try:
        with open(path, "rb") as file:
            content = yaml.load(file, getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except OSError as error:
        raise ScenarioError(f"cannot read the scenario {path}: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "not text in UTF-8"
        raise ScenarioError(f"the scenario {path} is not YAML{where}: {problem}") from None
    entries = content if isinstance(content, list) else [content]
    found = []
    for number, entry in enumerate(entries, 1):
        try:
            found.append(msgspec.convert(entry, Scenario))
        except msgspec.ValidationError as error:
            name = entry.get("name") if isinstance(entry, dict) else None
            raise ScenarioError(f"in {path}, scenario {name or number}: {error}") from None
    return found
