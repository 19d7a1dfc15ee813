"""Landlock from outside: rulesets for the processes that agentbox starts. The vault's own domain is csrc/domain.c's."""

from __future__ import annotations

import ctypes
import os
import stat
import struct
from collections.abc import Iterable
from dataclasses import dataclass, field

CREATE_RULESET, ADD_RULE = 444, 445
PATH_BENEATH, NET_PORT, QUERY_ABI = 1, 2, 1
TRUNCATE_SINCE, NET_SINCE, SCOPE_SINCE = 3, 4, 6

EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
REFER, TRUNCATE, IOCTL_DEV = 1 << 13, 1 << 14, 1 << 15
BIND_TCP, CONNECT_TCP = 1 << 0, 1 << 1
SCOPES = 3  # abstract Unix sockets, signals
ON_FILES = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV

READ = READ_FILE | READ_DIR
RUN = READ | EXECUTE
ALL = (1 << 16) - 1
# A device is written to; nothing is made beside it.
DEVICE = READ | WRITE_FILE | IOCTL_DEV

_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(slots=True)
class Rules:
    """What is allowed: rights by path, and TCP ports to connect to (None: any)."""

    paths: list[tuple[str, int]] = field(default_factory=list)
    ports: tuple[int, ...] | None = None

    def add(self, right: int, paths: Iterable[str]) -> None:
        self.paths += [(path, right) for path in paths]


def abi() -> int:
    """The running kernel's Landlock ABI, 0 where it has none."""
    return max(0, int(_libc.syscall(CREATE_RULESET, None, ctypes.c_size_t(0), QUERY_ABI)))


def _handled(version: int) -> int:
    later = ((2, REFER), (TRUNCATE_SINCE, TRUNCATE), (5, IOCTL_DEV))
    return REFER - 1 | sum(right for since, right in later if version >= since)


def ruleset(rules: Rules) -> int:
    """A file descriptor of the ruleset. Paths that do not exist are passed over. Raises OSError."""
    version = abi()
    handled = _handled(version)
    net = CONNECT_TCP if rules.ports is not None and version >= NET_SINCE else 0
    fields = struct.pack("QQQ", handled, net, SCOPES if version >= SCOPE_SINCE else 0)
    size = 8 if version < NET_SINCE else 16 if version < SCOPE_SINCE else 24
    made = _check(_libc.syscall(CREATE_RULESET, fields, ctypes.c_size_t(size), 0))
    os.set_inheritable(made, False)
    for path, right in rules.paths:
        _allow(made, path, right & handled)
    for port in rules.ports or () if net else ():
        _check(_libc.syscall(ADD_RULE, made, NET_PORT, struct.pack("QQ", CONNECT_TCP, port), 0))
    return made


def _allow(made: int, path: str, right: int) -> None:
    try:
        fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        folder = stat.S_ISDIR(os.fstat(fd).st_mode)
        rule = struct.pack("=Qi", right if folder else right & ON_FILES, fd)
        _check(_libc.syscall(ADD_RULE, made, PATH_BENEATH, rule, 0))
    finally:
        os.close(fd)


def _check(result: int) -> int:
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, f"Landlock: {os.strerror(error)}")
    return result
