"""What the kernel and the engine really give a container: Landlock, seccomp, limits, users."""

from __future__ import annotations

import ctypes
import errno
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from agentbox.compose import tag
from agentbox.doctor import probe
from agentbox.doctor.finding import ERROR, OK, WARNING, Finding, World
from agentbox.errors import AgentboxError, EngineError
from agentbox.hostenv import paranoid
from agentbox.identity import Identity

BEST_ABI = 6
# By the first ABI that has it (csrc/preflight.c says the same at each start).
ABIS = {5: "device ioctls", 6: "signals and abstract sockets"}
SYS_LANDLOCK = 444
DELEGATE = (
    "use cgroup v2, and where the engine is rootless delegate it: "
    "https://docs.docker.com/engine/security/rootless/tips/#limiting-resources"
)


def check(world: World) -> Iterator[Finding]:
    image = _image(world)
    if world.engine is None or world.identity is None or image is None:
        yield from _without_container(world)
        return
    try:
        answer = probe.ask(world.engine, image, world.identity)
    except EngineError as error:
        yield Finding(
            "kernel.container",
            ERROR,
            f"a container with an agent's hardening does not start: {error.cause}",
            "no agent can run",
            error.hint or "see the engine's log: journalctl -u docker",
        )
        return
    yield landlock(int(answer["landlock"]), "in a container", world)
    yield _privileges(answer)
    yield from _limits(answer["limits"], "rootless" if world.has("rootless") else "")
    yield _users(str(answer["uid_map"]), world.identity, world)


def _image(world: World) -> str | None:
    """An image of ours that is there: the base, or an agent's."""
    if world.engine is None or world.identity is None:
        return None
    names = ("base", *(policy.agent for policy in world.policies))
    tags = [tag(world.identity, name) for name in names]
    return next((each for each in tags if world.engine.image_labels(each) is not None), None)


def _without_container(world: World) -> Iterator[Finding]:
    if world.engine is not None:
        yield Finding(
            "kernel.container",
            WARNING,
            "no image of agentbox is there to ask in a container",
            "limits, seccomp and users as a container has them are not known",
            "agentbox build",
        )
        for name, option in (("pids", "PidsLimit"), ("memory", "MemoryLimit"), ("CPU", "CpuCfsQuota")):
            if world.info.get(option) is False:
                yield Finding(
                    f"kernel.limits.{name.lower()}",
                    ERROR,
                    f"the engine cannot limit {name}",
                    "an agent may take all of this machine",
                    DELEGATE,
                )
    if sys.platform == "linux" and (world.local or world.engine is None):
        yield landlock(_own_abi(), "in this machine's kernel; an engine in a virtual machine has its own", world)


def _own_abi() -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    result = int(libc.syscall(SYS_LANDLOCK, None, 0, 1))
    return result if result >= 0 else -ctypes.get_errno()


def landlock(abi: int, where: str, world: World) -> Finding:
    """The finding for an ABI, or for the negative errno that stands for none."""
    if abi >= BEST_ABI:
        return Finding("kernel.landlock", OK, f"Landlock ABI {abi} {where}")
    if abi > 0:
        missing = ", ".join(what for since, what in ABIS.items() if abi < since)
        return Finding(
            "kernel.landlock",
            WARNING,
            f"Landlock ABI {abi}, which does not cover {missing}, {where}",
            "tools have these ways to the agent's process or files that newer kernels close",
            "use Linux 6.12 or newer",
        )
    try:
        needed = paranoid(world.environ) == "true"
    except AgentboxError:  # host.paranoid says so
        needed = True
    consequence = (
        "containers refuse to start (PARANOID_MODE=false starts them on the libc layer, which static programs pass)"
        if needed
        else "only the libc layer keeps tools from credentials, and static programs pass it"
    )
    level = ERROR if needed else WARNING
    return Finding("kernel.landlock", level, f"there is no Landlock {where}: {_cause(-abi)}", consequence, _cure(-abi))


def _cause(number: int) -> str:
    causes = {
        errno.ENOSYS: "the kernel is older than 5.13, or was built without it",
        errno.EOPNOTSUPP: "it was not enabled at boot",
        errno.EPERM: "a seccomp filter refuses the question",
    }
    return causes.get(number, os.strerror(number))


def _cure(number: int) -> str:
    if number == errno.EOPNOTSUPP:
        try:
            now = Path("/sys/kernel/security/lsm").read_text().strip()
        except OSError:
            now = "…"
        return f"boot with lsm=landlock,{now} on the kernel's command line"
    if number == errno.EPERM:
        return "update the engine and libseccomp"
    return "use a kernel with CONFIG_SECURITY_LANDLOCK (Linux 6.12 or newer is best), or a newer Docker Desktop"


def _privileges(answer: dict[str, Any]) -> Finding:
    status = answer["status"]
    wrong = [
        text
        for text, bad in (
            ("no_new_privs is off", status["NoNewPrivs"] != "1"),
            ("capabilities are left", int(status["CapBnd"] or "1", 16) != 0),
            ("the process is root", (status["Uid"] or "0").split()[0] == "0"),
            ("seccomp is off", status["Seccomp"] != "2"),
            ("agentbox's seccomp profile is not applied", answer["io_uring"] in (-errno.EFAULT, 0)),
        )
        if bad
    ]
    if not wrong:
        return Finding("kernel.seccomp", OK, "no capabilities, no_new_privs, agentbox's seccomp profile in force")
    return Finding(
        "kernel.seccomp",
        ERROR,
        f"in a container {', '.join(wrong)}",
        "the container's hardening is not what was asked for",
        "look for options of the engine that override it: /etc/docker/daemon.json, the default runtime",
    )


def _limits(found: dict[str, str | None], kind: str) -> Iterator[Finding]:
    asked = {"pids": probe.LIMITS.pids, "memory": probe.LIMITS.memory}
    wrong = [name for name, wanted in asked.items() if found.get(name) != str(wanted)]
    if not _cpu_limited(found.get("cpu")):
        wrong.append("CPU")
    for name in wrong:
        yield Finding(
            f"kernel.limits.{name.lower()}",
            WARNING if name == "CPU" else ERROR,
            f"the limit on {name} has no effect in a container ({kind or 'cgroup'}: {found.get(name.lower())})",
            "an agent may take all of this machine",
            DELEGATE,
        )
    if not wrong:
        yield Finding("kernel.limits", OK, "limits on pids, memory and CPU have effect in a container")
    if "memory" not in wrong and not _swap_limited(found.get("swap")):
        yield Finding(
            "kernel.limits.swap",
            WARNING,
            "swap is not counted in a container's memory limit",
            "an agent over its limit makes this machine swap instead of being ended",
            "boot with swapaccount=1 on the kernel's command line, or use cgroup v2",
        )


def _cpu_limited(text: str | None) -> bool:
    """`50000 100000` of cgroup v2, or `50000` of v1."""
    first = (text or "max").split()[0]
    return first.isdigit() and int(first) > 0


def _swap_limited(text: str | None) -> bool:
    return text is not None and text.isdigit() and int(text) <= probe.LIMITS.memory


def mapped(uid_map: str, uid: int) -> int | None:
    """The UID outside of a user namespace for one inside."""
    for line in uid_map.splitlines():
        inside, outside, count = (int(word) for word in line.split())
        if inside <= uid < inside + count:
            return outside + uid - inside
    return None


def _users(uid_map: str, identity: Identity, world: World) -> Finding:
    outside = mapped(uid_map, identity.uid)
    if not world.local:
        return Finding("kernel.users", OK, "the engine's own machine maps users")
    if outside == identity.uid:
        return Finding("kernel.users", OK, f"the container's user is UID {identity.uid} of this machine")
    return Finding(
        "kernel.users",
        ERROR,
        f"the container's UID {identity.uid} is UID {outside} outside: users are remapped",
        "the agent cannot write your folder or its state, and what it makes is not yours",
        "use an engine that does not remap: not rootless, and no userns-remap in /etc/docker/daemon.json",
    )
