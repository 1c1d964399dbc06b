"""Makes JSON Schemas of models: docstrings of classes and fields become descriptions.

What every model of the API has in common is said here once: no number is negative, an answer has all its fields
but those that may be unset, and a request takes no others.
"""

import ast
import inspect
import re
import textwrap
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import inspect as shapes

__all__ = ["descriptions_of", "schema_of"]

_SCALARS: dict[type[shapes.Type], dict[str, Any]] = {
    shapes.AnyType: {},
    shapes.RawType: {},
    shapes.BoolType: {"type": "boolean"},
    shapes.FloatType: {"type": "number", "minimum": 0},
    shapes.IntType: {"type": "integer", "minimum": 0},
    shapes.NoneType: {"type": "null"},
    shapes.StrType: {"type": "string"},
}


def schema_of(model: type[msgspec.Struct], published: Mapping[type, str]) -> dict[str, Any]:
    """Return the schema of a model; what it has of models that are published is referred to by their files' names."""
    shape = shapes.type_info(model)
    assert isinstance(shape, shapes.StructType)
    return {"description": _text(model.__doc__), **_object(shape, published)}


def _schema(shape: shapes.Type, published: Mapping[type, str]) -> dict[str, Any]:
    schema: dict[str, Any]
    match shape:
        case shapes.Metadata():
            schema = _schema(shape.type, published) | (shape.extra_json_schema or {})
        case shapes.StructType(cls=cls) if cls in published:
            schema = {"$ref": published[cls]}
        case shapes.StructType() | shapes.TypedDictType():
            schema = {**_object(shape, published), "description": _text(shape.cls.__doc__)}
        case shapes.LiteralType():
            schema = {"enum": list(shape.values)}
        case shapes.UnionType():
            schema = _union([_schema(one, published) for one in shape.types])
        case shapes.DictType():
            values = _schema(shape.value_type, published)
            schema = {"type": "object", **({"additionalProperties": values} if values else {})}
        case shapes.CollectionType():
            schema = {"type": "array", "items": _schema(shape.item_type, published)}
        case shapes.TupleType():
            items, count = _schema(shape.item_types[0], published), len(shape.item_types)
            schema = {"type": "array", "items": items, "minItems": count, "maxItems": count}
        case _:
            schema = dict(_SCALARS[type(shape)])
    return schema


def _union(forms: list[dict[str, Any]]) -> dict[str, Any]:
    """Return a schema for one of some forms, ``null`` folded into the other where that can be."""
    others = [form for form in forms if form != {"type": "null"}]
    if len(others) == 1:
        form = others[0]
        if "enum" in form and "type" not in form:
            return {**form, "enum": [*form["enum"], None]}
        if isinstance(form.get("type"), str) and "enum" not in form:
            return {**form, "type": [form["type"], "null"]}
    return {"anyOf": forms}


def _object(shape: shapes.StructType | shapes.TypedDictType, published: Mapping[type, str]) -> dict[str, Any]:
    told = descriptions_of(shape.cls)
    is_request = isinstance(shape, shapes.StructType) and shape.forbid_unknown_fields
    omits = isinstance(shape, shapes.TypedDictType) or is_request or shape.cls.__struct_config__.omit_defaults
    required = [
        field.encode_name for field in shape.fields if field.required or not (omits or _may_be_unset(field))
    ]
    properties = {}
    for field in shape.fields:
        schema = _schema(field.type, published)
        said = {"description": told[field.name]} if field.name in told else {}
        properties[field.encode_name] = schema | said
    return {
        "type": "object",
        **({"required": required} if required else {}),
        "properties": properties,
        **({"additionalProperties": False} if is_request else {}),
    }


def _may_be_unset(field: shapes.Field) -> bool:
    """Tell whether a field's default is `msgspec.UNSET`, which is inspected as none at all."""
    return not field.required and field.default is field.default_factory is msgspec.NODEFAULT


def descriptions_of(model: type) -> dict[str, str]:
    """Return what the docstrings below the fields of a class say, in one line each, by field."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(model))).body[0]
    assert isinstance(tree, ast.ClassDef)
    told = {}
    for field, text in zip(tree.body, tree.body[1:], strict=False):
        match field, text:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(said))):
                told[name] = _text(said)
    return told


def _text(docstring: str | None) -> str:
    """Return a docstring in one line, in the words of JSON."""
    text = " ".join(inspect.cleandoc(docstring or "").split()).replace("``", "`")
    text = re.sub(r"(^|[.:] )None\b", r"\1Null", text)
    return re.sub(r"\bNone\b", "null", text)
