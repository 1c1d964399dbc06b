"""Who this host is: ``DATA_DIR/host.json``, with what the centre told it last."""

import hashlib
import os
import secrets

import msgspec

from proxy.protocol.grammar import REFUSALS
from proxy.sessions.private import read_private, replace_file
from proxy.upkeep.alone import alone_in

_MACHINE_IDS = ("/etc/machine-id", "/var/lib/dbus/machine-id")


class HostState(msgspec.Struct, kw_only=True):
    """What a host knows of itself."""

    host_id: str
    place: str
    """A digest of the machine and the folder: a clone of either is another host."""
    to: str | None = None
    """The centre for which the rest holds."""
    epoch: str | None = None
    pushes: int = 0
    takes_firings: bool = True
    """Whether the centre takes what rules found; one that was not asked yet is thought to."""
    answered_at: str | None = None
    """When the centre answered last, RFC 3339."""
    trouble: str | None = None
    """Why nothing can be sent, if nothing can."""
    set_aside: dict[str, str] = {}
    """Sessions that the centre does not take, and why."""
    forgotten: list[str] = []
    """Sessions of this host that were erased at the centre, or have expired there, and are never taken again."""


_decode = msgspec.json.Decoder(HostState).decode


def host_path(data_dir: str) -> str:
    """Return the file of a data directory."""
    return os.path.join(data_dir, "host.json")


def load(data_dir: str, to: str) -> HostState:
    """Return the host of a data directory, made if there is none, or if the folder is a copy of another host's.

    Raises:
        OSError: the file cannot be read or written.
    """
    place = _place(data_dir)
    with alone_in(data_dir):  # two that begin at once are one host
        state = read(data_dir)
        if state is None or state.place != place:
            state = HostState(host_id=secrets.token_hex(16), place=place)
        if state.to != to:
            state = HostState(host_id=state.host_id, place=place, to=to)
            replace_file(host_path(data_dir), msgspec.json.encode(state))
    return state


def read(data_dir: str) -> HostState | None:
    """Return what is known, None when nothing is. OSError when it cannot be read."""
    try:
        return _decode(read_private(host_path(data_dir)))
    except (FileNotFoundError, *REFUSALS):
        return None


def save(data_dir: str, state: HostState) -> None:
    """Put what is known in place, whole or not at all. OSError when it cannot be written."""
    with alone_in(data_dir):
        replace_file(host_path(data_dir), msgspec.json.encode(state))


def _place(data_dir: str) -> str:
    """Return a digest of the machine's id and the folder's inode. Not of its device: that number changes at boot."""
    machine = b""
    for path in _MACHINE_IDS:
        try:
            with open(path, "rb") as file:
                machine = file.read().strip()
                break
        except OSError:
            continue
    return hashlib.sha256(b"%b %d" % (machine, os.stat(data_dir).st_ino)).hexdigest()[:16]
