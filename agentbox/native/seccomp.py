"""containers/seccomp.json as a program for the kernel, made by libseccomp."""

from __future__ import annotations

import errno
import json
import os
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from agentbox.native import kept
from agentbox.resources import tree

AF_UNIX, AF_INET, AF_INET6, AF_NETLINK = 1, 2, 10, 16
SOCK_STREAM, SOCK_SEQPACKET, SOCK_TYPE = 1, 5, 0xF
# Landlock looks at the ports of connections, not at addresses: agentbox-enter's supervisor looks at both. What would
# connect on another way, and what would let others in, is not there.
ASKED = ("connect",)
SERVING = ("bind", "listen")  # asked besides where the agent may let others in at a port or two
LEFT_OUT = ("connect", "listen", "sendto", "sendmsg", "sendmmsg")
SENDS = {"sendto": 3, "sendmsg": 2, "sendmmsg": 3}  # and which argument is their flags
MSG_FASTOPEN = 0x20000000
# Address family, and type and protocol where only some will do. Where no network namespace stands around it, an agent
# gets TCP, which Landlock looks at; UDP, MPTCP and the like pass that by. A Unix socket by path is beyond Landlock too:
# D-Bus, the container engine's, X11's.
SOCKETS_WITHOUT_NAMESPACE = (
    (AF_INET, SOCK_STREAM, 0),
    (AF_INET, SOCK_STREAM, 6),
    (AF_INET6, SOCK_STREAM, 0),
    (AF_INET6, SOCK_STREAM, 6),
    (AF_NETLINK, None, None),
)
# Nor may there be a pair of datagram sockets: sendto(2) from one of them goes to any Unix socket by its path.
PAIRS = (SOCK_STREAM, SOCK_SEQPACKET)
# What other processes of the user's share where there is no IPC namespace, by numbers: Landlock knows no such thing.
SHARED = (
    "msgctl", "msgget", "msgrcv", "msgsnd", "semctl", "semget", "semop", "semtimedop", "shmat", "shmctl", "shmdt",
    "shmget", "mq_getsetattr", "mq_notify", "mq_open", "mq_timedreceive", "mq_timedsend", "mq_unlink",
)  # fmt: skip
# The same with the host's network: UDP too.
SOCKETS_ON_THE_NETWORK = ((AF_INET, None, None), (AF_INET6, None, None), (AF_NETLINK, None, None))
VARIANTS: dict[str, dict[str, bool]] = {
    "namespace": {"namespace": True},
    "alone": {},
    "alone-serving": {"serving": True},
    "alone-open": {"network": True},
}


def missing() -> str:
    """Why there can be no filter here; empty where there can."""
    if _kept():
        return ""
    try:
        import pyseccomp  # noqa: F401
    except ImportError:
        return "the package pyseccomp is not installed"
    except (OSError, RuntimeError) as error:
        return f"libseccomp cannot be loaded: {error}"
    return ""


def program(variant: str) -> int:
    """A file descriptor to read one of VARIANTS from. Without a network `namespace` sockets are fewer; `network` says
    that the host's own is to be used, `serving` that the supervisor knows ports to listen on."""
    found = _kept()
    if found is None:
        found = {name: _made(**each).hex() for name, each in VARIANTS.items()}
        kept.keep("seccomp", _facts(), found)
    fd = os.memfd_create("agentbox-seccomp", os.MFD_CLOEXEC)
    os.write(fd, bytes.fromhex(found[variant]))
    return fd


def _kept() -> dict[str, str] | None:
    """All programs, as they were made before; libseccomp takes 40 ms to load and to make one."""
    found = kept.find("seccomp", _facts())
    return found if isinstance(found, dict) and found.keys() == VARIANTS.keys() else None


@cache
def _facts() -> list[str]:
    texts = ((tree("containers") / "seccomp.json").read_bytes(), Path(__file__).read_bytes())
    return [os.uname().machine, *(sha256(text).hexdigest() for text in texts)]


def _made(*, namespace: bool = False, network: bool = False, serving: bool = False) -> bytes:
    import pyseccomp

    profile = json.loads((tree("containers") / "seccomp.json").read_text())
    made = pyseccomp.SyscallFilter(pyseccomp.ERRNO(profile["defaultErrnoRet"]))
    left_out = () if namespace else ("socketpair", "socket", *SHARED)
    if not namespace and not network:
        left_out += (*LEFT_OUT, *(SERVING if serving else ()))
    for rule in profile["syscalls"]:
        action = pyseccomp.ALLOW if rule["action"] == "SCMP_ACT_ALLOW" else pyseccomp.ERRNO(rule["errnoRet"])
        conditions = [_condition(pyseccomp, each) for each in rule.get("args", [])]
        for name in set(rule["names"]).difference(left_out):
            _add(made, pyseccomp, action, name, conditions)
    sockets = SOCKETS_ON_THE_NETWORK if network else SOCKETS_WITHOUT_NAMESPACE
    for family, kind, protocol in () if namespace else sockets:
        conditions = [pyseccomp.Arg(0, pyseccomp.EQ, family)]
        if kind is not None and protocol is not None:
            conditions += [
                pyseccomp.Arg(1, pyseccomp.MASKED_EQ, SOCK_TYPE, kind),
                pyseccomp.Arg(2, pyseccomp.EQ, protocol),
            ]
        _add(made, pyseccomp, pyseccomp.ALLOW, "socket", conditions)
    for kind in () if namespace else PAIRS:
        conditions = [pyseccomp.Arg(1, pyseccomp.MASKED_EQ, SOCK_TYPE, kind)]
        _add(made, pyseccomp, pyseccomp.ALLOW, "socketpair", conditions)
    if not namespace and not network:
        _broker_only(made, pyseccomp, (*ASKED, *(SERVING if serving else ())))
    with os.fdopen(os.memfd_create("agentbox-seccomp", os.MFD_CLOEXEC), "w+b") as file:
        made.export_bpf(file)
        file.seek(0)
        return file.read()


def _broker_only(made: Any, library: Any, asked: tuple[str, ...]) -> None:
    for name in asked:
        _add(made, library, library.NOTIFY, name, [])
    for name, flags in SENDS.items():
        _add(made, library, library.ALLOW, name, [library.Arg(flags, library.MASKED_EQ, MSG_FASTOPEN, 0)])


def _condition(library: Any, each: dict[str, Any]) -> Any:
    operator = getattr(library, each["op"].removeprefix("SCMP_CMP_"))
    values = [each["value"], each["valueTwo"]] if "valueTwo" in each else [each["value"]]
    return library.Arg(each["index"], operator, *values)


def _add(made: Any, library: Any, action: Any, name: str, conditions: list[Any]) -> None:
    """A call that this architecture or this libseccomp does not know is no call that could be made."""
    try:
        made.add_rule(action, name, *conditions)
    except ValueError:
        return
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
