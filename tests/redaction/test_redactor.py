"""Credentials do not get into the record, and nothing else is changed in it."""

import json

import hypothesis
import pytest
from hypothesis import strategies as st

from proxy.redaction import Redactor
from tests.protocol import corpus
from tests.redaction.secrets import AROUND, HARMLESS, WELL_KNOWN

SECRET = "s3cr3t"
redact = Redactor().message
redact_command = Redactor().command
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
        assert carries or b'"control_re' in line or not Redactor().may_change(line)


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
    assert changed == [1, 3, 4, 6, 8]
    assert [redacted[i] for i in (0, 2, 5, 7)] == [argv[i] for i in (0, 2, 5, 7)]
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


PLANTED = [
    *((f"x {secret} y", secret) for secret in WELL_KNOWN.values()),
    *((f"{before}{secret}{after}", secret) for before, secret, after in AROUND.values()),
]


@pytest.mark.parametrize(("text", "secret"), PLANTED, ids=[*WELL_KNOWN, *AROUND])
def test_well_known_kinds_are_replaced_wherever_they_stand(text: str, secret: str) -> None:
    """In prompts, tool inputs (also as JSON within JSON), results and text; the rest of the value stays."""
    redactor = Redactor()
    inner = {"command": text}
    message = {"type": "user", "message": {"content": [{"text": text}, {"input": inner}, json.dumps(inner)]}}
    line = json.dumps(message).encode()
    assert redactor.may_change(line)
    clean, pointers = redactor.message(line)
    assert pointers == tuple(f"/message/content/{place}" for place in ("0/text", "1/input/command", "2"))
    assert json.loads(clean)["message"]["content"][0]["text"] == text.replace(secret, "[redacted]")
    assert json.loads(json.loads(clean)["message"]["content"][2]) == {
        "command": text.replace(secret, "[redacted]")
    }
    assert redactor.text(text.encode()) == text.replace(secret, "[redacted]").encode()
    assert redactor.command(["-p", text]) == (["-p", text.replace(secret, "[redacted]")], [1])


@pytest.mark.parametrize("text", HARMLESS)
def test_what_only_looks_similar_stays(text: str) -> None:
    """Words that begin like a credential are none."""
    line = json.dumps({"type": "user", "message": {"content": text}}).encode()
    assert Redactor().message(line) == (line, ())
    assert Redactor().text(text.encode()) == text.encode()


@hypothesis.given(
    st.recursive(
        st.text() | st.sampled_from([text for text, _ in PLANTED]) | st.integers() | st.none(),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(
                st.text(max_size=8) | st.sampled_from(["token", "id", "api_key"]), inner, max_size=4
            )
        ),
        max_leaves=12,
    ),
    st.sampled_from(["on", "strict"]),
    st.booleans(),
    st.sampled_from([0, 1, 2]),
)
def test_a_message_stays_a_message_of_the_same_shape(
    value: object, mode: str, ascii_only: bool, wrapped: int
) -> None:
    """Whatever is replaced, the record holds JSON that differs in the named values alone."""
    for _ in range(wrapped):  # JSON within JSON, as tool inputs are streamed
        value = {"text": json.dumps(value, ensure_ascii=ascii_only)}
    line = json.dumps({"type": "user", "value": value}, ensure_ascii=ascii_only).encode()
    clean, pointers = Redactor(mode, fields=["pin"], patterns=["[0-9]{5,}"]).message(line)
    before, after = json.loads(line), json.loads(clean)
    for pointer in pointers:
        *path, last = (part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:])
        one, other = before, after
        for part in path:
            one, other = (side[int(part)] if isinstance(side, list) else side[part] for side in (one, other))
        key = int(last) if isinstance(one, list) else last
        assert one[key] != other[key]
        other[key] = one[key]
    assert before == after


def test_a_command_line_hides_what_its_words_name() -> None:
    """Options and variables that say that their value is a secret; JSON within a word; settings' commands."""
    argv = [
        "env", "MY_TOKEN=abc", "PATH=/bin", "claude", "--api-key", "abc", "--token=abc", "--model", "opus",
        '--settings={"apiKeyHelper":"echo abc","model":"m"}', '{"password": "a b", "user": "me"}',
        "sh -c 'API_KEY=abc claude'", "--header", "X-Auth-Token: abc",
    ]  # fmt: skip
    words, changed = Redactor().command(argv)
    assert words == [
        "env", "MY_TOKEN=[redacted]", "PATH=/bin", "claude", "--api-key", "[redacted]", "--token=[redacted]",
        "--model", "opus", '--settings={"apiKeyHelper":"[redacted]","model":"m"}',
        '{"password": "[redacted]", "user": "me"}', "sh -c 'API_KEY=[redacted] claude'", "--header",
        "X-Auth-Token: [redacted]",
    ]  # fmt: skip
    assert changed == [1, 5, 6, 9, 10, 11, 13]


def test_arguments_and_urls_of_servers_are_replaced() -> None:
    """What a server is stays visible: its program, its options, its host."""
    servers = {
        "local": {"command": "npx", "args": ["-y", "@scope/server", "--key=abc", "abc"]},
        "remote": {"type": "http", "url": "https://example.org:8443/mcp/abc?key=abc"},
        "plain": {"type": "http", "url": "https://example.org/"},
    }
    clean, pointers = Redactor().message(
        json.dumps(request(subtype="initialize", mcpServers=servers)).encode()
    )
    assert json.loads(clean)["request"]["mcpServers"] == {
        "local": {"command": "npx", "args": ["-y", "@scope/server", "--key=[redacted]", "[redacted]"]},
        "remote": {"type": "http", "url": "https://example.org:8443/[redacted]"},
        "plain": {"type": "http", "url": "https://example.org/"},
    }
    assert pointers == tuple(
        f"/request/mcpServers/{place}" for place in ("local/args/2", "local/args/3", "remote/url")
    )


def test_strict_replaces_named_and_random_values_and_no_identifiers() -> None:
    """Names and randomness decide; what the protocol itself correlates by stays."""
    message = {
        "type": "user",
        "uuid": "0f8fad5b-d9cb-469f-a165-70867728950e",
        "session_id": "Zm9vYmFyMTIzNDU2Nzg5MEFCQ0RF",
        "content": {
            "tool_use_id": "toolu_01AbCdEfGhIjKlMnOpQrSt",
            "text": "it is Zm9vYmFyMTIzNDU2Nzg5MEFCQ0RF",
        },
        "db_password": "correct horse",
        "nested": json.dumps({"clientSecret": 'a"b'}),
        "max_tokens": 5,
    }
    clean, pointers = Redactor("strict").message(json.dumps(message).encode())
    assert pointers == ("/content/text", "/db_password", "/nested")
    after = json.loads(clean)
    assert after["content"]["text"] == "it is [redacted]"
    assert json.loads(after["nested"]) == {"clientSecret": "[redacted]"}
    assert Redactor().message(json.dumps(message).encode())[1] == ()


def test_own_patterns_and_fields_add_to_it() -> None:
    """Patterns see texts and not their escapes; fields are replaced by name."""
    redactor = Redactor(patterns=[r"Kunde\s\d+"], fields=["iban"])
    line = json.dumps({"type": "user", "text": "von Kunde\n17 é", "iban": "DE02"}).encode()
    assert redactor.may_change(line)
    clean, pointers = redactor.message(line)
    assert json.loads(clean) == {"type": "user", "text": "von [redacted] é", "iban": "[redacted]"}
    assert pointers == ("/text", "/iban")
    assert redactor.text(b"Kunde 17 \xff") == b"[redacted] \xff"


@pytest.mark.parametrize("pattern", ["q*", "$", r"\b", "(?=l)"])
def test_where_a_pattern_matches_nothing_nothing_is_replaced(pattern: str) -> None:
    """Regression: `q*` put a mark between any two characters, also of the names of a message's fields."""
    line = b'{"type":"user","text":"hello"}'
    assert Redactor(patterns=[pattern]).message(line) == (line, ())
    assert Redactor(patterns=["l*"]).text(b"hello") == b"he[redacted]o"


def test_a_long_line_is_searched_in_windows() -> None:
    """A credential is found wherever a window ends."""
    secret = WELL_KNOWN["github"].encode()
    for shift in range(8):
        line = b'{"type":"user","text":"' + b"." * (256 * 1024 - 27 + shift) + secret + b'"}'
        assert secret not in Redactor().message(line)[0]


def test_off_replaces_nothing() -> None:
    """The record holds every byte."""
    assert not Redactor("off").may_change(WELL_KNOWN["github"].encode())
