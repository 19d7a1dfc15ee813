"""What this machine runs: the words by which the registries call it."""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path
from typing import NamedTuple

from agentbox.errors import InstallError

CPUS = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64", "arm64": "arm64"}


class Platform(NamedTuple):
    """`cpu` and `libc` in npm's words. `baseline` is a CPU too old for the usual builds of x64."""

    cpu: str
    libc: str
    baseline: bool

    def __str__(self) -> str:
        return f"linux-{self.cpu}-{self.libc}"


def current() -> Platform:
    """Raises InstallError where none of the agents would run."""
    cpu = CPUS.get(platform.machine().lower(), "")
    if not sys.platform.startswith("linux") or not cpu:
        raise InstallError(
            f"{sys.platform} on {platform.machine()}",
            "the native engine runs on Linux on x86-64 and ARM64",
            "use Docker: --engine docker",
        )
    return Platform(cpu, _libc(), cpu == "x64" and not _has_avx2())


def fits(wanted: object, own: str) -> bool:
    """Whether a package's `os`, `cpu` or `libc` admits `own`: names, or names with ! that it is not for."""
    if not isinstance(wanted, list) or not wanted:
        return True
    refused = {name[1:] for name in wanted if str(name).startswith("!")}
    admitted = {name for name in wanted if not str(name).startswith("!")}
    return own not in refused and (not admitted or own in admitted or "any" in admitted)


def _libc() -> str:
    try:
        return "glibc" if os.confstr("CS_GNU_LIBC_VERSION") else "musl"
    except (OSError, ValueError):
        return "musl"


def _has_avx2() -> bool:
    try:
        text = Path("/proc/cpuinfo").read_text(errors="replace")
    except OSError:
        return False
    return " avx2 " in text.replace("\n", " ")
