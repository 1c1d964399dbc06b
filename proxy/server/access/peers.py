"""Whose socket is at the other end of a local connection, as the kernel says.

It is asked for the one socket (``sock_diag``, which costs the same however many connections there are), and where
that is not allowed, its table is read. Where neither can tell (macOS; a user namespace in which others look like us),
nobody is the same user: see `can_tell`.
"""

import contextlib
import errno
import ipaddress
import os
import socket
import struct
from weakref import WeakKeyDictionary

from aiohttp import web

_HEADER = struct.Struct("=IHHII")
_QUESTION = struct.Struct("=BBBBI")
_SOCKET = struct.Struct(">HH16s16s")
_ANSWER = struct.Struct("=BBBB")
_OWNER = struct.Struct("=IIIII")
_SOCK_DIAG, _REQUEST, _SOCK_DIAG_BY_FAMILY, _ANY_STATE, _LISTENS = 4, 1, 20, 0xFFFFFFFF, 10

_ALL_USERS = ["0", "0", "4294967295"]
"""What the map of a user namespace says in which every user is himself: the first one's."""
_OVERFLOW = "/proc/sys/kernel/overflowuid"

_known: "WeakKeyDictionary[object, bool]" = WeakKeyDictionary()
"""By connection: who is at the other end does not change while it lasts."""


def can_tell() -> bool:
    """Tell whether the kernel says whose a local connection is.

    In a user namespace all users that it does not know appear as one, the overflow user (user_namespaces(7)): who is
    that user himself cannot be told from them.
    """
    if not os.path.exists("/proc/net/tcp"):
        return False
    return _read("/proc/self/uid_map") == _ALL_USERS or str(os.geteuid()) != "".join(_read(_OVERFLOW))


def _read(path: str) -> list[str]:
    try:
        with open(path, encoding="ascii") as file:
            return file.read().split()
    except OSError:
        return []


def is_same_user(request: web.Request) -> bool:
    """Tell whether a request's connection comes from this machine and belongs to our user."""
    transport = request.transport
    if transport is None:
        return False
    known = _known.get(transport)
    if known is None:
        peer, own = transport.get_extra_info("peername"), transport.get_extra_info("sockname")
        known = bool(peer and own) and owner(peer[0], peer[1], own[0], own[1]) == os.geteuid() and can_tell()
        _known[transport] = known
    return known


def owner(address: str, port: int, own_address: str, own_port: int) -> int | None:
    """Return the user whose socket is connected to us from there; None: not on loopback, or nobody's any more."""
    peer, own = ip_of(address), ip_of(own_address)
    if not peer.is_loopback:
        return None
    for family in (socket.AF_INET, socket.AF_INET6) if peer.version == 4 else (socket.AF_INET6,):
        with contextlib.suppress(OSError, AttributeError):  # no such way to ask here
            found = _asked(family, (peer, port), (own, own_port))
            if found is not None:
                return found
    return _looked_up(port, own_port)


def ip_of(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """Return what an address of a connection means; one of IPv4 that is mapped into IPv6 is itself.

    ValueError: it is none.
    """
    ip = ipaddress.ip_address(address.partition("%")[0])
    return getattr(ip, "ipv4_mapped", None) or ip


_End = tuple[ipaddress.IPv4Address | ipaddress.IPv6Address, int]


def _asked(family: int, peer: _End, own: _End) -> int | None:
    """Ask for one socket. OSError when that is not possible here; None: there is none."""
    ends = _SOCKET.pack(peer[1], own[1], _packed(family, peer), _packed(family, own))
    question = _QUESTION.pack(family, socket.IPPROTO_TCP, 0, 0, _ANY_STATE) + ends
    question += struct.pack("=III", 0, 0xFFFFFFFF, 0xFFFFFFFF)  # any interface, no cookie
    header = _HEADER.pack(_HEADER.size + len(question), _SOCK_DIAG_BY_FAMILY, _REQUEST, 1, 0)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _SOCK_DIAG) as asking:
        asking.settimeout(1.0)
        asking.send(header + question)
        answer = asking.recv(4096)
    _, kind, *_ = _HEADER.unpack_from(answer)
    if kind != _SOCK_DIAG_BY_FAMILY:
        code = -struct.unpack_from("=i", answer, _HEADER.size)[0]
        if code == errno.ENOENT:
            return None
        raise OSError(code, os.strerror(code))
    place = _HEADER.size
    state = _ANSWER.unpack_from(answer, place)[1]
    ports = struct.unpack_from(">HH", answer, place + _ANSWER.size)
    *_, uid, inode = _OWNER.unpack_from(answer, place + _ANSWER.size + 48)
    # A listening socket is what the kernel finds when there is no connection; one without an inode is nobody's.
    return uid if state != _LISTENS and ports == (peer[1], own[1]) and inode else None


def _packed(family: int, end: _End) -> bytes:
    ip = end[0]
    if family == socket.AF_INET6 and ip.version == 4:
        ip = ipaddress.IPv6Address(f"::ffff:{ip}")
    return ip.packed.ljust(16, b"\0")


def _looked_up(port: int, own_port: int) -> int | None:
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with contextlib.suppress(OSError), open(table, encoding="ascii") as file:
            next(file, None)
            for line in file:
                _, local, remote, _, _, _, _, uid, _, inode, *_ = line.split()
                ports = [int(end.rpartition(":")[2], 16) for end in (local, remote)]
                # Without an inode the socket is nobody's any more, and the owner that is shown is not its own.
                if ports == [port, own_port] and _is_loopback(local) and inode != "0":
                    return int(uid)
    return None


def _is_loopback(local: str) -> bool:
    """Tell whether an address of the kernel's table (hexadecimal, of the machine's byte order) is a loopback one."""
    digits = local.partition(":")[0]
    tail = digits[-8:]  # the last word: an IPv4 address, also one that is mapped into IPv6
    return tail.endswith("7F") or digits == "0" * 24 + "01000000"
