"""Whose socket is at the other end, as the kernel says."""

import contextlib
import os
import socket
from collections.abc import Iterator

import pytest

from proxy.server.access import peers

PLACES = [
    ("127.0.0.1", socket.AF_INET, "127.0.0.1"),
    ("::1", socket.AF_INET6, "::1"),
    ("::", socket.AF_INET6, "127.0.0.1"),
    ("::", socket.AF_INET6, "::ffff:127.0.0.1"),
]
ELSEWHERE = ["10.0.0.1", "192.0.2.1", "2001:db8::1", "fe80::1%eth0", "::ffff:10.0.0.1"]


@pytest.fixture(params=[False, True], ids=["asked", "looked up"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways to ask: for one socket, and through the table."""
    if request.param:

        def refused(*_: object) -> int | None:
            raise PermissionError

        monkeypatch.setattr(peers, "_asked", refused)
    else:
        monkeypatch.setattr(peers, "_looked_up", lambda *_: None)


@contextlib.contextmanager
def accepted(listening: socket.socket) -> Iterator[tuple[str, int, str, int]]:
    """Accept a connection, and give both its ends."""
    listening.settimeout(120)
    connection, peer = listening.accept()
    with connection:
        own = connection.getsockname()
        yield peer[0], peer[1], own[0], own[1]


@pytest.mark.linux("the kernel tells whose a connection is")
@pytest.mark.usefixtures("way")
@pytest.mark.parametrize(("host", "family", "target"), PLACES)
def test_our_own_socket(host: str, family: socket.AddressFamily, target: str) -> None:
    """A connection of ours over loopback is ours, in both families and across them; one that is not is nobody's."""
    with (
        socket.create_server((host, 0), family=family, dualstack_ipv6=host == "::") as listening,
        socket.create_connection((target, listening.getsockname()[1])),
        accepted(listening) as found,
    ):
        assert peers.owner(*found) == os.geteuid()
        assert peers.owner(found[0], 1, found[2], found[3]) is None


@pytest.mark.linux("the kernel tells whose a connection is")
@pytest.mark.usefixtures("way")
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_another_users_socket() -> None:
    """A connection of another user on this machine is that user's."""
    told, tell = os.pipe()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        pid = os.fork()
        if pid == 0:
            os.close(tell)
            os.setuid(65534)
            with socket.create_connection(listening.getsockname()):
                os.read(told, 1)  # until the test is done
                os._exit(0)
        os.close(told)
        try:
            with accepted(listening) as found:
                assert peers.owner(*found) == 65534
        finally:
            os.close(tell)
            os.waitpid(pid, 0)


@pytest.mark.parametrize(
    ("user", "uid_map", "expected"),
    [
        (1000, "0 0 4294967295", True),
        (65534, "0 0 4294967295", True),
        (0, "0 1000 1", True),
        (1000, "1000 1000 1", True),
        (65534, "65534 1000 1", False),
    ],
)
def test_where_others_look_like_us(
    user: int, uid_map: str, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a user namespace all that it does not know appear as the overflow user: who is that one cannot be told."""
    told = {"/proc/self/uid_map": uid_map, "/proc/sys/kernel/overflowuid": "65534"}
    monkeypatch.setattr(peers, "_read", lambda path: told[path].split())
    monkeypatch.setattr(os.path, "exists", lambda _: True)
    monkeypatch.setattr(os, "geteuid", lambda: user)
    assert peers.can_tell() == expected


def test_without_a_table_nobody_can_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the kernel has no list of connections (macOS) nobody is taken for the owner."""
    monkeypatch.setattr(os.path, "exists", lambda _: False)
    assert not peers.can_tell()


@pytest.mark.parametrize("address", ELSEWHERE)
def test_elsewhere_is_nobody(address: str) -> None:
    """Only loopback is this machine: what comes from another address is not asked for."""
    assert peers.owner(address, 1, address, 2) is None
