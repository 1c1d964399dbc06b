"""``claude-proxy forget``: as whoever looks after a centre uses it."""

import contextlib
from pathlib import Path

import pytest

pytest.importorskip("psycopg")

from proxy.store.fleet import Arriving, Saying
from proxy.store.postgres.connections import connect, writing
from proxy.store.postgres.hosts import hear
from proxy.store.postgres.intake import Intake
from tests.cli.test_store import run
from tests.recorded import LogMaker, scenario


def test_forget(tmp_path: Path, url: str) -> None:
    """Sessions go by their ids or their host's; a name that several hosts have is refused."""
    config = f"storage: {{url: '{url}'}}"
    with contextlib.closing(Intake(url)) as intake:
        for number, name in enumerate(("laptop", "laptop", "runner")):
            host_id = f"{number:032x}"
            with connect(url) as connection, writing(connection):
                hear(connection, Saying(host_id, name, "everybody", "1", 0, None, 0, {}))
            sessions = [f"s{number}", f"t{number}"]
            logs = [scenario("simple", LogMaker(one)) for one in sessions]
            intake.take(
                [
                    Arriving(host_id, None, *one, running=False)
                    for one in zip(sessions, (0, 0), logs, strict=True)
                ]
            )

    def forget(*words: str) -> tuple[int, list[str], str]:
        ran = run(tmp_path, "forget", *words, config=config)
        return ran.returncode, ran.stdout.splitlines(), ran.stderr

    assert forget("s0", "--dry-run") == (0, ["s0", "1 session would go"], "")
    assert forget("s0") == (0, ["s0", "1 session erased"], "")
    assert forget("s0", "t0") == (
        1,
        ["t0", "1 session erased"],
        "claude-proxy: the centre has no session 's0'\n",
    )
    status, _, said = forget("--host", "laptop")
    assert (status, f"{1:032x}" in said, "several hosts" in said) == (2, True, True)
    assert forget("--host", f"{1:032x}", "--host", "runner", "--dry-run")[1][-1] == "4 sessions would go"
    assert forget("--host", f"{1:032x}")[1] == ["s1", "t1", "2 sessions erased"]
    assert forget("--host", "runner")[0] == 0
    assert "knows no host 'nobody'" in forget("--host", "nobody")[2]
    assert "forget takes a SESSION" in forget()[2]
