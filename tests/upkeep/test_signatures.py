"""Signatures by `ssh-keygen`: made by a key, and taken from known signers alone."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from proxy.upkeep.signatures import SignatureError, sign, signed_by

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="OpenSSH is not installed")
LINE = b'{"session_id":"s"}'


def make_key(path: Path, name: str) -> str:
    """Make a key, and a file of allowed signers beside it that knows it by that name."""
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)
    path.with_suffix(".signers").write_text(f"{name} {path.with_suffix('.pub').read_text()}")
    return str(path)


def test_a_signature_is_of_one_line_by_one_signer(tmp_path: Path) -> None:
    """It names who signed which of the lines; another line, or a signer who is not known, is none."""
    key, other = make_key(tmp_path / "key", "ann@example"), make_key(tmp_path / "other", "bob@example")
    signature = tmp_path / "sig"
    signature.write_bytes(sign(LINE, key))
    assert signed_by([b"x", LINE], str(signature), f"{key}.signers") == (LINE, "ann@example")
    assert signed_by([LINE + b" "], str(signature), f"{key}.signers") is None
    assert signed_by([LINE], str(signature), f"{other}.signers") is None


def test_stock_tools_check_it(tmp_path: Path) -> None:
    """Nobody needs this program for a check: `ssh-keygen` alone does it."""
    key = make_key(tmp_path / "key", "ann@example")
    (tmp_path / "sig").write_bytes(sign(LINE, key))
    command = [
        "ssh-keygen",
        "-Y",
        "verify",
        "-f",
        f"{key}.signers",
        "-I",
        "ann@example",
        "-n",
        "claude-proxy",
    ]
    subprocess.run([*command, "-s", tmp_path / "sig"], input=LINE, check=True, capture_output=True)


def test_what_ssh_keygen_says_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key that cannot be used is an error in its words; without OpenSSH it says what to install."""
    with pytest.raises(SignatureError, match=r"[Nn]o such file"):
        sign(LINE, str(tmp_path / "none"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SignatureError, match="install OpenSSH"):
        sign(LINE, str(tmp_path / "none"))
