"""Whose a container or run directory is, and what those leave behind who died without cleaning up."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from agentbox.identity import Identity
from agentbox.state import remove_tree

if TYPE_CHECKING:
    from agentbox.engine import Engine

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
NO_OWNER_SECONDS = 3600


def current() -> str:
    """This process as `<pid>:<start>:<host>`."""
    return f"{os.getpid()}:{_started(os.getpid())}:{socket.gethostname()}"


def gone(owner: str) -> bool:
    """Whether an owner of this host is certainly no longer alive. Other hosts' owners and odd texts count as alive."""
    pid, _, rest = owner.partition(":")
    start, _, host = rest.partition(":")
    if host != socket.gethostname() or not pid.isdigit() or not start.partition(".")[0].isdigit():
        return False
    try:
        now = _started(int(pid))
        return now != start and ("." in now) == ("." in start)  # an older agentbox counted in seconds since 1970
    except ProcessLookupError:
        return True
    except OSError:  # it exists, but /proc hides it
        return False


def _started(pid: int) -> str:
    """When a process was started, as no other of its number was: `<clock ticks since boot>.<boot id>`. The time of day
    would not do, which NTP and a machine that wakes up move. Raises OSError, where there is none ProcessLookupError."""
    if not BOOT_ID.exists():
        return _started_elsewhere(pid)
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except FileNotFoundError:
        os.kill(pid, 0)
        raise
    return f"{fields[19]}.{BOOT_ID.read_text().strip()}"


def _started_elsewhere(pid: int) -> str:
    """The same without /proc, in seconds since 1970. Where there is one, psutil would take longer to import than all of
    this module's work."""
    import psutil

    try:
        return f"{psutil.Process(pid).create_time():.0f}"
    except psutil.NoSuchProcess:
        raise ProcessLookupError(pid) from None
    except psutil.Error:
        raise PermissionError(pid) from None


def leftovers(engine: Engine | None, identity: Identity, own_run: str = "") -> Iterator[tuple[str, Callable[[], bool]]]:
    """Containers, networks, run directories and secrets whose owner is gone: their names, and what removes them."""
    if engine is not None:
        yield from _on_engine(engine, own_run)
    for folder in (*_folders(run_root(identity)), *_folders(verify_root(identity)), *_folders(identity.secrets)):
        if folder.name != own_run and _abandoned(folder):
            yield str(folder), partial(_remove_folder, folder)


def _on_engine(engine: Engine, own_run: str) -> Iterator[tuple[str, Callable[[], bool]]]:
    from agentbox.engine import OWNER, RUN

    for container in engine.containers(OWNER):
        if container.labels.get(RUN) != own_run and gone(container.labels[OWNER]):
            yield container.name, partial(engine.remove, container.name)
    for network, owner in engine.networks(OWNER).items():
        if gone(owner):
            yield f"network {network[:12]}", partial(engine.remove_network, network)


def clean(engine: Engine | None, identity: Identity, own_run: str = "") -> list[str]:
    """Remove the leftovers. Returns their names."""
    return [name for name, remove in leftovers(engine, identity, own_run) if remove()]


def _remove_folder(folder: Path) -> bool:
    remove_tree(folder)
    return True


def run_root(identity: Identity) -> Path:
    return identity.own_state / "run"


def verify_root(identity: Identity) -> Path:
    """Where `agentbox verify` keeps what it throws away: not below agentbox's own state, which no container may see."""
    return identity.own_state.with_name("agentbox-verify")


def _folders(root: Path) -> list[Path]:
    try:
        return sorted(root.iterdir())
    except OSError:
        return []


def _abandoned(folder: Path) -> bool:
    try:
        return gone((folder / "owner").read_text())
    except FileNotFoundError:
        try:
            return time.time() - folder.stat().st_mtime > NO_OWNER_SECONDS
        except OSError:
            return False
    except OSError:
        return False
