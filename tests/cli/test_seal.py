"""``claude-proxy seal`` and ``verify``, as somebody uses them who answers for what agents did."""

from __future__ import annotations

import http.server
import json
import os
import socket
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest

from proxy.sessions.record import lifecycle
from proxy.sessions.sealing import SealedLog, seals_path
from tests.command_line import Finished, claude_proxy
from tests.sessions.test_sealing import RECORDS
from tests.upkeep.test_signatures import make_key
from tests.upkeep.test_signatures import pytestmark as needs_openssh

if TYPE_CHECKING:
    from pathlib import Path

LINE = b'{"type":"keep_alive","key":"sk-ant-api03-' + b"A" * 93 + b'AA"}'


def record(data_dir: Path, session_id: str, *, sealed: bool = True) -> Path:
    """Record a session that has ended; return its log."""
    options = ["--data-dir", str(data_dir), "--server", "off", "--session-id", session_id, "--redact", "off"]
    command = [sys.executable, "-m", "proxy", *options, "--seal", "on" if sealed else "off", "--", "cat"]
    subprocess.run(command, input=LINE + b"\n", check=True, capture_output=True)
    return data_dir / "sessions" / f"{session_id}.jsonl"


def verify(data_dir: Path, *words: str) -> Finished:
    """Run the subcommand."""
    return claude_proxy("verify", "--data-dir", str(data_dir), *words)


def verdicts(data_dir: Path, *words: str) -> dict[str, dict[str, Any]]:
    """Return what it says of each session."""
    return {
        one["session_id"]: one for one in json.loads(verify(data_dir, "--json", *words).stdout)["sessions"]
    }


def change(path: Path) -> None:
    """Change a byte of what was recorded."""
    path.write_bytes(path.read_bytes().replace(b"keep_alive", b"keep-alive", 1))


def test_each_session_is_told(tmp_path: Path) -> None:
    """Integrity, where else it is known, and apart from that what the log lacks; the status is that of the worst."""
    record(tmp_path, "good")
    record(tmp_path, "plain", sealed=False)
    ran = verify(tmp_path)
    assert (ran.status, ran.stdout) == (
        0,
        "good  whole; here only; complete\nplain  not sealed; here only; complete\n",
    )
    change(record(tmp_path, "bad"))
    record(tmp_path, "gone").unlink()
    ran = verify(tmp_path)
    assert ran.status == 1
    assert ran.stdout.splitlines()[1:] == [
        "plain  not sealed; here only; complete",
        "bad  changed at record 0; here only; complete",
        "gone  missing; here only",
    ]
    assert verify(tmp_path, "good", "plain").status == 0
    assert (verify(tmp_path, "gone").status, verify(tmp_path, "gon").stdout) == (
        1,
        "gone  missing; here only\n",
    )
    assert verify(tmp_path, "nobody").status == 2


def test_off_by_default(tmp_path: Path) -> None:
    """Nobody who has not asked for seals has any."""
    record(tmp_path, "plain", sealed=False)
    assert b"checkpoint" not in (tmp_path / "sessions" / "plain.jsonl").read_bytes()
    assert not (tmp_path / "seals.jsonl").exists()


@pytest.mark.parametrize("how", ["option", "variable", "file"])
def test_it_is_switched_on(tmp_path: Path, how: str) -> None:
    """By the option, its variable, and ``storage.seal`` of a configuration, where YAML takes ``on`` for true."""
    (tmp_path / "c.yaml").write_text("storage: {seal: on}\n")
    words = {"option": ["--seal", "on"], "variable": [], "file": ["--config", str(tmp_path / "c.yaml")]}[how]
    environment = {**os.environ, **({"CLAUDE_PROXY_SEAL": "on"} if how == "variable" else {})}
    options = ["--data-dir", str(tmp_path / "data"), "--server", "off", *words]
    command = [sys.executable, "-m", "proxy", *options, "--", "true"]
    subprocess.run(command, check=True, env=environment, stdin=subprocess.DEVNULL)
    (verdict,) = verdicts(tmp_path / "data").values()
    assert verdict["integrity"] == "whole"


def test_what_retention_removed_is_not_missing(tmp_path: Path) -> None:
    """A log that goes by a rule is told as gone by it, with its signature; one of which nobody knows is missing."""
    path = record(tmp_path, "old")
    (path.parent / "old.jsonl.sig").write_text("a signature")
    os.utime(path, (1, 1))
    assert claude_proxy("prune", "--days", "1", "--data-dir", str(tmp_path)).status == 0
    assert os.listdir(path.parent) == []
    ran = verify(tmp_path)
    assert (ran.status, ran.stdout) == (0, "old  removed by retention; here only\n")


def test_what_was_sealed_afterwards_goes_lawfully_too(tmp_path: Path) -> None:
    """A session that got its line when it was over is not missing either when retention or a copy takes its place."""
    for session_id in ("old", "copied"):
        path = record(tmp_path, session_id, sealed=False)
        assert claude_proxy("seal", session_id, "--data-dir", str(tmp_path)).status == 0
    os.utime(tmp_path / "sessions" / "old.jsonl", (1, 1))
    assert claude_proxy("prune", "--days", "1", "--data-dir", str(tmp_path)).status == 0
    copy = tmp_path / "copy.jsonl"
    assert claude_proxy("redact", "copied", "-o", str(copy), "--data-dir", str(tmp_path)).status == 0
    copy.rename(path)
    ran = verify(tmp_path)
    assert (ran.status, ran.stdout) == (
        0,
        "copied  whole (redacted copy); here only; 2 redacted\nold  removed by retention; here only\n",
    )


def test_retention_leaves_no_word_of_what_was_not_sealed(tmp_path: Path) -> None:
    """Without seals nothing is written that was not written before."""
    os.utime(record(tmp_path, "old", sealed=False), (1, 1))
    assert claude_proxy("prune", "--days", "1", "--data-dir", str(tmp_path)).status == 0
    assert not (tmp_path / "seals.jsonl").exists()


def test_a_redacted_copy(tmp_path: Path) -> None:
    """A copy that `redact` made is whole as such a copy, also in the log's place; changed, it is changed."""
    path, copy = record(tmp_path, "s"), tmp_path / "copy.jsonl"
    words = ("redact", "s", "-o", str(copy), "--data-dir", str(tmp_path), "--redact", "on")
    assert claude_proxy(*words).status == 0
    assert b"sk-ant-api03" not in copy.read_bytes()
    ran = verify(tmp_path, str(copy))
    assert (ran.status, ran.stdout) == (0, "s  whole (redacted copy); here only; 2 redacted\n")
    seqs = [json.loads(line)["seq"] for line in copy.read_bytes().splitlines()]
    assert seqs == list(range(len(seqs)))
    path.unlink()
    assert verdicts(tmp_path)["s"]["integrity"] == "replaced by a redacted copy"
    copy.rename(path)
    assert verdicts(tmp_path)["s"]["integrity"] == "whole"
    change(path)
    assert verify(tmp_path).status == 1


def test_an_exported_copy(tmp_path: Path) -> None:
    """A copy that `export --redact` wrote has a seal; one that was refused has none."""
    record(tmp_path, "s")
    seals, folder = tmp_path / "seals.jsonl", tmp_path / "out"
    words = ("export", "s", "--to", str(folder), "--redact", "on", "--data-dir", str(tmp_path))
    assert claude_proxy(*words).status == 0
    sealed = seals.read_bytes()
    ran = verify(tmp_path, str(folder / "s.jsonl"))
    assert (ran.status, ran.stdout) == (0, "s  whole (redacted copy); here only; 2 redacted\n")
    (folder / "s.jsonl").write_bytes(b"{}\n")
    assert claude_proxy(*words).status == 1
    assert seals.read_bytes() == sealed


def test_a_copy_goes_with_its_seals(tmp_path: Path) -> None:
    """A backup has the seals and signatures, and what is restored from it verifies as the original does."""
    path = record(tmp_path / "a", "s")
    path.with_name("s.jsonl.sig").write_text("a signature")
    made = claude_proxy("backup", "--json", "--data-dir", str(tmp_path / "a"))
    assert json.loads(made.stdout)["sessions"] == 1
    assert (
        claude_proxy("restore", json.loads(made.stdout)["path"], "--data-dir", str(tmp_path / "b")).status
        == 0
    )
    assert verdicts(tmp_path / "b") == verdicts(tmp_path / "a")
    assert (tmp_path / "b" / "sessions" / "s.jsonl.sig").read_text() == "a signature"
    seals = (tmp_path / "a" / "seals.jsonl").read_bytes()
    assert (tmp_path / "b" / "seals.jsonl").read_bytes() == seals
    # Where there are seals of other sessions, they are not replaced.
    (tmp_path / "c").mkdir(mode=0o700)
    (tmp_path / "c" / "seals.jsonl").write_text('{"session_id":"other","prev":null}\n')
    ran = claude_proxy("restore", json.loads(made.stdout)["path"], "--data-dir", str(tmp_path / "c"))
    assert (ran.status, "seals of other sessions" in ran.stderr) == (1, True)
    assert not (tmp_path / "c" / "sessions").exists()


def test_a_changed_line_of_seals(tmp_path: Path) -> None:
    """The lines of seals are verified too."""
    record(tmp_path, "a")
    record(tmp_path, "b")
    path = tmp_path / "seals.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"session_id":"a"', b'"session_id":"x"'))
    ran = verify(tmp_path, "b")
    assert (ran.status, ran.stderr) == (1, f"claude-proxy: {path} is changed at line 1\n")
    assert json.loads(verify(tmp_path, "--json").stdout)["seals"] == {"lines": 2, "changed_at": 1}


# -- what was kept elsewhere ---------------------------------------------------------------------------------


def test_against_what_was_kept_elsewhere(tmp_path: Path) -> None:
    """A log and seals that were written anew, or removed, are found by a copy of the seals, in a file or at a URL."""
    data_dir, kept = tmp_path / "data", tmp_path / "kept.jsonl"
    path = record(data_dir, "s")
    kept.write_bytes((data_dir / "seals.jsonl").read_bytes())
    assert verdicts(data_dir, "--against", str(kept))["s"]["anchored"] == "elsewhere"
    path.unlink()
    (data_dir / "seals.jsonl").unlink()
    assert verdicts(data_dir) == {}
    assert verdicts(data_dir, "--against", str(kept))["s"]["integrity"] == "missing"
    record(data_dir, "s")
    assert verdicts(data_dir)["s"]["integrity"] == "whole"
    assert verdicts(data_dir, "--against", str(kept))["s"]["integrity"].startswith("changed")
    with served(kept.read_bytes()) as url:
        assert verify(data_dir, "--against", url).status == 1
        ran = verify(data_dir, "--against", url + "/nothing")
    assert (ran.status, ran.stderr) == (
        2,
        f"claude-proxy: --against {url}/nothing cannot be read: Not Found\n",
    )


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (b"garbage\r\n\r\n", "cannot be read: garbage"),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n" + b'{"session_id":"s","prev":null}\n',
            "is cut off",
        ),
    ],
)
def test_a_place_that_answers_wrongly(tmp_path: Path, answer: bytes, says: str) -> None:
    """What is no answer, or half of one, is a mistake: fewer seals would prove less, and nobody would know."""
    with socket.create_server(("127.0.0.1", 0)) as place:
        place.settimeout(60)  # whatever fails

        def serve() -> None:
            with place.accept()[0] as client:
                client.recv(1 << 16)
                client.sendall(answer)

        server = threading.Thread(target=serve)
        server.start()
        url = f"http://127.0.0.1:{place.getsockname()[1]}"
        ran = verify(tmp_path, "--against", url)
        server.join()
    assert (ran.status, ran.stderr.startswith(f"claude-proxy: --against {url} {says}")) == (2, True)


def test_only_what_is_of_this_directory_can_be_missing(tmp_path: Path) -> None:
    """Where many machines send their seals to one place, the sessions of others are not missing here."""
    record(tmp_path, "s")
    seal = json.loads((tmp_path / "seals.jsonl").read_text())
    kept = tmp_path / "kept"
    kept.write_text(json.dumps({**seal, "session_id": "other", "host": "another.example", "data_dir": "/"}))
    assert set(verdicts(tmp_path, "--against", str(kept))) == {"s"}


@pytest.mark.parametrize("content", [None, b"", b"no seals\n"])
def test_what_cannot_be_held_against(tmp_path: Path, content: bytes | None) -> None:
    """A file that is not there, or has no seals, is a mistake and no proof."""
    record(tmp_path, "s")
    kept = tmp_path / "kept"
    if content is not None:
        kept.write_bytes(content)
    ran = verify(tmp_path, "--against", str(kept))
    assert (ran.status, ran.stdout) == (2, "")
    assert str(kept) in ran.stderr


class served:  # noqa: N801 - a function in all but its making
    """Serve a file at a URL; all others are not found."""

    def __init__(self, content: bytes) -> None:
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200 if self.path == "/" else 404)
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                pass

        self._server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever)

    def __enter__(self) -> str:
        """Return the URL."""
        self._thread.start()
        return f"http://127.0.0.1:{self._server.server_port}/"

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


# -- signatures ----------------------------------------------------------------------------------------------


@needs_openssh
def test_signed(tmp_path: Path) -> None:
    """A line is signed into a file beside the log; with known signers, the signature counts, and a bad one is told."""
    path, key = record(tmp_path, "s"), make_key(tmp_path / "key", "ann@example")
    ran = claude_proxy("seal", "s", "--key", key, "--data-dir", str(tmp_path))
    assert (ran.status, ran.stdout) == (0, (tmp_path / "seals.jsonl").read_text())
    ran = verify(tmp_path, "--signers", f"{key}.signers")
    assert (ran.status, ran.stdout) == (0, "s  whole; signed; signature by ann@example; complete\n")
    other = make_key(tmp_path / "other", "bob@example")
    ran = verify(tmp_path, "--signers", f"{other}.signers")
    assert (ran.status, ran.stdout) == (1, "s  whole; here only; signature not valid; complete\n")
    assert verify(tmp_path, "--signers", str(tmp_path / "none")).status == 2
    ran = claude_proxy("seal", "s", "--key", key, "--data-dir", str(tmp_path))
    assert (ran.status, "move it away" in ran.stderr) == (1, True)
    change(path)
    assert verdicts(tmp_path, "--signers", f"{key}.signers")["s"]["integrity"].startswith("changed")


@needs_openssh
def test_an_ordinary_session_is_sealed_and_signed(tmp_path: Path) -> None:
    """Any session that is over can be sealed afterwards; from then on it is held to that."""
    path, key = record(tmp_path, "s", sealed=False), make_key(tmp_path / "key", "ann@example")
    assert claude_proxy("seal", "s", "--key", key, "--data-dir", str(tmp_path)).status == 0
    assert verdicts(tmp_path, "--signers", f"{key}.signers")["s"]["anchored"] == "signed"
    change(path)
    assert verify(tmp_path).status == 1


def test_what_is_not_sealed(tmp_path: Path) -> None:
    """A session that runs, one that is changed, and one that there is not."""
    change(record(tmp_path, "s"))
    ran = claude_proxy("seal", "s", "--data-dir", str(tmp_path))
    assert (ran.status, ran.stdout) == (1, "")
    assert "changed at record 0" in ran.stderr
    assert claude_proxy("seal", "nobody", "--data-dir", str(tmp_path)).status == 2
    log = SealedLog(str(tmp_path), "live", lifecycle("live", "session_started", {"format": 1, "seal": "on"}))
    log.append([RECORDS.message(b"1", "valid")])
    ran = claude_proxy("seal", "live", "--data-dir", str(tmp_path))
    assert (ran.status, "is running" in ran.stderr) == (1, True)
    log.close()
    assert claude_proxy("seal", "live", "--data-dir", str(tmp_path)).status == 0
    assert verdicts(tmp_path)["live"]["integrity"] == "whole_to 2"
    assert os.path.exists(seals_path(str(tmp_path)))
