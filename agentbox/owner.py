"""Whose a container or run directory is, and what those leave behind who died without cleaning up."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path

from agentbox.engine import OWNER, RUN, Engine
from agentbox.identity import Identity
from agentbox.state import remove_tree

# The start of a process is read from a clock that NTP may move.
TOLERANCE = 3.0
NO_OWNER_SECONDS = 3600


def current() -> str:
    """This process as `<pid>:<start time>:<host>`."""
    import psutil

    return f"{os.getpid()}:{psutil.Process().create_time():.0f}:{socket.gethostname()}"


def gone(owner: str) -> bool:
    """Whether an owner of this host is certainly no longer alive. Other hosts' owners and odd texts count as alive."""
    import psutil

    pid, _, rest = owner.partition(":")
    start, _, host = rest.partition(":")
    if host != socket.gethostname() or not pid.isdigit() or not start.isdigit():
        return False
    if not psutil.pid_exists(int(pid)):
        return True
    try:
        return abs(psutil.Process(int(pid)).create_time() - float(start)) > TOLERANCE
    except psutil.Error:  # it exists, but /proc hides it
        return False


def clean(engine: Engine, identity: Identity, own_run: str = "") -> list[str]:
    """Remove containers, networks, run directories and secrets whose owner is gone. Returns their names."""
    removed = []
    for container in engine.containers(OWNER):
        if container.labels.get(RUN) != own_run and gone(container.labels[OWNER]) and engine.remove(container.name):
            removed.append(container.name)
    for network, owner in engine.networks(OWNER).items():
        if gone(owner) and engine.remove_network(network):
            removed.append(f"network {network[:12]}")
    for folder in (*_folders(run_root(identity)), *_folders(identity.secrets)):
        if folder.name != own_run and _abandoned(folder):
            remove_tree(folder)
            removed.append(str(folder))
    return removed


def run_root(identity: Identity) -> Path:
    return identity.own_state / "run"


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
