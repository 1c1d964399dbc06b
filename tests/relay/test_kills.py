"""SIGKILL at random instants under load: what either side received is in the log.

The seeds are fixed, so that the same load and the same moments (counted in bytes) are tried on every run.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import threading
from typing import TYPE_CHECKING

import pytest

from proxy.upkeep.verification import verify
from tests.relay.wrapper import BOUND_S, Running, Wrapper, ends, read_some, write_all
from tests.sessions.test_sealing import checked

if TYPE_CHECKING:
    from pathlib import Path

    from tests.sessions.logs import Log

KILLS = 200
GROUPS = 10
STREAM_JSON = ["--input-format", "stream-json", "--output-format", "stream-json"]


def load(chance: random.Random) -> list[bytes]:
    """Return lines to send: short and long, valid ones and others, in runs and mixed."""
    kinds = [
        b'{"type":"keep_alive","n":%d,"pad":"%b"}',
        b'{"type":"novelty","n":%d,"pad":"%b"}',
        b"text %d %b",
    ]
    sizes = chance.choice([[0], [900], [0, 900, 5000], [40_000], [0, 0, 0, 0, 150_000]])
    mixed = chance.random() < 0.5
    lines = [
        (kinds[0] if not mixed else chance.choice(kinds)) % (n, b"." * chance.choice(sizes))
        for n in range(300)
    ]
    return lines[: 1 + 1_000_000 // max(1, len(b"".join(lines)) // len(lines))]


class Victim:
    """One wrapped echo under load, and what either side of the wrapper received."""

    options: tuple[str, ...] = ()

    def __init__(
        self, wrapper: Wrapper, claude: Path, chance: random.Random, *, sealed: bool = False
    ) -> None:
        self.wrapper = wrapper
        self.lines = load(chance)
        self.by_command = wrapper.data_dir.with_suffix(".received")
        command = [str(claude), "-c", f"exec tee {self.by_command}", "claude", *STREAM_JSON]
        mode = chance.choice(["observe", "observe", "enforce", "off"])
        options = ["--validation", mode, "--seal", "on" if sealed else "off", *self.options]
        self.running: Running = wrapper.start(*command, options=options, stderr=subprocess.DEVNULL)
        self.by_caller = b""
        self._feeder = threading.Thread(target=self._feed)
        self._feeder.start()

    def _feed(self) -> None:
        with contextlib.suppress(BrokenPipeError):
            while True:
                write_all(self.running.writer, b"\n".join(self.lines) + b"\n")

    def read(self, size: int) -> None:
        """Receive at least so many bytes."""
        while len(self.by_caller) < size:
            self.by_caller += read_some(self.running.reader)

    def kill(self, whom: str) -> None:
        """Kill the wrapper, its relay process, or both; then receive what is still under way."""
        pids = [self.running.pid]
        if whom != "wrapper":
            pids.insert(0, self.wrapper.started()["relay_pid"])
        for pid in pids[:1] if whom == "relay" else pids:
            os.kill(pid, signal.SIGKILL)
        while chunk := read_some(self.running.reader):
            self.by_caller += chunk
        self._feeder.join()
        assert self.running.wait(BOUND_S) == -signal.SIGKILL  # also if the command was the first to end

    def check(self, whom: str) -> None:
        """All that arrived as whole lines is on record, in order, byte for byte, and nothing was made up."""
        if not self.wrapper.paths():
            assert self.by_caller == b""
            return
        log = self.wrapper.finished_log()
        if log.records:
            ends(log.event("session_started")["pid"])
        if whom == "wrapper":
            assert log.ended["signal"] == "SIGKILL"
        received = self.by_command.read_bytes() if self.by_command.exists() else b""
        self._check_lines(log, "stdin", received)
        self._check_lines(log, "stdout", self.by_caller)

    def _check_lines(self, log: Log, stream: str, received: bytes) -> None:
        recorded = log.lines(stream)
        truncated = [bool(record.fields.get("truncated")) for record in log.of(stream)]
        assert not any(truncated[:-1])
        *whole, _begun = received.split(b"\n")
        assert recorded[: len(whole)] == whole
        for number, line in enumerate(recorded):
            sent = self.lines[number % len(self.lines)]
            assert line == sent or (truncated[number] and sent.startswith(line))


@pytest.mark.parametrize(
    "group", [0, *(pytest.param(group, marks=pytest.mark.slow) for group in range(1, GROUPS))]
)
def test_whatever_is_killed_the_log_has_what_was_received(tmp_path: Path, claude: Path, group: int) -> None:
    """Each whole line that the caller or the command got is in the log, which ends whole or in one torn line."""
    for seed in range(group, KILLS, GROUPS):
        chance = random.Random(seed)
        whom = chance.choice(["wrapper", "relay", "both"])
        size = chance.choice([1, chance.randrange(1, 5000), chance.randrange(1, 300_000)])
        victim = Victim(Wrapper(tmp_path / str(seed)), claude, chance)
        with victim.running:
            victim.read(size)
            victim.kill(whom)
            victim.check(whom)


@pytest.mark.parametrize(
    "steps",
    [0, 8, 16, *(pytest.param(steps, marks=pytest.mark.slow) for steps in range(4, 40, 4) if steps % 8)],
)
def test_killed_while_it_starts(tmp_path: Path, claude: Path, steps: int) -> None:
    """At any moment of its start the wrapper can be killed, and leaves neither a command nor half a truth."""
    victim = Victim(Wrapper(tmp_path / "data"), claude, random.Random(steps))
    with victim.running:
        for _ in range(steps):  # some way further into its start
            os.sched_yield()
        victim.kill("wrapper")
        victim.check("start")


KILLED_WHILE_SEALED = 60
"""About half a minute; more are tried by hand, with other numbers."""


@pytest.mark.parametrize("group", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_no_checkpoint_is_wrong_whenever_a_sealed_session_is_killed(
    tmp_path: Path, claude: Path, group: int
) -> None:
    """What a checkpoint says is before it, is, and a wrapper that died is no alarm."""
    for seed in range(5) if group == 0 else range(5, KILLED_WHILE_SEALED):
        chance = random.Random(seed)
        whom = chance.choice(["wrapper", "relay", "both"])
        size = chance.choice([1, chance.randrange(1, 5000), chance.randrange(1, 1_500_000)])
        victim = Victim(Wrapper(tmp_path / str(seed)), claude, chance, sealed=True)
        with victim.running:
            victim.read(size)
            victim.kill(whom)
            victim.check(whom)
        for path in victim.wrapper.paths():
            checked(path)
            assert verify(path.stem, str(path), []).integrity.startswith("whole")
