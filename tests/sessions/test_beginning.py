"""How the record of a session begins."""

import json
from pathlib import Path

from proxy.sessions.beginning import Settings
from proxy.sessions.record import FORMAT

TOKEN = "ghp_" + "0aB" * 12


def first_record(tmp_path: Path, redact: str, name: str = "its name", **chosen: str) -> dict[str, object]:
    """Return the first record of a session's log."""
    settings = Settings("s", str(tmp_path), name, redact, **chosen)  # type: ignore[arg-type] # `seal` alone
    log = settings.begin_log(settings.redactor(), ["claude", "--token", TOKEN], {"cwd": "/there"}, look_s=0.0)
    assert log.append([])
    log.close()
    first: dict[str, object] = json.loads((tmp_path / "sessions/s.jsonl").read_text().splitlines()[0])
    return first


def test_the_first_record_tells_what_was_chosen_and_holds_no_credential(tmp_path: Path) -> None:
    """Whoever reads the log alone knows the command, how it is recorded, and which word was replaced."""
    record = first_record(tmp_path, "on")
    event = record["event"]
    assert isinstance(event, dict)
    data = event["data"]
    assert event["event_type"] == "session_started"
    assert data["command"] == ["claude", "--token", "[redacted]"]
    assert record["redacted"] == ["/event/data/command/2"]
    assert (data["format"], data["name"], data["redact"], data["cwd"]) == (FORMAT, "its name", "on", "/there")
    assert "seal" not in data


def test_without_redaction_the_command_line_is_as_it_was_given(tmp_path: Path) -> None:
    """`--redact off` is for logs that are to be evidence of every byte."""
    record = first_record(tmp_path, "off", seal="on")
    event = record["event"]
    assert isinstance(event, dict)
    assert event["data"]["command"] == ["claude", "--token", TOKEN]
    assert event["data"]["seal"] == "on"
    assert "redacted" not in record


def test_a_name_holds_no_credential(tmp_path: Path) -> None:
    """Regression: what names a session was recorded as it was given."""
    record = first_record(tmp_path, "on", name=f"with {TOKEN}")
    event = record["event"]
    assert isinstance(event, dict)
    assert event["data"]["name"] == "with [redacted]"
    assert record["redacted"] == ["/event/data/command/2", "/event/data/name"]
