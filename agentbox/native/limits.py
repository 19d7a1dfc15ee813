"""The bounds of a session: of processes and files by rlimits, of memory and CPU by a scope of the user's own service
manager, where one answers."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from agentbox import programs
from agentbox.native import kept
from agentbox.native.session import Start
from agentbox.policy_model import Limits

PROGRAM = "systemd-run"
CONTROLLERS = ("memory", "cpu")
# What systemd-run needs to find the manager, and no agent has to know.
BUS = ("XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS")
PRELOAD = "LD_PRELOAD"  # the vault: it would confine systemd-run
# A manager takes any property; whether it holds is told by what the scope's cgroup has.
REPORT = 'cat "/sys/fs/cgroup$(cut -d: -f3- /proc/self/cgroup)/cgroup.controllers"'
SECONDS = 10


@dataclass(frozen=True, slots=True)
class Held:
    """The `controllers` that bound a scope of the user's, and why there are not more."""

    controllers: frozenset[str]
    why: str


def numbers(limits: Limits, already: int = 0) -> dict[str, int]:
    """By rlimit; `already` are processes that count and are not the session's."""
    return {"nproc": limits.pids + already, "nofile": limits.nofile, "core": 0}


def words(numbers: Mapping[str, int]) -> list[str]:
    """agentbox-enter's options."""
    return [word for name, number in numbers.items() for word in ("--limit", f"{name}={number}")]


def bound(start: Start, limits: Limits) -> None:
    """Put a start into a scope with these bounds, where that can be had. systemd-run becomes what it starts: pid,
    parent and descriptors stay."""
    if not held().controllers:
        return
    gone = [word for name in BUS if name not in start.environ for word in ("-u", name)]
    back = [f"{name}={start.environ.pop(name)}" for name in (*BUS, PRELOAD) if name in start.environ]
    start.words = [*scope(limits), programs.find("env") or "/usr/bin/env", *gone, *back, *start.words]
    start.environ |= {name: os.environ[name] for name in BUS if name in os.environ}


def scope(limits: Limits) -> list[str]:
    """systemd-run with the bounds that a container has: no swap besides the memory. A delegated scope goes on where the
    kernel kills one of its processes for lack of memory, as a container does."""
    memory, cpu = f"MemoryMax={limits.memory}", f"CPUQuota={round(limits.cpus * 100)}%"
    bounds = (memory, "MemorySwapMax=0", cpu, "Delegate=yes")
    found = [programs.find(PROGRAM) or PROGRAM, "--user", "--scope", "--quiet", "--collect"]
    return [*found, *(f"--property={each}" for each in bounds), "--"]


@cache
def held() -> Held:
    """What the user's service manager bounds here; tried with a scope, and kept until this machine starts anew."""
    none = frozenset[str]()
    if os.geteuid() == 0:
        return Held(none, "agentbox runs as root, who has no service manager of yours")
    if not programs.find(PROGRAM):
        return Held(none, "there is no systemd-run")
    if not Path(os.environ.get("XDG_RUNTIME_DIR", ""), "systemd/private").is_socket():
        return Held(none, "no service manager of yours runs")
    facts = [kept.text("/proc/sys/kernel/random/boot_id"), os.environ["XDG_RUNTIME_DIR"], programs.find(PROGRAM) or ""]
    found = kept.find(PROGRAM, facts)
    if not found:
        done = _tried()
        if done.returncode:
            said = (done.stderr.strip().splitlines() or [f"systemd-run ended with {done.returncode}"])[-1]
            return Held(none, said)
        found = done.stdout.split()
        kept.keep(PROGRAM, facts, found)
    return Held(frozenset(found) & {*CONTROLLERS}, "your service manager is not given them")


def _tried() -> subprocess.CompletedProcess[str]:
    trial = [*scope(Limits(pids=0, memory=1 << 30, cpus=1.0, nofile=0)), "/bin/sh", "-c", REPORT]
    try:
        return subprocess.run(trial, capture_output=True, text=True, check=False, timeout=SECONDS)
    except (OSError, subprocess.TimeoutExpired) as error:
        return subprocess.CompletedProcess(trial, 1, "", str(error))
