"""The tokens of a centre: named, with scopes and perhaps a team, kept as hashes."""

from proxy.store.fleet import TokenRow
from proxy.store.postgres.connections import Connection, execute


def read_tokens(connection: Connection) -> list[TokenRow]:
    """Return all tokens, by name."""
    query = "SELECT name, sha256, scopes, team, created_at FROM tokens ORDER BY name"
    return [TokenRow(*row) for row in execute(connection, query)]


def add_token(
    connection: Connection, name: str, sha256: str, scopes: list[str], team: str | None = None
) -> bool:
    """Add a token; return whether there was none of that name."""
    query = "INSERT INTO tokens (name, sha256, scopes, team) VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING"
    return execute(connection, query, (name, sha256, scopes, team)).rowcount > 0


def remove_token(connection: Connection, name: str) -> bool:
    """Remove a token; return whether there was one of that name."""
    return execute(connection, "DELETE FROM tokens WHERE name = %s", (name,)).rowcount > 0
