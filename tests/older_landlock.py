"""An older Landlock than the running kernel's: who asks for its ABI is told that number.

What is not asked for is not handled: a ruleset for ABI 2 leaves truncate(2) alone on a newer kernel as on Linux 6.1. A
supervisor answers the one question, by the kernel's user notification (seccomp_unotify(2)).
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import signal
import struct
import time

from vault_world import PR_SET_NO_NEW_PRIVS, PR_SET_PDEATHSIG, _check, _libc

SYS_SECCOMP = {"x86_64": 317, "aarch64": 277}[os.uname().machine]
SET_MODE_FILTER, NEW_LISTENER = 1, 8
CREATE_RULESET, RESTRICT_SELF, QUERY_ABI = 444, 446, 1
RET_ALLOW, RET_USER_NOTIF, RET_ERRNO = 0x7FFF0000, 0x7FC00000, 0x00050000
NOTIF_BYTES = 80
NOTIF_RECV, NOTIF_SEND = 0xC0502100, 0xC0182101
LOAD, IF, IF_ABOVE, IF_AT_LEAST, RETURN = 0x20, 0x15, 0x25, 0x35, 0x06
NR, FLAGS = 0, 32  # where they stand in struct seccomp_data; flags is the third argument


def pretend(abi: int) -> None:
    """Call it in the child, before its exec."""
    code = [(LOAD, 0, 0, NR), (IF, 0, 3, CREATE_RULESET), (LOAD, 0, 0, FLAGS), (IF, 0, 1, QUERY_ABI)]
    listener = _filter([*code, (RETURN, 0, 0, RET_USER_NOTIF), (RETURN, 0, 0, RET_ALLOW)], NEW_LISTENER)
    parent = os.getpid()
    if os.fork() == 0:
        _answer(listener, abi, parent)
    os.close(listener)


def pretend_none() -> None:
    """The same for a kernel that has no Landlock: its three calls fail."""
    code = [(LOAD, 0, 0, NR), (IF_AT_LEAST, 0, 2, CREATE_RULESET), (IF_ABOVE, 1, 0, RESTRICT_SELF)]
    _filter([*code, (RETURN, 0, 0, RET_ERRNO | errno.ENOSYS), (RETURN, 0, 0, RET_ALLOW)])


def _filter(code: list[tuple[int, int, int, int]], flags: int = 0) -> int:
    program = b"".join(struct.pack("HBBI", *one) for one in code)
    buffer = ctypes.create_string_buffer(program, len(program))
    header = struct.pack("HxxxxxxP", len(code), ctypes.addressof(buffer))
    _check(_libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")
    listener = int(_libc.syscall(SYS_SECCOMP, SET_MODE_FILTER, flags, header))
    _check(min(listener, 0), "seccomp")
    return listener


def _answer(listener: int, abi: int, parent: int) -> None:
    """Until the parent ends, and does not hold what it waits for open."""
    try:
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        os.dup2(listener, 3)
        os.closerange(0, 3)
        os.closerange(4, 1024)
        while os.getppid() == parent:
            asked = bytearray(NOTIF_BYTES)
            try:
                fcntl.ioctl(3, NOTIF_RECV, asked)
                (number,) = struct.unpack_from("Q", asked)
                fcntl.ioctl(3, NOTIF_SEND, struct.pack("QqiI", number, abi, 0, 0))
            except OSError:  # whoever asked is gone
                time.sleep(0.01)
    finally:
        os._exit(0)
