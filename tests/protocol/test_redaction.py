"""Credentials do not get into the record, and nothing else is changed in it."""

import json

import hypothesis
import pytest
from hypothesis import strategies as st

from proxy.protocol import redact, redact_command
from tests.protocol import corpus

SECRET = "s3cr3t"
SERVER = {"command": "x", "env": {"TOKEN": SECRET, "a/b~c": SECRET}}
REMOTE = {"type": "http", "url": "https://example.org", "headers": {"Authorization": SECRET}}
SERVERS = {"local": SERVER, "remote": REMOTE}
SETTINGS = {"env": {"KEY": SECRET}, "model": "m"}


def request(**body: object) -> dict[str, object]:
    """Return a control request."""
    return {"type": "control_request", "request_id": "1", "request": body}


def reply(**payload: object) -> dict[str, object]:
    """Return a successful control response."""
    return {
        "type": "control_response",
        "response": {"subtype": "success", "request_id": "1", "response": payload},
    }


CARRIERS = [
    ({"type": "update_environment_variables", "variables": {"A": SECRET}}, ("/variables/A",)),
    (
        request(subtype="initialize", mcpServers=SERVERS),
        (
            "/request/mcpServers/local/env/TOKEN",
            "/request/mcpServers/local/env/a~1b~0c",
            "/request/mcpServers/remote/headers/Authorization",
        ),
    ),
    (
        request(subtype="initialize", agents={"helper": {"mcpServers": ["named", {"remote": REMOTE}]}}),
        ("/request/agents/helper/mcpServers/1/remote/headers/Authorization",),
    ),
    (
        request(subtype="mcp_set_servers", servers={"remote": REMOTE}),
        ("/request/servers/remote/headers/Authorization",),
    ),
    (request(subtype="apply_flag_settings", settings=SETTINGS), ("/request/settings/env/KEY",)),
    (
        request(subtype="update_settings", source="userSettings", settings=SETTINGS),
        ("/request/settings/env/KEY",),
    ),
    (
        reply(mcpServers=[{"name": "remote", "config": REMOTE}]),
        ("/response/response/mcpServers/0/config/headers/Authorization",),
    ),
    (
        reply(effective=SETTINGS, sources=[{"source": "userSettings", "settings": SETTINGS}]),
        ("/response/response/effective/env/KEY", "/response/response/sources/0/settings/env/KEY"),
    ),
]


@pytest.mark.parametrize(("message", "pointers"), CARRIERS)
@pytest.mark.parametrize("separators", [(",", ":"), (" , ", " : ")])
def test_credentials_are_replaced_wherever_the_protocol_carries_them(
    message: object, pointers: tuple[str, ...], separators: tuple[str, str]
) -> None:
    """Each value is replaced by a JSON string, its place is told, and the rest of the line is as it was."""
    line = json.dumps(message, separators=separators).encode()
    redacted, found = redact(line)
    assert found == pointers
    assert redacted == line.replace(json.dumps(SECRET).encode(), b'"[redacted]"')


def test_a_value_of_any_kind_is_replaced() -> None:
    """Numbers, lists and objects too, with whatever brackets and escapes are in them; duplicates as well."""
    line = (
        '{"type":"update_environment_variables","variables":{"A":"\\u00e9\\"}","B" : {"x":["}"]},"C":1e999 ,'
        '"D":%s,"A":"again","E":"é"},"uuid":"é"}' % ("9" * 5000)
    ).encode()
    redacted, pointers = redact(line)
    assert (
        redacted
        == (
            '{"type":"update_environment_variables","variables":{"A":"[redacted]","B" : "[redacted]",'
            '"C":"[redacted]" ,'
            '"D":"[redacted]","A":"[redacted]","E":"[redacted]"},"uuid":"é"}'
        ).encode()
    )
    assert pointers == ("/variables/A", "/variables/B", "/variables/C", "/variables/D", "/variables/E")


@pytest.mark.parametrize(
    "line",
    [
        b'{"type":"assistant","env":{"A":"said in conversation"}}',
        b'{"type":"user","message":{"content":"\\"env\\": \\"x\\""},"headers":1}',
        b'{"type":"update_environment_variables","variables":{"A":"cut',
        b'{"type":"update_environment_variables","variables":{"A":"\xff"}}',
        b'{"type":"control_request","request":{"mcpServers":{"a":{"env":' + b"[" * 100_000,
        b'["variables"]',
        b"env",
    ],
)
def test_other_lines_stay_as_they_are(line: bytes) -> None:
    """What only looks like credentials, and what cannot be read, is recorded as it came."""
    assert redact(line) == (line, ())


@pytest.mark.parametrize("stream", corpus.STREAMS)
def test_recorded_lines_stay_as_they_are(stream: corpus.Stream) -> None:
    """Ordinary traffic carries no credentials, and what does is known by its kind."""
    for line in corpus.recorded(stream):
        carries = any(
            word in line for word in (b'"update_environment_variables"', b'"mcpServers"', b'"servers"')
        )
        assert carries or redact(line) == (line, ())


@hypothesis.given(st.binary())
def test_no_bytes_break_redaction(noise: bytes) -> None:
    """Whatever a client sends."""
    for line in (noise, b'{"type":"update_environment_variables","variables":' + noise + b"}"):
        redact(line)
        redact_command(["--mcp-config", "{" + noise.decode("latin-1")])


def test_credentials_on_the_command_line_are_replaced() -> None:
    """In either form of the options, in several values of one, and in nothing else."""
    servers = json.dumps({"mcpServers": SERVERS})
    settings = json.dumps(SETTINGS)
    agents = json.dumps({"helper": {"mcpServers": [{"remote": REMOTE}]}})
    argv = [
        "--mcp-config",
        servers,
        "file.json",
        servers,
        f"--settings={settings}",
        "--agents",
        agents,
        "-p",
        settings,
    ]
    redacted, changed = redact_command(argv)
    assert changed == [1, 3, 4, 6]
    assert [redacted[i] for i in (0, 2, 5, 7, 8)] == [argv[i] for i in (0, 2, 5, 7, 8)]
    for position in changed:
        assert redacted[position] == argv[position].replace(f'"{SECRET}"', '"[redacted]"')


def test_a_broken_value_on_the_command_line_is_replaced_whole() -> None:
    """There is no telling what in it is secret."""
    assert redact_command(["--mcp-config", '{"mcpServers":{"a":{"env":{"T":"x"'])[0] == [
        "--mcp-config",
        "[redacted]",
    ]
    assert redact_command(["--settings=settings.json", "--", "--settings", "{}"])[1] == []


def test_a_text_in_place_of_the_credentials_is_replaced_whole() -> None:
    """A client that gets the shape wrong has its credential kept out of the record all the same."""
    message = {"type": "update_environment_variables", "variables": SECRET}
    redacted, pointers = redact(json.dumps(message).encode())
    assert (SECRET.encode() in redacted, pointers) == (False, ("/variables",))
