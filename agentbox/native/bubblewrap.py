"""The command line of bwrap: the container's places at the container's paths, made of the host's."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

from agentbox import programs
from agentbox.binds import Bind
from agentbox.native import kept
from agentbox.native.places import ETC, LIBRARY, SYSTEM
from agentbox.policy_model import Policy, Tmpfs
from agentbox.workspace import TARGET

PROGRAM = "bwrap"
NAMESPACES = ("--unshare-user", "--unshare-ipc", "--unshare-pid", "--unshare-uts", "--unshare-cgroup-try")
OWN = ("user", "mnt", "pid")
DECIDERS = (
    "/proc/sys/kernel/random/boot_id", "/proc/sys/kernel/unprivileged_userns_clone",
    "/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "/proc/sys/user/max_user_namespaces",
    "/proc/self/attr/current",
)  # fmt: skip
INSTALL = "apt install bubblewrap (dnf, pacman, zypper and apk call it the same)"


class Box(NamedTuple):
    """What differs from one sandbox to the next. `files` are single files of the host by their place inside, `readable`
    folders that appear where they are."""

    policy: Policy
    binds: list[Bind]
    files: dict[str, Path]
    readable: list[str]
    network: bool  # the host's own
    more: tuple[str, ...] = ()  # further words


def program() -> str:
    """The path of bwrap, empty where there is none."""
    return programs.find(PROGRAM) or ""


@cache
def missing() -> str:
    """Why bwrap cannot be used here, in its own words where it has some; empty where it can."""
    if not program():
        return "bubblewrap is not installed"
    facts = _facts()
    if kept.find(PROGRAM, facts):
        return ""
    trial = [program(), *NAMESPACES, "--unshare-net", "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev", "true"]
    done = subprocess.run(trial, capture_output=True, text=True, check=False, env={"PATH": os.defpath})
    if done.returncode == 0:
        kept.keep(PROGRAM, facts, True)
        return ""
    said = (done.stderr.strip().splitlines() or [f"ended with {done.returncode}"])[-1]
    return f"user namespaces are not to be had here ({said.removeprefix('bwrap: ')})"


def _facts() -> list[str]:
    """What decides whether user namespaces are to be had. Where it is something else, one start fails."""
    info = Path(program()).stat()
    found = [
        program(),
        str(info.st_mtime_ns),
        str(os.getuid()),
        *(str(Path(f"/proc/self/ns/{name}").readlink()) for name in OWN),
    ]
    filters = [
        line for line in kept.text("/proc/self/status").splitlines() if line.startswith(("Seccomp", "NoNewPrivs"))
    ]
    return found + filters + [kept.text(path) for path in DECIDERS]


def arguments(box: Box) -> bytes:
    """All of bwrap's arguments but the command, as --args reads them."""
    words = [*NAMESPACES, *box.more, *([] if box.network else ["--unshare-net"])]
    words += ["--die-with-parent", "--hostname", "agentbox", "--chdir", TARGET]
    for path in SYSTEM:
        words += _around(path, LIBRARY)
    words += ["--proc", "/proc", "--dev", "/dev", "--dir", "/var", "--symlink", "/tmp", "/var/tmp"]
    words += [word for name in ETC for word in ("--ro-bind-try", f"/etc/{name}", f"/etc/{name}")]
    words += ["--symlink", "/proc/self/mounts", "/etc/mtab"]
    for name, target in box.policy.native.etc.items():
        words += ["--symlink", target, f"/etc/{name}"]
    words += [word for place in box.policy.tmpfs for word in _tmpfs(place)]
    words += [word for path in box.readable for word in ("--ro-bind", path, path)]
    words += [word for each in box.binds for word in _bind(each)]
    words += [word for place, path in box.files.items() for word in ("--ro-bind", str(path), place)]
    # What was made on the way to all these is not for writing.
    words += ["--remount-ro", "/dev", "--remount-ro", "/"]
    return b"".join(os.fsencode(word) + b"\0" for word in words)


def _around(path: str, hole: str) -> Iterator[str]:
    """`path` read-only, but for `hole`, which may lie in it: that is left to others."""
    if path == hole or not os.path.lexists(path):
        return
    if Path(path).is_symlink():
        yield from ("--symlink", str(Path(path).readlink()), path)
    elif hole.startswith(f"{path}/"):
        for name in sorted(os.listdir(path)):  # noqa: PTH208  names are enough
            yield from _around(f"{path}/{name}", hole)
    else:
        yield from ("--ro-bind-try", path, path)


def _tmpfs(place: Tmpfs) -> tuple[str, ...]:
    return "--perms", place.mode, "--size", str(place.size), "--tmpfs", place.path


def _bind(each: Bind) -> tuple[str, ...]:
    if each.source:
        return "--ro-bind" if each.read_only else "--bind", each.source, each.target
    return "--perms", "0555", "--size", "4096", "--tmpfs", each.target, "--remount-ro", each.target
