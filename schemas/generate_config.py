"""Writes the schema of the configuration file: ``python -m tools.generate_schemas`` writes ``config.json``.

It is made from the settings model (`proxy.config`), so that a key is described once.
"""

import json
import pathlib
from typing import Any

import msgspec

from proxy.config import KEYS, SECTIONS, Key
from proxy.rule_settings import Rule
from tools.model_schemas import descriptions_of

(_RULE,), _DEFINITIONS = msgspec.json.schema_components([Rule], ref_template="#/$defs/{name}")
TARGET = pathlib.Path(__file__).with_name("config.json")


def generate() -> str:
    """Return the schema, as JSON."""
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "/config.json",
        "title": "Configuration",
        "description": "The configuration file, once read from YAML. Every key may be left out;"
        " a key that is not here is an error.",
        "type": "object",
        "properties": {
            section: {
                "type": ["object", "null"],  # a section may be empty: all its keys commented out
                "description": model.__doc__,
                "properties": {key.key: _of(key) for key in KEYS.values() if key.section == section},
                "additionalProperties": _RULE if section == "rules" else False,
            }
            for section, model in SECTIONS.items()
        },
        "additionalProperties": False,
        "$defs": _DEFINITIONS,
    }
    return json.dumps(schema, indent=2) + "\n"


def _of(key: Key) -> dict[str, Any]:
    """Return the schema of one key."""
    schema = msgspec.json.schema(key.type)
    if key.also is not None:
        forms = schema.pop("anyOf", None) or [schema]
        schema = {"anyOf": [*forms, dict(key.also)]}
    return {**schema, "description": descriptions_of(SECTIONS[key.section])[key.key]}


if __name__ == "__main__":
    TARGET.write_text(generate())
