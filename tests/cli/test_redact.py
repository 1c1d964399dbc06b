"""``claude-proxy redact``, and sessions that are redacted as the configuration says."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

from tests.command_line import Finished, claude_proxy
from tests.redaction.secrets import WELL_KNOWN

if TYPE_CHECKING:
    from pathlib import Path

KEY = WELL_KNOWN["anthropic"]
CONFIG = "redaction: {patterns: '[A-Z]{4}-[0-9]+', fields: [iban]}"


def record(data_dir: Path, *options: str, line: str) -> None:
    """Record a session of a command that repeats a line on both its outputs."""
    script = f"import sys; print(sys.argv[1]); print({KEY!r}, file=sys.stderr)"
    command = [sys.executable, "-c", script, line]
    wrapped = ["-m", "proxy", "--data-dir", str(data_dir), "--server", "off", *options, "--", *command]
    subprocess.run([sys.executable, *wrapped], check=True, stdin=subprocess.DEVNULL, capture_output=True)


def messages(log: str) -> list[object]:
    """Return the messages of a log."""
    return [record["message"] for record in map(json.loads, log.splitlines()) if "message" in record]


def redact(data_dir: Path, *words: str) -> Finished:
    """Run the subcommand."""
    return claude_proxy("redact", "latest", "--data-dir", str(data_dir), *words)


def test_a_copy_has_no_credentials_and_the_log_stays(tmp_path: Path) -> None:
    """What was recorded without redaction is replaced in the copy: messages, text, standard error, command line."""
    line = json.dumps({"type": "keep_alive", "key": KEY, "db_password": "pass"})
    record(tmp_path, "--redact", "off", line=line)
    log = (tmp_path / "sessions" / "latest.jsonl").read_text()
    assert log.count(KEY) == 4  # twice in the command line
    ran = redact(tmp_path, "-o", str(tmp_path / "copy"))
    copy = (tmp_path / "copy").read_text()
    assert (ran.status, ran.stderr) == (0, f"{tmp_path / 'copy'}: 4 values replaced\n")
    assert (tmp_path / "sessions" / "latest.jsonl").read_text() == log
    assert (tmp_path / "copy").stat().st_mode & 0o777 == 0o600
    before, after = ([json.loads(line) for line in text.splitlines()] for text in (log, copy))
    assert [(one["seq"], one["ts"]) for one in before] == [(one["seq"], one["ts"]) for one in after]
    assert sorted(one["redacted"] for one in after if "redacted" in one) == [
        ["/event/data/command/2", "/event/data/command/3"],
        ["/message/key"],
        ["/raw"],
    ]
    assert KEY not in copy
    assert redact(tmp_path, "-o", str(tmp_path / "copy")).status == 2
    assert '"pass"' not in redact(tmp_path, "-o", "-", "--redact", "strict").stdout
    assert redact(tmp_path, "-o", "-", "--redact", "off").status == 2


def test_a_copy_leaves_out_what_is_no_record(tmp_path: Path) -> None:
    """Nobody can tell what is in a torn line, and it is said."""
    record(tmp_path, line="{}")
    with (tmp_path / "sessions" / "latest.jsonl").open("a") as log:
        log.write(f'{{"seq":9,"message":{{"key":"{KEY}')
    ran = redact(tmp_path, "-o", "-")
    assert (ran.status, ran.stderr) == (0, "claude-proxy: 1 line left out, as no record\n")
    assert KEY not in ran.stdout


def test_a_session_is_redacted_as_the_configuration_says(tmp_path: Path) -> None:
    """Own patterns and fields, in sessions and in copies; `redaction.mode` as the option."""
    config = tmp_path / "config.yaml"
    config.write_text(CONFIG)
    value = {"type": "keep_alive", "text": "ACME-17", "iban": "DE02", "db_password": "pass"}
    for text, shown in (
        (CONFIG, {"text": "[redacted]", "iban": "[redacted]"}),
        ("redaction: {mode: strict}", {"db_password": "[redacted]"}),
        ("redaction: {mode: off}", {}),
    ):
        config.write_text(text)
        record(tmp_path, "--config", str(config), line=json.dumps(value))
        assert messages((tmp_path / "sessions" / "latest.jsonl").read_text()) == [{**value, **shown}]
    config.write_text(CONFIG)
    copy = redact(tmp_path, "-o", "-", "--config", str(config))
    assert messages(copy.stdout) == [{**value, "text": "[redacted]", "iban": "[redacted]"}]
    config.write_text("redaction: {patterns: '('}")
    assert "it takes a list of regular expressions" in redact(tmp_path, "--config", str(config)).stderr
