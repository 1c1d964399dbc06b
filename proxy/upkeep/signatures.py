"""Signs seals and checks signatures with ``ssh-keygen -Y``: keys, passphrases and agents are its business."""

import subprocess
from collections.abc import Iterable

_NAMESPACE = "claude-proxy"
"""Keeps a signature for this from being taken for one of a commit or a file."""


class SignatureError(Exception):
    """``ssh-keygen`` could not do it; the sentence has what it said."""


def sign(line: bytes, key: str) -> bytes:
    """Return the signature of a line by a private key, or by the agent's key to a public one."""
    return _ssh_keygen("sign", "-f", key, "-n", _NAMESPACE, given=line)


def signed_by(lines: Iterable[bytes], signature: str, signers: str) -> tuple[bytes, str] | None:
    """Return the line that a signature file is about, and who signed it, None where it is none of a known signer.

    ``signers``: who is known, as by ``ALLOWED SIGNERS`` of ssh-keygen(1).
    """
    for line in lines:
        try:
            found = _ssh_keygen("find-principals", "-s", signature, "-f", signers)
            for name in found.decode(errors="replace").splitlines():
                _ssh_keygen(
                    "verify", "-f", signers, "-I", name, "-n", _NAMESPACE, "-s", signature, given=line
                )
                return line, name
        except SignatureError:
            continue
    return None


def _ssh_keygen(verb: str, *arguments: str, given: bytes | None = None) -> bytes:
    try:
        # Without a shell; the standard input is the line, a passphrase is asked for at the terminal.
        done = subprocess.run(
            ["ssh-keygen", "-Y", verb, *arguments],
            input=given or b"",
            capture_output=True,
            check=False,
        )
    except OSError as error:
        raise SignatureError(f"ssh-keygen cannot be run ({error.strerror}); install OpenSSH") from error
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise SignatureError(said[-1] if said else f"ssh-keygen has ended with status {done.returncode}")
    return done.stdout
