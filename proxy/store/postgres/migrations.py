"""The tables of a centre: numbered SQL, forward only, one at a time, by whoever is first.

A `serve` does not migrate: several may run, of which the older ones know nothing of newer tables.
"""

from importlib import resources

from proxy.store.postgres.connections import SCHEMA, Connection, connect, execute, translated_errors, value_of
from proxy.store.protocol import StoreError

_LOCK = 0x636C61756465
"""Key of an advisory lock, `claude` in ASCII: held while the tables are changed."""


class OldSchemaError(StoreError):
    """The tables are not those that this program works with; the sentence says what to do."""


def migrate(url: str) -> list[int]:
    """Bring the tables up to date; return the numbers of what was done. StoreError when that cannot be.

    Each step is a transaction of its own: killed in the middle, it is gone on with where it was.
    """
    done = []
    with translated_errors(), connect(url) as connection:
        execute(connection, "SELECT pg_advisory_lock(%s)", (_LOCK,))
        try:
            execute(connection, f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
            execute(
                connection,
                f"CREATE TABLE IF NOT EXISTS {SCHEMA}.schema_version"
                " (version integer PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())",
            )
            there = _version(connection)
            for number, statements in _steps():
                if number > there:
                    with connection.transaction():
                        execute(connection, f"SET LOCAL search_path TO {SCHEMA}")
                        execute(connection, statements)
                        execute(connection, "INSERT INTO schema_version VALUES (%s)", (number,))
                    done.append(number)
        finally:
            execute(connection, "SELECT pg_advisory_unlock(%s)", (_LOCK,))
    return done


def check_schema(connection: Connection) -> None:
    """Check that the tables are those of this program. OldSchemaError when they are not."""
    newest = max(number for number, _ in _steps())
    exists = value_of(connection, "SELECT to_regclass(%s)", (f"{SCHEMA}.schema_version",))
    there = _version(connection) if exists else 0
    if there < newest:
        raise OldSchemaError(
            f"the database is at version {there} and this program needs {newest}; run: claude-proxy store migrate"
        )
    if there > newest:
        raise OldSchemaError(
            f"the database is at version {there}, of a newer claude-proxy; this one knows {newest}: upgrade it"
        )


def _version(connection: Connection) -> int:
    return int(value_of(connection, f"SELECT coalesce(max(version), 0) FROM {SCHEMA}.schema_version"))


def _steps() -> list[tuple[int, str]]:
    """Return number and statements of each step, in order."""
    folder = resources.files("proxy.store.postgres") / "schema"
    found = [(int(one.name[:3]), one.read_text()) for one in folder.iterdir() if one.name.endswith(".sql")]
    return sorted(found)
