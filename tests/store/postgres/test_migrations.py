"""The tables of a centre: forward only, once, whoever does it."""

import threading

import psycopg
import pytest

from proxy.store import StoreError
from proxy.store.postgres import migrations
from proxy.store.postgres.migrations import OldSchemaError, migrate
from proxy.store.postgres.store import PostgresStore
from tests.store.postgres.cluster import shared_cluster


def test_again_it_changes_nothing(url: str) -> None:
    """The tables are there: nothing is done, and that is no error."""
    assert migrate(url) == []


def test_two_at_once(url: str) -> None:
    """One works, the other waits and finds that all is done."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP SCHEMA claude_proxy CASCADE")
    done: list[list[int]] = []
    threads = [threading.Thread(target=lambda: done.append(migrate(url))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    newest = [number for number, _ in migrations._steps()]
    assert sorted(done) == [[], [], newest]
    PostgresStore(url).close()


def test_another_version_is_refused(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server on tables that are too old names the command; on newer ones it says which program to use."""
    steps = migrations._steps()
    with monkeypatch.context() as patch:
        patch.setattr(migrations, "_steps", lambda: [*steps, (999, "SELECT 1")])
        with pytest.raises(OldSchemaError, match="claude-proxy store migrate"):
            PostgresStore(url)
        assert migrate(url) == [999]
        PostgresStore(url).close()
    with pytest.raises(OldSchemaError, match="newer claude-proxy"):
        PostgresStore(url)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP SCHEMA claude_proxy CASCADE")
    with pytest.raises(OldSchemaError, match="claude-proxy store migrate"):
        PostgresStore(url)


def test_a_step_that_fails_leaves_what_was(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is gone on with where it was."""
    steps = migrations._steps()
    bad = [
        *steps,
        (998, "CREATE TABLE fine (x integer)"),
        (999, "CREATE TABLE bad (x integer); SELECT 1 / 0"),
    ]
    with monkeypatch.context() as patch:
        patch.setattr(migrations, "_steps", lambda: bad)
        with pytest.raises(StoreError, match="division by zero"):
            migrate(url)
    with monkeypatch.context() as patch:
        patch.setattr(migrations, "_steps", lambda: [*bad[:-1], (999, "CREATE TABLE bad (x integer)")])
        assert migrate(url) == [999]


def test_a_step_that_is_killed_runs_again(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of it stays, nor the lock that keeps others away."""
    steps = migrations._steps()
    killed = "CREATE TABLE half (x integer); SELECT pg_terminate_backend(pg_backend_pid())"
    with monkeypatch.context() as patch:
        patch.setattr(migrations, "_steps", lambda: [*steps, (999, killed)])
        with pytest.raises(StoreError):
            migrate(url)
    with monkeypatch.context() as patch:
        patch.setattr(migrations, "_steps", lambda: [*steps, (999, "CREATE TABLE half (x integer)")])
        assert migrate(url) == [999]


def test_nobody_there(tmp_path: object) -> None:
    """A database that does not answer is said in a sentence."""
    with pytest.raises(StoreError):
        migrate(f"postgresql://postgres@/x?host={tmp_path}")
    with pytest.raises(StoreError):
        PostgresStore(shared_cluster().url("no_such_database"))
