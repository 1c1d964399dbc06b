"""The models of the API and what is made of them."""

import json

import msgspec
import pytest

from proxy import api
from proxy.api.events import EventRequest, SessionRequest
from proxy.api.published import PUBLISHED
from proxy.client import models
from proxy.compliance.request import CheckRequest
from proxy.events import Interpreter, Session, describe
from proxy.events.shown_session import Session as ShownSession
from proxy.protocol.verdict import Judgement, Violation
from tests.recorded import INTERACTIVE, NAMES, records, scenario
from tools.generate_schemas import SCHEMAS, texts
from tools.model_schemas import schema_of

BY_HAND = {"answer"}


def test_the_schemas_are_current() -> None:
    """Whoever changes a model runs ``python -m tools.generate_schemas``, so nobody is told what is not so."""
    for path, text in texts().items():
        assert (SCHEMAS / path).read_text(encoding="utf-8") == text, path


def test_every_schema_of_the_api_is_made() -> None:
    """None is left over from a model that is gone."""
    assert {path.stem for path in (SCHEMAS / "api").glob("*.json")} == BY_HAND | set(PUBLISHED)


def test_each_model_is_published_once() -> None:
    """A model has one name, and a name one title."""
    titles, kinds = zip(*PUBLISHED.values(), strict=True)
    assert len(set(titles)) == len(titles)
    assert len(set(kinds)) == len(kinds)


@pytest.mark.parametrize("name", [*NAMES, "interactive"])
def test_a_session_is_as_its_model_says(name: str) -> None:
    """All that is said of a session has its place and its kind in the model, and the other way round."""
    interpreter = Interpreter(Session("x"))
    for record in records(INTERACTIVE.read_bytes() if name == "interactive" else scenario(name)):
        list(interpreter.take(record))
        described = describe(interpreter.session, 10**15)
        assert msgspec.convert(msgspec.to_builtins(described), ShownSession) == described


@pytest.mark.parametrize(
    ("model", "body"),
    [
        (EventRequest, {"event_type": "x", "data": {}, "session_id": "s", "when": 1}),
        (SessionRequest, {"capture_options": {"capture_tools": True}}),
        (CheckRequest, {"wrapper": "w", "scenario": []}),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else "",
)
def test_requests_take_no_other_fields(model: type[msgspec.Struct], body: dict[str, object]) -> None:
    """What is misspelled would be without effect, so it is refused; the schemas say the same."""
    with pytest.raises(msgspec.ValidationError, match="unknown field"):
        msgspec.json.decode(json.dumps(body), type=model)
    assert schema_of(model, {})["additionalProperties"] is False


def test_answers_may_grow() -> None:
    """A later server says more; a client of today reads what it knows."""
    event = {"event_type": "x", "timestamp": "t", "session_id": "s", "data": {}, "weight": 1}
    assert msgspec.convert(event, models.Event).event_type == "x"
    assert "additionalProperties" not in schema_of(api.Event, {})


def test_an_answer_from_a_judgement() -> None:
    """Server and client say the same of a judgement."""
    judgement = Judgement(
        "invalid", (Violation("/a", "Expected a string.", "type"), Violation("", "No.", "x"))
    )
    answer = models.ValidationAnswer.of(judgement, 7)
    assert (answer.valid, answer.request_id, answer.validation_source) == (False, 7, "server")
    assert answer.validation_errors == ["/a: Expected a string.", "No."]
