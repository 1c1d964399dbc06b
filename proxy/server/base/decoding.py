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


def decoded(raw: bytes, decoder: "msgspec.json.Decoder[_T]") -> _T:
    """Return JSON decoded; ``decoder`` says the shape that is wanted.

    Raises:
        BadRequestError: it is not JSON.
        UnprocessableError: it has not that shape.
    """
    if not raw.strip():
        raise BadRequestError("The body is empty; send JSON.")
    try:
        if not raw.isascii():
            raw.decode()
        try:
            return decoder.decode(raw)
        except msgspec.ValidationError:
            raise
        except msgspec.DecodeError:
            return decoder.decode(grammar.without_lone_surrogates(raw))
    except msgspec.ValidationError as error:
        try:
            # The shape is looked at first: `[` is no JSON, and no object either.
            msgspec.json.decode(grammar.without_lone_surrogates(raw), type=msgspec.Raw)
        except msgspec.DecodeError as fault:
            raise BadRequestError(f"The body is not JSON: {fault}.") from None
        raise UnprocessableError(
            f"The body is not as wanted: {error}{_hint(str(error), decoder.type)}"
        ) from None
    except UnicodeDecodeError:
        raise BadRequestError("The body is not UTF-8.") from None
    except RecursionError:
        raise BadRequestError("The body is nested too deep.") from None
    except msgspec.DecodeError as error:
        raise BadRequestError(f"The body is not JSON: {error}.") from None


def _hint(error: str, model: Any) -> str:
    """Return the end of the sentence: what field was meant, if one is unknown and another is much like it."""
    unknown = _UNKNOWN.search(error)
    near = nearest(unknown[1], set(_fields(inspect.type_info(model)))) if unknown else None
    return f"; did you mean `{near}`?" if near else "."


def _fields(shape: inspect.Type) -> Iterator[str]:
    """Yield the names of a model's fields, and of those of the models in it."""
    if isinstance(shape, inspect.StructType):
        for field in shape.fields:
            yield field.encode_name
            yield from _fields(field.type)
    elif isinstance(shape, inspect.CollectionType):
        yield from _fields(shape.item_type)
