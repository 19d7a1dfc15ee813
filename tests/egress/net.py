"""A network of its own for the broker's tests: loopback only, on which public and private addresses answer, and a DNS server.

Nothing in it reaches the machine's network, so a test may own any address: the providers live at public ones. Sockets belong
to the network in which they were made; `inside()` moves the calling thread there and back.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CLONE_NEWNS, CLONE_NEWNET = 0x20000, 0x40000000
MS_BIND, MS_REC, MS_PRIVATE = 0x1000, 0x4000, 0x40000
SIOCGIFFLAGS, SIOCSIFFLAGS, SIOCSIFADDR, SIOCSIFNETMASK = 0x8913, 0x8914, 0x8916, 0x891C
IFF_UP = 1
# On loopback all of a network's addresses are the machine's own. One public network, one private.
PUBLIC, OTHER_PUBLIC, PRIVATE = "93.184.0.10", "93.184.0.20", "10.9.0.10"
NETWORKS = {"lo:1": "93.184.0.1", "lo:2": "10.9.0.1", "lo:3": "169.254.169.254"}

_libc = ctypes.CDLL(None, use_errno=True)


def _check(result: int, what: str) -> None:
    if result != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"{what}: {os.strerror(error)}")


def unusable() -> str | None:
    """Why these tests cannot run here, or None."""
    return None if os.geteuid() == 0 else "needs root to make a network namespace"


class Network:
    """The namespace, held open by a descriptor."""

    def __init__(self) -> None:
        made: list[int] = []
        thread = threading.Thread(target=lambda: made.append(_new_namespace()))
        thread.start()
        thread.join()
        self.descriptor = made[0]
        with self.inside():
            _bring_up("lo")
            for alias, address in NETWORKS.items():
                _give(alias, address)

    @contextmanager
    def inside(self) -> Iterator[None]:
        """The calling thread, and the threads and processes that it starts, are in this network."""
        before = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        _check(_libc.setns(self.descriptor, CLONE_NEWNET), "setns")
        try:
            yield
        finally:
            _check(_libc.setns(before, CLONE_NEWNET), "setns")
            os.close(before)


def _new_namespace() -> int:
    _check(_libc.unshare(CLONE_NEWNET), "unshare")
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


def _bring_up(name: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        request = struct.pack("16sH14x", name.encode(), 0)
        (flags,) = struct.unpack_from("H", fcntl.ioctl(sock, SIOCGIFFLAGS, request), 16)
        fcntl.ioctl(sock, SIOCSIFFLAGS, struct.pack("16sH14x", name.encode(), flags | IFF_UP))


def _give(alias: str, address: str) -> None:
    def request(value: str) -> bytes:
        return struct.pack("16sHH4s8x", alias.encode(), socket.AF_INET, 0, socket.inet_aton(value))

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        fcntl.ioctl(sock, SIOCSIFADDR, request(address))
        fcntl.ioctl(sock, SIOCSIFNETMASK, request("255.255.0.0"))


def with_resolver(resolv_conf: Path, root: Path | None, shown: list[Path]) -> None:
    """To be called in a child before exec: it and its children ask the name servers of this file. In another root, these folders
    and /proc are shown at their own places."""
    _check(_libc.unshare(CLONE_NEWNS), "unshare")
    _check(_libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None), "make / private")
    below = root or Path("/")
    _bind(resolv_conf, below / "etc/resolv.conf")
    for folder in [*shown, Path("/proc"), Path("/dev")] if root else []:
        place = below / folder.relative_to("/")
        place.mkdir(parents=True, exist_ok=True)
        _bind(folder, place)


def _bind(source: Path, target: Path) -> None:
    _check(_libc.mount(os.fsencode(source), os.fsencode(target), None, MS_BIND | MS_REC, None), f"bind {target}")


class Names:
    """A DNS server on 127.0.0.1:53 of the network. A list of answers is given one after the other, the last for good."""

    def __init__(self, answers: dict[str, list[str]]) -> None:
        self.answers = {name: list(values) for name, values in answers.items()}
        self.asked: list[str] = []
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind(("127.0.0.1", 53))
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            query, peer = self.sock.recvfrom(2048)
            self.sock.sendto(self._answer(query), peer)

    def _answer(self, query: bytes) -> bytes:
        end = 12
        labels = []
        while length := query[end]:
            labels.append(query[end + 1 : end + 1 + length].decode())
            end += 1 + length
        name, (kind,) = ".".join(labels).lower(), struct.unpack_from("!H", query, end + 1)
        question = query[12 : end + 5]
        self.asked.append(name)
        known = self.answers.get(name)
        if not known or kind != 1:
            return query[:2] + struct.pack("!HHHHH", 0x8180 if known else 0x8183, 1, 0, 0, 0) + question
        addresses = known[0] if len(known) == 1 else known.pop(0)
        found = [socket.inet_aton(address) for address in addresses.split()]
        records = b"".join(struct.pack("!HHHIH", 0xC00C, 1, 1, 0, 4) + address for address in found)
        return query[:2] + struct.pack("!HHHHH", 0x8180, 1, len(found), 0, 0) + question + records
