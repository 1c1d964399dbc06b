"""Tokens: made once, kept as hashes, revoked for good."""

import json
import multiprocessing
import os
import stat
from pathlib import Path

import pytest

from proxy.server.access.tokens import SCOPES, TokenError, TokenFile, hashed, of_configuration


def test_a_token_is_kept_as_a_hash(tmp_path: Path) -> None:
    """Nobody can learn a token from the file, which is for its owner alone."""
    file = TokenFile(str(tmp_path / "new"))
    secret = file.create("ci", ["read"])
    text = (tmp_path / "new" / "tokens.json").read_text()
    assert secret not in text
    assert json.loads(text)["tokens"][0]["sha256"] == hashed(secret)
    assert stat.S_IMODE(os.stat(file.path).st_mode) == 0o600
    token = file.tokens()[hashed(secret)]
    assert (token.name, token.scopes) == ("ci", ("read",))
    assert file.create("other", ["write"]) != secret


def test_names(tmp_path: Path) -> None:
    """A name is taken once, is a name, and what is revoked must be there."""
    file = TokenFile(str(tmp_path))
    file.create("ci", ["read"])
    for name in ("ci", "", "a b", "-x", "x" * 65):
        with pytest.raises(TokenError):
            file.create(name, ["read"])
    file.revoke("ci")
    assert file.tokens() == {}
    with pytest.raises(TokenError, match="no token 'ci'"):
        file.revoke("ci")


def test_a_server_sees_what_another_process_changed(tmp_path: Path) -> None:
    """What was read is read again when the file is another."""
    server, other = TokenFile(str(tmp_path)), TokenFile(str(tmp_path))
    assert server.tokens() == {}
    other.create("a", ["read"])
    assert [one.name for one in server.tokens().values()] == ["a"]
    other.revoke("a")
    assert server.tokens() == {}


def make(data_dir: str, number: int) -> None:
    """Make a token."""
    TokenFile(data_dir).create(f"t{number}", ["read"])


def test_many_at_once(tmp_path: Path) -> None:
    """Of tokens that are made at the same time none is lost."""
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=make, args=(str(tmp_path), number)) for number in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(30)
    assert len(TokenFile(str(tmp_path)).tokens()) == 4


def test_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the file cannot be written the old one stays, nothing is left over, and a sentence says so."""
    file = TokenFile(str(tmp_path))
    file.create("a", ["read"])

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(TokenError, match="No space left"):
        file.create("b", ["read"])
    assert [one.name for one in file.tokens().values()] == ["a"]
    assert sorted(os.listdir(tmp_path)) == ["tokens.json", "tokens.json.lock"]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"tokens": [{}]}', '{"tokens": 1}', "[" * 100_000])
def test_a_damaged_file(tmp_path: Path, text: str) -> None:
    """What is no file of tokens is said to be damaged."""
    (tmp_path / "tokens.json").write_text(text)
    with pytest.raises(TokenError, match="damaged"):
        TokenFile(str(tmp_path)).tokens()


def test_tokens_of_the_configuration() -> None:
    """A token in the configuration is itself or its hash, and may do everything."""
    plain, kept = of_configuration(["a", f"sha256:{hashed('b')}"])
    assert (plain.sha256, kept.sha256) == (hashed("a"), hashed("b"))
    assert plain.scopes == kept.scopes == SCOPES


def test_a_planted_file_gives_nobody_access(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tokens that another user made, or could change, or that are a link, are refused and never taken."""
    TokenFile(str(tmp_path)).create("mine", ["read"])
    (tmp_path / "tokens.json").chmod(0o602)
    with pytest.raises(TokenError, match="others may write"):
        TokenFile(str(tmp_path)).tokens()
    (tmp_path / "tokens.json").chmod(0o600)
    (tmp_path / "tokens.json").rename(tmp_path / "elsewhere")
    (tmp_path / "tokens.json").symlink_to("elsewhere")
    with pytest.raises(TokenError, match="it is a link"):
        TokenFile(str(tmp_path)).tokens()
    (tmp_path / "tokens.json").unlink()
    (tmp_path / "elsewhere").rename(tmp_path / "tokens.json")
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    for use in (TokenFile(str(tmp_path)).tokens, lambda: TokenFile(str(tmp_path)).create("x", ["read"])):
        with pytest.raises(TokenError, match="another user"):
            use()
