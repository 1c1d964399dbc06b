"""JSON bodies: what is wrong with one is told in a sentence, whatever it is."""

import msgspec
import pytest

from proxy.api.acting import ActionRequest
from proxy.api.events import SessionRequest
from proxy.api.validation import ValidationBatchRequest
from proxy.server.base.decoding import decoded
from proxy.server.base.errors import BadRequestError, UnprocessableError

MODELS = [ActionRequest, SessionRequest, ValidationBatchRequest]


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(
    "raw", [b"[" * 100_000, b'{"data":' * 100_000, b'{"requests":[{"data":' + b"[" * 100_000]
)
def test_deep_nesting_is_a_bad_request(model: type[msgspec.Struct], raw: bytes) -> None:
    """Regression: where the shape was wrong as well, it was a fault of ours, status 500."""
    with pytest.raises(BadRequestError, match="too deep"):
        decoded(raw, msgspec.json.Decoder(model))


def test_a_wrong_choice_is_told_what_there_is() -> None:
    """Regression: an unknown verb was only called invalid."""
    decoder = msgspec.json.Decoder(ActionRequest)
    with pytest.raises(UnprocessableError, match=r"at `\$\.action`; it takes allow, deny, .*stop\.$"):
        decoded(b'{"action":"cancle"}', decoder)
    with pytest.raises(UnprocessableError, match=r"at `\$\.how`; it takes drain, end, term\.$"):
        decoded(b'{"action":"stop","how":"now"}', decoder)
