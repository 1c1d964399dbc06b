"""The tokens of a data directory: named, with scopes, kept as hashes, in ``DATA_DIR/tokens.json`` (mode 0600).

A token is 256 random bits, so its plain SHA-256 tells nobody anything. Whoever changes the file holds its lock and
puts a whole new file in place of the old one; a server looks at it again for each request that brings a token, so
that one is good, and is refused, as soon as the command has returned.
"""

import contextlib
import fcntl
import hashlib
import math
import os
import re
import secrets
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from proxy.protocol.grammar import REFUSALS
from proxy.sessions.private import make_private_dir, open_private, read_private, replace_file
from proxy.store import StoreError
from proxy.store.fleet import Token

if TYPE_CHECKING:
    from proxy.store.postgres.store import PostgresStore

SCOPES = ("read", "write", "act", "push")
"""``read``: ask and listen. ``write``: start, fill and stop sessions of a client's own. ``act``: act on live ones.
``push``: send to a centre.
"""
_IMPLIED = {"act": ("read",)}
"""Who answers a question has to see it."""
_AGAIN_S = 0.2
"""How often it is looked for tokens that are not known, whoever tries."""
_FRESH_S = 5.0
"""How old what is known of a centre's tokens may be: they are asked for with each request, and seldom change."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
_HASH = re.compile(r"sha256:([0-9a-f]{64})")


class TokenError(Exception):
    """What was asked for cannot be done; the sentence says why."""


class _Content(msgspec.Struct):
    """What is in the file of tokens."""

    tokens: list[Token]
    version: int = 1


_decode = msgspec.json.Decoder(_Content).decode


def hashed(secret: str) -> str:
    """Return what is kept of a token."""
    return hashlib.sha256(secret.encode()).hexdigest()


def of_configuration(texts: Iterable[str]) -> list[Token]:
    """Return the tokens that a configuration names, as they are or as ``sha256:...``: they may do everything."""
    return [
        Token(
            f"security.tokens[{index}]",
            SCOPES,
            match[1] if (match := _HASH.fullmatch(text)) else hashed(text),
        )
        for index, text in enumerate(texts)
    ]


class Tokens(ABC):
    """Where tokens are kept."""

    @abstractmethod
    def tokens(self) -> dict[str, Token]:
        """Return all by their hash. TokenError when they cannot be read."""

    def find(self, sha256: str) -> Token | None:
        """Return a token by its hash, None when there is none. TokenError when that cannot be told."""
        return self.tokens().get(sha256)

    def create(self, name: str, scopes: Iterable[str], team: str | None = None) -> str:
        """Make a token and return it: nobody can learn it later. TokenError: the name is taken, or none."""
        if not _NAME.fullmatch(name):
            raise TokenError(f"{name!r} is no name: letters, digits, dots, `_` and `-`, at most 64")
        secret = f"cp_{secrets.token_urlsafe(32)}"
        now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        wanted = {one for scope in scopes for one in (scope, *_IMPLIED.get(scope, ()))}
        token = Token(name, tuple(one for one in SCOPES if one in wanted), hashed(secret), now, team)
        if not self._add(token):
            raise TokenError(f"there is a token {name!r} already: revoke it first, or take another name")
        return secret

    def revoke(self, name: str) -> None:
        """Make a token worthless. TokenError when there is none of that name."""
        if not self._remove(name):
            raise TokenError(f"there is no token {name!r}; `claude-proxy token list` lists them")

    @abstractmethod
    def _add(self, token: Token) -> bool:
        """Keep a token; return whether its name was free."""

    @abstractmethod
    def _remove(self, name: str) -> bool:
        """Keep a token no more; return whether it was there."""


class StoredTokens(Tokens):
    """The tokens of a centre, as they were a few seconds ago at most."""

    def __init__(self, store: "PostgresStore") -> None:
        self._store = store
        self._read_at = -math.inf
        self._tokens: dict[str, Token] = {}

    def tokens(self) -> dict[str, Token]:
        """Return all by their hash. TokenError when the database cannot be asked."""
        self._refresh(_FRESH_S)
        return self._tokens

    def find(self, sha256: str) -> Token | None:
        """Return a token by its hash, None when there is none. TokenError when the database cannot be asked."""
        if self.tokens().get(sha256) is None:
            self._refresh(_AGAIN_S)  # it may have been made just now
        return self._tokens.get(sha256)

    def _refresh(self, oldest_s: float) -> None:
        now = time.monotonic()
        if now - self._read_at > oldest_s:
            with _database():
                self._tokens = _by_hash(self._store.tokens())
            self._read_at = now

    def _add(self, token: Token) -> bool:
        with _database():
            return self._store.add_token(token)

    def _remove(self, name: str) -> bool:
        with _database():
            return self._store.remove_token(name)


@contextlib.contextmanager
def _database() -> Iterator[None]:
    try:
        yield
    except StoreError as error:
        raise TokenError(f"the database cannot be asked: {error}") from None


def _by_hash(tokens: Iterable[Token]) -> dict[str, Token]:
    return {token.sha256: token for token in tokens}


class TokenFile(Tokens):
    """The tokens that ``claude-proxy token`` made."""

    def __init__(self, data_dir: str) -> None:
        self._data_dir = data_dir
        self.path = os.path.join(data_dir, "tokens.json")
        self._seen: tuple[int, int, int] | None = None
        self._tokens: dict[str, Token] = {}

    def tokens(self) -> dict[str, Token]:
        """Return all by their hash. TokenError when the file is there and cannot be used."""
        try:
            status = os.stat(self.path)
        except FileNotFoundError:
            self._seen, self._tokens = None, {}
            return {}
        except OSError as error:
            raise TokenError(f"{self.path} cannot be read: {error.strerror}") from None
        seen = (status.st_ino, status.st_mtime_ns, status.st_size)
        if seen != self._seen:
            self._tokens, self._seen = _by_hash(self._read()), seen
        return self._tokens

    def _add(self, token: Token) -> bool:
        if token.team is not None:
            raise TokenError(
                "teams are a centre's: give its configuration, which has a storage.url, with --config"
            )
        with self._changing() as tokens:
            if any(one.name == token.name for one in tokens):
                return False
            tokens.append(token)
            return True

    def _remove(self, name: str) -> bool:
        with self._changing() as tokens:
            before = len(tokens)
            tokens[:] = [token for token in tokens if token.name != name]
            return len(tokens) < before

    @contextlib.contextmanager
    def _changing(self) -> Iterator[list[Token]]:
        """Give the tokens to change, alone; what they are then is put in place at once, or not at all."""
        try:
            make_private_dir(self._data_dir)
            lock = open_private(f"{self.path}.lock", os.O_RDWR | os.O_CREAT)
        except OSError as error:
            raise TokenError(f"{self._data_dir} cannot be used: {error.strerror}") from None
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            before = self._read() if os.path.exists(self.path) else []
            tokens = list(before)
            yield tokens
            if tokens != before:
                content = msgspec.json.format(msgspec.json.encode(_Content(tokens)), indent=1)
                replace_file(self.path, content, is_synced=True)
        except OSError as error:
            raise TokenError(f"{self.path} cannot be written: {error.strerror}") from None
        finally:
            os.close(lock)

    def _read(self) -> list[Token]:
        try:
            return _decode(read_private(self.path)).tokens
        except OSError as error:
            raise TokenError(f"{self.path} cannot be read: {error.strerror}") from None
        except REFUSALS:
            raise TokenError(f"{self.path} is damaged: remove it, and make the tokens again") from None
