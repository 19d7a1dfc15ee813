"""This machine: whose agents run, room on disk and in memory, the proxy."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psutil

from agentbox.doctor.finding import ERROR, OK, WARNING, Finding, World, size
from agentbox.egress import PROXY_NAMES
from agentbox.errors import UsageError
from agentbox.hostenv import paranoid

GIB = 1 << 30
# The five images are 3.5 GiB on Debian, and a build keeps about as much in its cache.
DISK_LOW, DISK_FULL = 8 * GIB, 1 * GIB
INODES_FULL = 10_000
MEMORY_LOW = 1 * GIB


def check(world: World) -> Iterator[Finding]:
    if world.identity is None:
        error = world.identity_error
        assert error is not None
        yield Finding("host.user", ERROR, str(error), "state, images and files are this user's", error.hint)
    else:
        who = world.identity
        yield Finding("host.user", OK, f"agents run as {who.name} (UID {who.uid}, GID {who.gid}), home {who.home}")
    yield from _paranoid(world)
    yield from _disk(world)
    yield from _memory(world)
    yield from _proxy(world)


def _paranoid(world: World) -> Iterator[Finding]:
    try:
        if paranoid(world.environ) == "false":
            yield Finding(
                "host.paranoid",
                WARNING,
                "PARANOID_MODE=false is set",
                "where the kernel has no Landlock, containers start all the same, and static programs read credentials",
                "unset PARANOID_MODE",
            )
    except UsageError as error:
        yield Finding("host.paranoid", ERROR, str(error), "no agent starts", "unset PARANOID_MODE")


def _disk(world: World) -> Iterator[Finding]:
    places = {"images": str(world.info.get("DockerRootDir", "")) if world.local else ""}
    if world.identity is not None:
        places["home"] = str(world.identity.home)
    for name, text in places.items():
        if not text or not os.access(text, os.F_OK):
            continue
        path = Path(text)
        free = psutil.disk_usage(str(path)).free
        inodes = os.statvfs(path)
        yield _room(f"host.disk.{name}", path, free, inodes.f_favail if inodes.f_files else INODES_FULL)


def _room(name: str, path: Path, free: int, inodes: int) -> Finding:
    fix = "docker system df shows what takes room, docker system prune frees some; agentbox purge removes the images"
    if inodes < INODES_FULL:
        what = f"only {inodes} files more fit on the filesystem of {path}"
        return Finding(name, ERROR, what, "builds and runs fail", fix)
    if free < DISK_FULL:
        return Finding(name, ERROR, f"{size(free)} free on the filesystem of {path}", "builds and runs fail", fix)
    if free < DISK_LOW:
        why = "building all images takes up to 7 GiB"
        return Finding(name, WARNING, f"{size(free)} free on the filesystem of {path}", why, fix)
    return Finding(name, OK, f"{size(free)} free on the filesystem of {path}")


def _memory(world: World) -> Iterator[Finding]:
    available = psutil.virtual_memory().available
    total = int(world.info.get("MemTotal") or 0) or psutil.virtual_memory().total
    greedy = [policy for policy in world.policies if policy.limits.memory >= total]
    if greedy:
        limit, names = greedy[0].limits.memory, ", ".join(policy.agent for policy in greedy)
        yield Finding(
            "host.memory",
            WARNING,
            f"limits.memory of {names} is {size(limit)}, the engine's machine has {size(total)}",
            "the limit ends no agent before the machine itself runs out",
            f'in your configuration: [limits] memory = "{max(total * 3 // 4 >> 20, 64)}m"',
        )
    if world.local and available < MEMORY_LOW:
        yield Finding(
            "host.memory.free",
            WARNING,
            f"{size(available)} of memory are available",
            "an agent takes 0.2 to 0.7 GiB, its broker 0.1 GiB",
            "end something else, or add swap",
        )
    elif not greedy:
        yield Finding("host.memory", OK, f"{size(total)} of memory in the engine's machine")


def _proxy(world: World) -> Iterator[Finding]:
    for name in PROXY_NAMES:
        text = world.environ.get(name, "")
        if not text:
            continue
        try:
            parts = urlsplit(text if "://" in text else f"http://{text}")
            host, port = parts.hostname or "", parts.port
        except ValueError:
            host, port = "", None
        shown = f"{host}:{port}" if port else host  # without user and password
        if not host:
            yield Finding(f"host.proxy.{name}", ERROR, f"{name} is no URL", "the broker cannot use it", f"unset {name}")
        elif _is_loopback(host):
            yield Finding(
                f"host.proxy.{name}",
                WARNING,
                f"{name} names {shown}",
                "in a container, the broker's too, that is the container itself",
                f"let the proxy listen on the bridge too, and name that address in {name}",
            )
        else:
            yield Finding(f"host.proxy.{name}", OK, f"{name}: {shown}, used by builds and by the broker")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
