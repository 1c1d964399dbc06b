"""JSON bodies, decoded, or what is wrong with them in a sentence."""

import re
from collections.abc import Iterator
from typing import Any, TypeVar

import msgspec
from msgspec import inspect

from proxy.nearest import nearest
from proxy.protocol import grammar
from proxy.server.base.errors import BadRequestError, UnprocessableError

_T = TypeVar("_T")
_UNKNOWN = re.compile(r"unknown field `(.*?)`")
_CHOSEN = re.compile(r"^Invalid enum value .* - at `\$\.(\w+)`$", re.DOTALL)


def decoded(raw: bytes, decoder: "msgspec.json.Decoder[_T]") -> _T:
    """Return JSON decoded; ``decoder`` says the shape that is wanted.

    Raises:
        BadRequestError: it is not JSON.
        UnprocessableError: it has not that shape.
    """
    try:
        return _decoded(raw, decoder)
    except UnicodeDecodeError:
        raise BadRequestError("The body is not UTF-8.") from None
    except RecursionError:
        raise BadRequestError("The body is nested too deep.") from None
    except msgspec.ValidationError as error:
        raise UnprocessableError(
            f"The body is not as wanted: {error}{_hint(str(error), decoder.type)}"
        ) from None
    except msgspec.DecodeError as error:
        raise BadRequestError(f"The body is not JSON: {error}.") from None


def _decoded(raw: bytes, decoder: "msgspec.json.Decoder[_T]") -> _T:
    if not raw.strip():
        raise BadRequestError("The body is empty; send JSON.")
    if not raw.isascii():
        raw.decode()
    try:
        return decoder.decode(raw)
    except msgspec.ValidationError:
        # The shape is looked at first: `[` is no JSON, and no object either.
        msgspec.json.decode(grammar.without_lone_surrogates(raw), type=msgspec.Raw)
        raise
    except msgspec.DecodeError:
        return decoder.decode(grammar.without_lone_surrogates(raw))


def _hint(error: str, model: Any) -> str:
    """Return the end of the sentence: what was meant, if something is much like it, or what there is to choose from."""
    shape = inspect.type_info(model)
    if (unknown := _UNKNOWN.search(error)) and (near := nearest(unknown[1], set(_fields(shape)))):
        return f"; did you mean `{near}`?"
    if (chosen := _CHOSEN.search(error)) and (values := _values(shape, chosen[1])):
        return f"; it takes {', '.join(values)}."
    return "."


def _values(shape: inspect.Type, name: str) -> list[str]:
    """Return what a field of a model takes, if that is one of several words."""
    if not isinstance(shape, inspect.StructType):
        return []
    types = (field.type for field in shape.fields if field.encode_name == name)
    parts = (part for one in types for part in (one.types if isinstance(one, inspect.UnionType) else [one]))
    return [str(value) for part in parts if isinstance(part, inspect.LiteralType) for value in part.values]


def _fields(shape: inspect.Type) -> Iterator[str]:
    """Yield the names of a model's fields, and of those of the models in it."""
    if isinstance(shape, inspect.StructType):
        for field in shape.fields:
            yield field.encode_name
            yield from _fields(field.type)
    elif isinstance(shape, inspect.CollectionType):
        yield from _fields(shape.item_type)
