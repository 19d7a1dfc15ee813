"""The engine: is there one, who may use it, and what kind is it."""

from __future__ import annotations

import contextlib
import os
import re
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

from agentbox.doctor.finding import ERROR, OK, WARNING, Finding, World, quoted
from agentbox.engine import find_docker
from agentbox.errors import AgentboxError

OLDEST = (20, 10)


def check(world: World) -> Iterator[Finding]:
    if world.engine is None:
        yield _unreachable(world)
        return
    info = world.info
    version = str(info.get("ServerVersion", "?"))
    where = f"{info.get('OperatingSystem', '?')}, kernel {info.get('KernelVersion', '?')}, {info.get('NCPU', '?')} CPUs"
    numbers = tuple(int(part) for part in re.findall(r"\d+", version)[:2])
    if numbers and numbers < OLDEST:
        yield Finding(
            "engine.version",
            ERROR,
            f"Docker Engine {version} is too old",
            "20.10 is the oldest that was tested",
            "install a newer one: https://docs.docker.com/engine/install/",
        )
    else:
        yield Finding("engine.reach", OK, f"Docker Engine {version} ({where})")
    yield from _socket(world)
    yield from _kind(world)


def _unreachable(world: World) -> Finding:
    error = world.engine_error
    assert error is not None
    fix = error.hint
    if "no permission" in error.cause and _waits_for_login():
        fix = "you are in the group docker, but this login is older: log in again, or try `newgrp docker`"
    elif find_docker() is None and any(os.access(f"{folder}/podman", os.X_OK) for folder in _path()):
        fix += "; podman, which is installed, is not supported"
    level, why = ERROR, "no container can run"
    if _native_instead(world):
        level, why = WARNING, "no container can run: agents run on the native engine, which `auto` takes then"
    return Finding("engine.reach", level, str(error), why, fix or "see what `docker info` says")


def _native_instead(world: World) -> bool:
    """Whether agents run all the same: the native engine starts here, and nobody has asked for Docker alone."""
    if not sys.platform.startswith("linux"):
        return False
    from agentbox.native import landlock, layout

    with contextlib.suppress(AgentboxError):
        return bool(layout.parts() and landlock.abi()) and all(policy.engine != "docker" for policy in world.policies)
    return False


def _path() -> list[str]:
    return [folder for folder in os.environ.get("PATH", "").split(os.pathsep) if folder]


def _waits_for_login() -> bool:
    """Whether the user has been put into the group docker, but not this process."""
    import grp
    import pwd

    try:
        group = grp.getgrnam("docker")
        user = pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return False
    return user in group.gr_mem and group.gr_gid not in os.getgroups()


def _socket(world: World) -> Iterator[Finding]:
    assert world.engine is not None
    if not world.engine.socket:
        if world.engine.endpoint.startswith(("tcp://", "ssh://", "http://", "https://")):
            yield Finding(
                "engine.remote",
                ERROR,
                "the engine is on another machine",
                "the folder and the agent's state are mounted from the engine's machine, not from this one",
                "use a local engine: unset DOCKER_HOST, docker context use default",
            )
        return
    try:
        info = Path(world.engine.socket).stat()
    except OSError:
        return
    if info.st_mode & stat.S_IWOTH and not world.has("rootless"):
        yield Finding(
            "engine.socket",
            ERROR,
            f"{world.engine.socket} may be used by everybody (mode {info.st_mode & 0o777:04o})",
            "whoever may use it is root on this machine",
            f"sudo chmod 0660 {quoted(world.engine.socket)}",
        )
    else:
        yield Finding("engine.socket", OK, f"{world.engine.socket} is for its owner and group alone")


def _kind(world: World) -> Iterator[Finding]:
    system = str(world.info.get("OperatingSystem", ""))
    if "Docker Desktop" in system:
        yield Finding("engine.kind", OK, "Docker Desktop: containers run in its virtual machine, with its kernel")
    elif world.has("rootless"):
        yield Finding(
            "engine.kind",
            WARNING,
            "the engine is rootless",
            "it maps the container's users to others (kernel.users), and needs cgroup v2 with delegation for limits",
            "docker context use default, if there is an engine of root's too",
        )
    elif world.has("userns"):
        what, why = (
            "the engine remaps users (userns-remap)",
            "what the agent makes would not be yours: see kernel.users",
        )
        yield Finding("engine.kind", WARNING, what, why, "take userns-remap out of /etc/docker/daemon.json")
    if not world.has("seccomp"):
        yield Finding(
            "engine.seccomp",
            ERROR,
            "the engine has no seccomp",
            "system calls that the containers need not make, io_uring and keyctl among them, stay open to tools",
            "use a kernel with CONFIG_SECCOMP_FILTER and an engine built with seccomp",
        )
    if world.has("selinux"):
        yield Finding(
            "engine.selinux",
            WARNING,
            "the engine labels containers for SELinux",
            "a folder without a container's label cannot be read inside",
            "chcon -Rt container_file_t FOLDER, if the agent finds its folder unreadable",
        )
