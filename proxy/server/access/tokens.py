"""The tokens of a data directory: named, with scopes, kept as hashes, in ``DATA_DIR/tokens.json`` (mode 0600).

A token is 256 random bits, so its plain SHA-256 tells nobody anything. Whoever changes the file holds its lock and
puts a whole new file in place of the old one; a server looks at it again for each request that brings a token, so
that one is good, and is refused, as soon as the command has returned.
"""

import contextlib
import fcntl
import hashlib
import json
import math
import os
import re
import secrets
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Protocol

from proxy.events.timestamps import format_timestamp
from proxy.sessions.private import make_private_dir, open_private
from proxy.store import StoreError
from proxy.store.fleet import TokenRow

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


@dataclass(frozen=True, slots=True)
class Token:
    """What is known of a token; not the token."""

    name: str
    scopes: tuple[str, ...]
    sha256: str
    created_at: str = ""
    team: str | None = None
    """Whose sessions alone it sees, and to which it pushes; None: all of them."""


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


class Tokens(Protocol):
    """Where tokens are kept."""

    def tokens(self) -> dict[str, Token]:
        """Return all by their hash. TokenError when they cannot be read."""

    def find(self, sha256: str) -> Token | None:
        """Return a token by its hash, None when there is none. TokenError when that cannot be told."""

    def create(self, name: str, scopes: Iterable[str], team: str | None = None) -> str:
        """Make a token and return it: nobody can learn it later. TokenError: the name is taken, or none."""

    def revoke(self, name: str) -> None:
        """Make a token worthless. TokenError when there is none of that name."""


class TokenTable(Protocol):
    """The rows of tokens in a centre's database. Each method raises StoreError."""

    def tokens(self) -> list[TokenRow]:
        """Return all."""

    def add_token(self, name: str, sha256: str, scopes: list[str], team: str | None) -> bool:
        """Add one; return whether there was none of that name."""

    def remove_token(self, name: str) -> bool:
        """Remove one; return whether there was one of that name."""


class StoredTokens:
    """The tokens of a centre, as they were a few seconds ago at most."""

    def __init__(self, table: TokenTable) -> None:
        self._table = table
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
                rows = self._table.tokens()
            self._tokens = {row.sha256: _token_of(row) for row in rows}
            self._read_at = now

    def create(self, name: str, scopes: Iterable[str], team: str | None = None) -> str:
        """Make a token and return it. TokenError: the name is taken, or none, or the database cannot be asked."""
        secret, token = _new(name, scopes)
        with _database():
            if not self._table.add_token(token.name, token.sha256, list(token.scopes), team):
                raise _taken(name)
        return secret

    def revoke(self, name: str) -> None:
        """Make a token worthless. TokenError when there is none of that name, or the database cannot be asked."""
        with _database():
            if not self._table.remove_token(name):
                raise _unknown(name)


@contextlib.contextmanager
def _database() -> Iterator[None]:
    try:
        yield
    except StoreError as error:
        raise TokenError(f"the database cannot be asked: {error}") from None


def _token_of(row: TokenRow) -> Token:
    created_at = format_timestamp(int(row.created_at.timestamp()) * 1_000_000)
    return Token(row.name, tuple(row.scopes), row.sha256, created_at, row.team)


def _new(name: str, scopes: Iterable[str]) -> tuple[str, Token]:
    if not _NAME.fullmatch(name):
        raise TokenError(f"{name!r} is no name: letters, digits, dots, `_` and `-`, at most 64")
    secret = f"cp_{secrets.token_urlsafe(32)}"
    now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    wanted = {one for scope in scopes for one in (scope, *_IMPLIED.get(scope, ()))}
    return secret, Token(name, tuple(one for one in SCOPES if one in wanted), hashed(secret), now)


def _taken(name: str) -> TokenError:
    return TokenError(f"there is a token {name!r} already: revoke it first, or take another name")


def _unknown(name: str) -> TokenError:
    return TokenError(f"there is no token {name!r}; `claude-proxy token list` lists them")


class TokenFile:
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
            self._tokens, self._seen = {token.sha256: token for token in self._read()}, seen
        return self._tokens

    def find(self, sha256: str) -> Token | None:
        """Return a token by its hash, None when there is none. TokenError when the file cannot be used."""
        return self.tokens().get(sha256)

    def create(self, name: str, scopes: Iterable[str], team: str | None = None) -> str:
        """Make a token and return it. TokenError: the name is taken, or none, or a team is given."""
        if team is not None:
            raise TokenError(
                "teams are a centre's: give its configuration, which has a storage.url, with --config"
            )
        secret, token = _new(name, scopes)
        with self._changing() as tokens:
            if any(one.name == name for one in tokens):
                raise _taken(name)
            tokens.append(token)
        return secret

    def revoke(self, name: str) -> None:
        """Make a token worthless. TokenError when there is none of that name."""
        with self._changing() as tokens:
            left = [token for token in tokens if token.name != name]
            if len(left) == len(tokens):
                raise _unknown(name)
            tokens[:] = left

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
            tokens = self._read() if os.path.exists(self.path) else []
            yield tokens
            self._write(tokens)
        except OSError as error:
            raise TokenError(f"{self.path} cannot be written: {error.strerror}") from None
        finally:
            os.close(lock)

    def _read(self) -> list[Token]:
        try:
            with open(open_private(self.path, os.O_RDONLY), encoding="utf-8") as file:
                stored = json.load(file)["tokens"]
            return [
                Token(
                    str(one["name"]),
                    tuple(map(str, one["scopes"])),
                    str(one["sha256"]),
                    str(one["created_at"]),
                )
                for one in stored
            ]
        except OSError as error:
            raise TokenError(f"{self.path} cannot be read: {error.strerror}") from None
        except (ValueError, KeyError, TypeError, RecursionError):
            raise TokenError(f"{self.path} is damaged: remove it, and make the tokens again") from None

    def _write(self, tokens: list[Token]) -> None:
        fd, fresh = tempfile.mkstemp(prefix="tokens.json.", dir=self._data_dir)
        try:
            os.fchmod(fd, 0o600)  # which it is, but for what the umask has taken
            with os.fdopen(fd, "w", encoding="utf-8") as file:
                json.dump({"version": 1, "tokens": [_kept(token) for token in tokens]}, file, indent=1)
                file.flush()
                os.fsync(file.fileno())
            os.rename(fresh, self.path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(fresh)
            raise
        folder = os.open(self._data_dir, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _kept(token: Token) -> dict[str, object]:
    """Return what the file has of a token: it is of no team."""
    return {name: value for name, value in asdict(token).items() if name != "team"}
