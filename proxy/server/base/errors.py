"""Why a request cannot be answered: each class is one HTTP status, each instance one sentence that says what to change.

What a class says of itself is what the description of the API says of its status.

All errors of the project by blame, with the HTTP status and the exit status of a command:

    the request or the command line is wrong                           2
        BadRequestError 400, NotFoundError 404, TooSlowError 408, TooLargeError 413, UnprocessableError 422
        UsageError, ConfigurationError (InvalidSettingsError), SessionLookupError, UnknownSpecificationError,
        PolicyError, ScenarioError, TargetError, ScriptError, CannotPlayError, UnusableSchemaError
    it is not allowed, too often, or does not go with what is there    1
        UnauthorizedError 401, NotAllowedError 403, TooManyError 429, TokenError; ActionError (docs/acting.md)
    the machine, the disk or another program fails                     1
        UnavailableError 503, StoreError 503, OSError (NotPrivateError), BackupError, CannotServeError;
        CannotRunError 126 or 127, as in a shell; AwayError of a fleet's centre 75
    what was checked is not so                                         1
        no exception: `validate`, `check`, `drift --fail`, `policy check`, `verify`; a replay's divergence 76
    a fault of ours                                                    1
        every other exception: 500, and a line in the server's log

`proxy.client.errors` has the same tree from the client's side. It is apart from `answers`, so that
processes of the pool need no web library.
"""

from collections.abc import Mapping
from types import MappingProxyType


class RequestError(Exception):
    """A request cannot be answered as it is."""

    status = 400
    headers: Mapping[str, str] = MappingProxyType({})

    def __init__(self, sentence: str, wait_s: int | None = None) -> None:
        """``wait_s``: seconds after which it may be asked again."""
        super().__init__(sentence)
        if wait_s is not None:
            self.headers = {"Retry-After": str(wait_s)}


class BadRequestError(RequestError):
    """The body is not JSON, or has another content type."""


class UnauthorizedError(RequestError):
    """A token is needed."""

    status = 401
    headers: Mapping[str, str] = MappingProxyType({"WWW-Authenticate": "Bearer"})


class NotAllowedError(RequestError):
    """A foreign `Host` or `Origin`, or a token without the scope."""

    status = 403


class NotFoundError(RequestError):
    """There is no such session or specification."""

    status = 404


class TooSlowError(RequestError):
    """The body came too slowly."""

    status = 408


class TooLargeError(RequestError):
    """The body is too large."""

    status = 413


class UnprocessableError(RequestError):
    """A value is unknown, of the wrong kind or out of range."""

    status = 422


class TooManyError(RequestError):
    """Asked too often; see `Retry-After`."""

    status = 429


class UnavailableError(RequestError):
    """Not possible now: the disk is full, or the index in trouble."""

    status = 503
