"""What is in a database, for tests that look for what must not be there."""

from collections.abc import Iterator

import zstandard

from proxy.store.postgres.connections import SCHEMA, connect, execute

__all__ = ["contents", "database_bytes"]


def contents(url: str) -> Iterator[bytes]:
    """Yield every value of every table, as `pg_dump` would have them, and decompressed what is compressed."""
    with connect(url) as connection:
        query = "SELECT tablename FROM pg_tables WHERE schemaname = %s"
        for (table,) in execute(connection, query, (SCHEMA,)).fetchall():
            for row in execute(connection, f"SELECT * FROM {SCHEMA}.{table}"):
                for value in row:
                    yield value if isinstance(value, bytes) else str(value).encode()
                    if table.startswith("bodies") and isinstance(value, bytes):
                        yield zstandard.ZstdDecompressor().decompress(value)


def database_bytes(url: str) -> int:
    """Return the size of a database."""
    with connect(url) as connection:
        ((size,),) = execute(connection, "SELECT pg_database_size(current_database())").fetchall()
    return int(size)
