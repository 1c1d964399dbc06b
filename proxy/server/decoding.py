"""JSON bodies, decoded, or what is wrong with them in a sentence."""

from typing import TypeVar

import msgspec

from proxy.protocol import grammar
from proxy.server.refusals import BadRequestError, UnprocessableError

__all__ = ["decoded"]

_T = TypeVar("_T")


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
        raise UnprocessableError(f"The body is not as wanted: {error}.") from None
    except UnicodeDecodeError:
        raise BadRequestError("The body is not UTF-8.") from None
    except RecursionError:
        raise BadRequestError("The body is nested too deep.") from None
    except msgspec.DecodeError as error:
        raise BadRequestError(f"The body is not JSON: {error}.") from None
