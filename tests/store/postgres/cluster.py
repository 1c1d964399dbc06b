"""A PostgreSQL cluster of the tests' own: on a socket alone, gone with them."""

import contextlib
import glob
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

import psycopg

from proxy.store.postgres.migrations import migrate

_numbers = count()
_OPTIONS = {
    "listen_addresses": "",
    "fsync": "off",  # what is killed is the process, never the machine
    "full_page_writes": "off",
    "shared_buffers": "32MB",
    "max_connections": "200",
    "jit": "off",
    "log_min_messages": "fatal",
}


def binaries() -> str | None:
    """Return the folder of PostgreSQL's programs, None where there is none."""
    if found := sorted(glob.glob("/usr/lib/postgresql/*/bin"), key=lambda path: int(path.split("/")[4])):
        return found[-1]
    found_one = shutil.which("initdb")
    return os.path.dirname(found_one) if found_one else None


class Cluster:
    """One cluster, which can be killed and started again."""

    def __init__(self, **options: str) -> None:
        """``options``: settings of the server, in place of those for tests."""
        self._options = {**_OPTIONS, **options}
        programs = binaries()
        assert programs is not None
        self._programs = programs
        self.folder = tempfile.mkdtemp(prefix="claude-proxy-postgres-")
        # PostgreSQL does not run as root.
        self._user: dict[str, Any] = {}
        if os.geteuid() == 0:
            owner = pwd.getpwnam("postgres")
            os.chown(self.folder, owner.pw_uid, owner.pw_gid)
            self._user = {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}
        self.data = os.path.join(self.folder, "data")
        arguments = [
            "-A",
            "trust",
            "-U",
            "postgres",
            "-E",
            "UTF8",
            "--locale",
            "C",
            "--no-sync",
            "-D",
            self.data,
        ]
        self._run("initdb", *arguments)
        self._server: subprocess.Popen[bytes] | None = None
        try:
            self.start()
            with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
                connection.execute("CREATE DATABASE template_of_tests")
            migrate(self.url("template_of_tests"))
        except BaseException:
            self.close()
            raise

    def url(self, database: str) -> str:
        """Return the address of a database."""
        return f"postgresql://postgres@/{database}?host={self.folder}"

    def start(self) -> None:
        """Start the server, and wait until it answers."""
        options = [text for name, value in self._options.items() for text in ("-c", f"{name}={value}")]
        self._server = subprocess.Popen(
            [f"{self._programs}/postgres", "-D", self.data, "-k", self.folder, *options],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            cwd=self.folder,
            **self._user,
        )
        until = time.monotonic() + 60
        while True:
            with contextlib.suppress(psycopg.OperationalError), psycopg.connect(self.url("postgres")):
                return
            assert time.monotonic() < until, "PostgreSQL does not start"
            time.sleep(0.05)

    def pids(self) -> list[int]:
        """Return its processes."""
        assert self._server is not None
        children = Path(f"/proc/{self._server.pid}/task/{self._server.pid}/children").read_text()
        return [self._server.pid, *map(int, children.split())]

    def kill(self) -> None:
        """Kill the server and all its processes at once."""
        if self._server is not None:
            os.killpg(self._server.pid, signal.SIGKILL)
            self._server.wait(60)
        self._server = None

    def back_up(self) -> None:
        """Keep what is there now, for `restore`."""
        self.kill()
        subprocess.run(["cp", "-a", self.data, f"{self.folder}/backup"], check=True)
        self.start()

    def restore(self) -> None:
        """Go back to what was kept."""
        self.kill()
        shutil.rmtree(self.data)
        os.rename(f"{self.folder}/backup", self.data)
        self.start()

    @contextlib.contextmanager
    def database(self) -> Iterator[str]:
        """Give the address of a fresh database, whose tables are there."""
        name = f"test_{next(_numbers)}"
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            # As files: without `fsync` their checkpoints cost nothing, and through the log it takes five times as long.
            connection.execute(
                f"CREATE DATABASE {name} TEMPLATE template_of_tests STRATEGY FILE_COPY".encode()
            )
        try:
            yield self.url(name)
        finally:
            with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
                connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())

    def close(self) -> None:
        """Remove everything."""
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _run(self, program: str, *arguments: str) -> None:
        command = [f"{self._programs}/{program}", *arguments]
        subprocess.run(command, check=True, capture_output=True, cwd=self.folder, timeout=120, **self._user)


@cache
def shared_cluster() -> Cluster:
    """Return the one that tests share which do not kill it."""
    return Cluster()


def close_shared() -> None:
    """Remove the shared one, if there is one."""
    if shared_cluster.cache_info().currsize:
        shared_cluster().close()
        shared_cluster.cache_clear()
