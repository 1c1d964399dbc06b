"""Judging messages by the published schemas."""

import threading
from collections.abc import Sequence
from typing import Annotated, Any, Self

import msgspec

from proxy.protocol.specifications import Specification, forget, judge_for
from proxy.protocol.verdict import Judgement, Verdict, Violation

_judges = threading.local()


class ValidationRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Body of `POST /api/v1/validation/validate`: one message, and the schema to judge it by."""

    schema_type: Annotated[str, msgspec.Meta(extra_json_schema={"minLength": 1})]
    """`commands`, `events`, `stdin`, `stdout`, or the name of any other schema."""
    data: Any
    request_id: Any = None
    """Comes back in the answer, as it is."""


class ValidationBatchRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Body of `POST /api/v1/validation/batch`; the answers come in the same order."""

    requests: Sequence[ValidationRequest]


class ValidationAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The judgement on one message."""

    valid: bool
    """False only for `invalid` data."""
    verdict: Verdict
    validation_errors: list[str]
    """Sentences."""
    errors: list[Violation]
    request_id: Any = None
    """As it came with the request."""

    @classmethod
    def of(cls, judgement: Judgement, request_id: object) -> Self:
        """Return the answer that a judgement makes."""
        return cls(
            valid=judgement.verdict != "invalid",
            verdict=judgement.verdict,
            validation_errors=[
                f"{error.path}: {error.message}" if error.path else error.message
                for error in judgement.errors
            ],
            errors=list(judgement.errors),
            request_id=request_id,
        )


class Specifications(msgspec.Struct, frozen=True, kw_only=True):
    """What schemas there are."""

    count: int
    specifications: list[Specification]


def judgement_on(name: str, data: bytes) -> Judgement:
    """Return the judgement on a message by a published schema. UnknownSpecificationError: none has that name."""
    known = _judges.__dict__  # of this thread: a judge learns as it goes, and is not to be shared
    if name not in known:
        known[name] = judge_for(name)
    judgement: Judgement = known[name].judge(data)
    return judgement


def forget_schemas() -> None:
    """Read and compile the schemas again when they are next asked for, in this thread."""
    _judges.__dict__.clear()
    forget()
