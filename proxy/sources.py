"""Where the settings come from: options, environment, a YAML file, defaults, in this order of precedence.

All sources are read, every wrong or unknown key in any of them is a fault, and nothing is used of a configuration
that has one. Our own few lines and not ``pydantic-settings``, which tells neither the line of a file nor where a
value came from, and passes over unknown names in the environment.
"""

import os
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from proxy.config import KEYS, SECTIONS, InvalidSettingsError, Key, Settings, settings_of
from proxy.nearest import nearest
from proxy.options import OPTIONS, PREFIX, VARIABLES

_KEYS_OF_OPTIONS = {option.name: option.key for option in OPTIONS.values() if option.key}
"""The keys that an option sets, by the option's name."""


class ConfigurationError(Exception):
    """The configuration cannot be read, or says something wrong; ``faults`` holds one sentence for each."""

    def __init__(self, *faults: str) -> None:
        self.faults = faults
        more = f" (and {len(faults) - 1} more: `claude-proxy config check` lists them)" if faults[1:] else ""
        super().__init__(faults[0] + more)


class Given(msgspec.Struct, frozen=True):
    """A value that somebody gave, and where."""

    value: object
    origin: str


class Configuration(msgspec.Struct, frozen=True):
    """Settings, and where each of them that has not its default came from."""

    settings: Settings
    given: Mapping[str, Given]

    def origin(self, name: str) -> str:
        """Return where a key's value came from."""
        return self.given[name].origin if name in self.given else "default"

    def value(self, name: str) -> Any:
        """Return a key's value."""
        section, _, key = name.partition(".")
        if name not in KEYS:
            return msgspec.to_builtins(self.settings.rules.named[key])
        return getattr(getattr(self.settings, section), key)


def load(path: str) -> Settings:
    """Return the settings of a file alone. ConfigurationError as by `read`."""
    return read(path, {}, {}).settings


def read(
    path: str | None, environment: Mapping[str, str], options: Mapping[str, str] | None = None
) -> Configuration:
    """Return the configuration.

    Raises:
        ConfigurationError: the file cannot be read or is not YAML, or a key is wrong or unknown.
    """
    faults: list[str] = []
    given = _from_file(path, faults) if path else {}
    given |= _from_environment(environment, faults)
    given |= {
        key: Given(value, f"--{name}")
        for name, value in (options or {}).items()
        if (key := _KEYS_OF_OPTIONS.get(name))
    }
    for name, one in list(given.items()):
        if name in KEYS and KEYS[name].is_path and isinstance(one.value, str):
            given[name] = _with_whole_path(name, one, path, faults)
    settings = _validated(given, faults)
    if faults or settings is None:
        raise ConfigurationError(*faults)
    return Configuration(settings, given)


# -- the sources -----------------------------------------------------------------------------------------------


def _from_file(path: str, faults: list[str]) -> dict[str, Given]:
    from proxy import configuration_file  # noqa: PLC0415 - most sessions have no file

    try:
        content, lines = configuration_file.read(path, faults)
    except configuration_file.UnreadableError as error:
        raise ConfigurationError(str(error)) from None
    if not isinstance(content, dict):
        raise ConfigurationError(
            f"the configuration {path} must be a mapping of sections ({', '.join(SECTIONS)})"
        )
    given: dict[str, Given] = {}
    for section, keys in content.items():
        where = f"{path}, line {lines.get((section,), 1)}"
        if section not in SECTIONS:
            elsewhere = [name for name in KEYS if name.endswith(f".{section}")]
            hint = f"it is a key of a section: {elsewhere[0]}" if elsewhere else ""
            faults.append(f"{where}: {_unknown(str(section), list(SECTIONS), 'section ', hint)}")
            continue
        if keys is None:  # its keys are all commented out
            continue
        if not isinstance(keys, dict):
            faults.append(
                f"{where}: {section} is {_shown(keys)}: it takes keys ({', '.join(_names(section))})"
            )
            continue
        for key, value in keys.items():
            where = f"{path}, line {lines.get((section, key), lines.get((section,), 1))}"
            name = f"{section}.{key}"
            if name in KEYS or (section == "rules" and isinstance(value, dict)):
                given[name] = Given(value, where)
            else:
                faults.append(f"{where}: {_unknown_key(section, str(key))}")
    return given


def _from_environment(environment: Mapping[str, str], faults: list[str]) -> dict[str, Given]:
    given: dict[str, Given] = {}
    by_variable = {key.variable: name for name, key in KEYS.items()}
    for variable, value in environment.items():
        if not value or not variable.startswith(PREFIX) or variable in VARIABLES:
            continue  # an empty one counts as none, as for the options
        if variable in by_variable:
            name = by_variable[variable]
            given[name] = Given(None if KEYS[name].may_be_none and value == "null" else value, variable)
        elif "__" in variable:
            faults.append(_unknown(variable, list(by_variable), "variable "))
        elif _near(variable, VARIABLES, 0.75):  # others are others': an orchestrator's, for a service of ours
            faults.append(_unknown(variable, list(VARIABLES), "variable "))
    for option in OPTIONS.values():
        if option.key and (set_to := environment.get(option.variable)):
            given[option.key] = Given(set_to, option.variable)
    return given


def _with_whole_path(name: str, one: Given, file: str | None, faults: list[str]) -> Given:
    """Make a path absolute: one in a file is relative to the file's folder, an option's to where we are."""
    path = os.path.expanduser(str(one.value))
    if one.origin == KEYS[name].variable and not os.path.isabs(path):
        # It is inherited by processes that stand elsewhere.
        faults.append(f"{one.origin} is {path!r}: in the environment it takes an absolute path")
    elif file is not None and one.origin.startswith(f"{file}, line "):
        path = os.path.join(os.path.dirname(os.path.abspath(file)), path)
    return Given(path, one.origin)


# -- what is wrong ---------------------------------------------------------------------------------------------


def _validated(given: Mapping[str, Given], faults: list[str]) -> Settings | None:
    content: dict[str, dict[str, object]] = {}
    for name, one in given.items():
        section, _, key = name.partition(".")
        content.setdefault(section, {})[key] = one.value
    try:
        return settings_of(content)
    except InvalidSettingsError as error:
        faults.extend(_sentence(name, given, message) for name, message in error.faults.items())
        return None


def _sentence(name: str, given: Mapping[str, Given], message: str) -> str:
    if name in SECTIONS:  # some of its keys do not go together
        origins = sorted({one.origin for key, one in given.items() if key.startswith(f"{name}.")})
        return f"{name} ({', '.join(origins)}): {message}"
    one = given[name]
    where = f" ({one.origin})" if one.origin else ""
    if name not in KEYS:  # a rule
        return f"{name}{where}: {message}"
    key = KEYS[name]
    takes = f"it takes {_plain(key)}{'; null for none' if key.may_be_none else ''}"
    if one.value is None:
        return f"{name}{where} has no value: {takes}"
    shown = "not right" if key.is_secret else _shown(one.value)
    return f"{name}{where} is {shown}: {takes}"


def _plain(key: Key) -> str:
    return key.takes.replace("`", "")


def _shown(value: object) -> str:
    text = str(value).lower() if isinstance(value, bool) else repr(value)  # as YAML spells it
    return text if len(text) <= 80 else text[:77] + "..."


def _unknown_key(section: str, key: str) -> str:
    own = [f"{section}.{one}" for one in _names(section)]
    elsewhere = [name for name in KEYS if name.endswith(f".{key}")]
    return _unknown(f"{section}.{key}", own, hint=f"did you mean {elsewhere[0]}?" if elsewhere else "")


def _unknown(name: str, known: Iterable[str], what: str = "key ", hint: str = "") -> str:
    near = _near(name, known)
    hint = hint or (f"did you mean {near}?" if near else f"known: {', '.join(map(_tail, known))}")
    return f"unknown {what}{_one_line(name)}; {hint}"


def _near(name: str, known: Iterable[str], cutoff: float = 0.5) -> str | None:
    """Return the known name that is most like one, if any is like it."""
    tails = {_tail(one): one for one in known}
    near = nearest(_tail(name), tails, cutoff)
    return tails[near] if near else None


def _tail(name: str) -> str:
    """Return a name without what all have in common, which makes nothing alike."""
    return name.removeprefix(PREFIX).rpartition(".")[2]


def _one_line(text: str) -> str:
    return text if text.isprintable() and len(text) <= 80 else repr(text[:77])


def _names(section: str) -> list[str]:
    return [key.key for key in KEYS.values() if key.section == section]
