"""Writes the TypeScript types of the schemas: ``python schemas/generate_types.py`` writes ``types/index.d.ts``.

The types name what is known: fields and message types that a later release adds are not in them, though the
schemas let them pass, and of an open part (an `anyOf` that ends in `{}`) they give what is known of it. Strings with
known values keep them for completion and take any other.
"""

import json
import pathlib
import re
from typing import Any

ROOT = pathlib.Path(__file__).parent
TARGET = ROOT / "types" / "index.d.ts"

_SCALARS = {"string": "string", "integer": "number", "number": "number", "boolean": "boolean", "null": "null"}
_HEAD = """\
// Made from the schemas by generate_types.py; do not edit.

/** The names of all schemas, such as "stdout" or "messages/user". */
export declare const names: string[];
/** One schema by name, as it is in its file. */
export declare function schema(name: string): object;
/** All schemas, to be given to a validator that follows references. */
export declare function schemas(): object[];
"""


def generate() -> str:
    """Return the TypeScript declarations of all schemas."""
    names = sorted(
        path.relative_to(ROOT).with_suffix("").as_posix()
        for path in ROOT.rglob("*.json")
        if not path.name.startswith("package") and "node_modules" not in path.parts
    )
    return _HEAD + "".join(_declaration(name) for name in names)


def _declaration(name: str) -> str:
    schema = json.loads((ROOT / f"{name}.json").read_text())
    comment = schema["description"].replace("*/", "*\\/")
    return f"\n/** {schema['title']}. {comment} */\nexport type {_type_name(name)} = {_type(schema, name, '')};\n"


def _type_name(name: str) -> str:
    return "".join(word[0].upper() + word[1:] for word in re.split(r"[/_]", name))


def _type(schema: Any, name: str, indent: str) -> str:
    if "$ref" in schema:
        return _reference(schema["$ref"], name)
    if "const" in schema or "enum" in schema:
        return " | ".join(json.dumps(value) for value in schema.get("enum", [schema.get("const")]))
    if "anyOf" in schema:
        return _alternatives([part for part in schema["anyOf"] if part], name, indent)
    kinds = schema.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    return " | ".join(_of_kind(kind, schema, name, indent) for kind in kinds) or "unknown"


def _alternatives(parts: list[Any], name: str, indent: str) -> str:
    """Return the union; beside known values, `string` would swallow them, which `(string & {})` does not."""
    has_known = any("enum" in part for part in parts)
    types = [_type(part, name, indent) for part in parts]
    return " | ".join(re.sub(r"^string\b", "(string & {})", one) if has_known else one for one in types)


def _of_kind(kind: str, schema: Any, name: str, indent: str) -> str:
    if kind == "array":
        return f"Array<{_type(schema.get('items', {}), name, indent)}>"
    if kind != "object":
        return _SCALARS[kind]
    parts = [_reference(part["$ref"], name) for part in schema.get("allOf", ()) if "$ref" in part]
    rows = [part["then"]["$ref"] for part in schema.get("allOf", ()) if "$ref" in part.get("then", ())]
    if rows:
        parts.append("(" + " | ".join(dict.fromkeys(_reference(row, name) for row in rows)) + ")")
    properties = dict(schema.get("properties", {}))
    if properties and not (rows and len(properties) == 1):
        parts.append(_fields(properties, schema.get("required", ()), name, indent))
    extra = schema.get("additionalProperties")
    if not parts:
        parts.append(
            f"{{ [key: string]: {_type(extra, name, indent) if isinstance(extra, dict) else 'unknown'} }}"
        )
    return " & ".join(parts)


def _fields(properties: dict[str, Any], required: Any, name: str, indent: str) -> str:
    inner = indent + "  "
    lines = []
    for key, value in properties.items():
        if "description" in value:
            lines.append(f"{inner}/** {value['description']} */")
        shown = key if re.fullmatch(r"[A-Za-z_$][\w$]*", key) else json.dumps(key)
        lines.append(f"{inner}{shown}{'' if key in required else '?'}: {_type(value, name, inner)};")
    return "{\n" + "\n".join(lines) + f"\n{indent}}}"


def _reference(target: str, name: str) -> str:
    path = (ROOT / name).parent / target
    return _type_name(path.resolve().relative_to(ROOT.resolve()).with_suffix("").as_posix())


if __name__ == "__main__":
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_text(generate())
