"""What the native engine cannot do that a container does, for people. docs/threat-model.md has the table."""

from __future__ import annotations

import os
from collections.abc import Mapping

from agentbox import programs
from agentbox.identity import Identity
from agentbox.native import bubblewrap, landlock, limits, seccomp
from agentbox.native.instance import moved
from agentbox.native.places import SEARCH
from agentbox.policy_model import Policy

ALWAYS = ("the tools are your system's own programs, not an image's",)
ALONE = (
    "your other processes' names can be seen",
    "no file is masked and git's hooks can be changed",
    "no local server can be reached, its own ones neither",
)
# By protection, as `agentbox verify` names them: why the native engine does not claim it.
UNCLAIMED: Mapping[str, str] = {
    "user": "the agent is a process of yours: root's files are closed to it as they are to you",
    "privileges": "bubblewrap and Landlock set no_new_privs themselves: there is no control without it",
    "rootfs": "there is no image: the system's own programs are read-only, and are not yours to write anyway",
    "noexec": "what is in temporary places can be executed",
    "memory": "memory has no limit of its own",
}
UNCLAIMED_ALONE: Mapping[str, str] = {
    "masks": "Landlock alone can cover no file: start with secrets in the folders is refused, or they are shown",
    "hooks": "Landlock alone keeps no part of a folder read-only: changed hooks are reported",
    "capabilities": "a process of yours keeps the bounding set that you have; no_new_privs makes it void",
}
SIGNALS_ALONE = "the agent can signal your other processes"
UNSCOPED = (landlock.SCOPE_SINCE, "Linux before 6.12: Landlock does not know signals and abstract sockets")
# By attack, what Landlock does not stop before an ABI: with bubblewrap and alone. There no process is hidden, and no
# Unix socket is to be had.
OLDER: Mapping[str, tuple[int, str]] = {"process/signal": UNSCOPED}
OLDER_BOXED = {**OLDER, "process/socket": UNSCOPED}
OLDER_UNBOXED = {**OLDER, "process/host-signal": UNSCOPED, "process/host-signal-by-agent": UNSCOPED}


def alone() -> str:
    """What Landlock alone leaves open here; empty where there is more than that."""
    why = bubblewrap.missing()
    if not why:
        return ""
    if not landlock.abi():
        return f"{why}, and the kernel has no Landlock: nothing but its own good will keeps the agent from your files"
    found = [*ALONE, *([SIGNALS_ALONE] if landlock.abi() < landlock.SCOPE_SINCE else [])]
    return f"{why}, so Landlock alone keeps the agent in: {'; '.join(found)}"


def unbounded() -> str:
    """Which of memory and CPU has no limit here, and why; empty where both have."""
    held = limits.held()
    names = " and ".join(name for name in limits.CONTROLLERS if name not in held.controllers)
    return f"{names} without a limit ({held.why})" if names else ""


def lacking(policy: Policy, identity: Identity) -> str:
    """What the agent would download because the host does not have it, which the broker refuses; empty where it has
    all."""
    homes = {state.path: str(identity.home / state.host) for state in policy.state}

    def there(name: str) -> bool:
        return os.access(moved(name, homes), os.X_OK) if name[0] == "/" else bool(programs.find(name, SEARCH))

    missing = [package for package, names in policy.native.programs.items() if not any(map(there, names))]
    if not missing or policy.network.mode == "open":
        return ""
    fetched = f"{policy.agent} has no {' and no '.join(missing)} here, and may not download it"
    return f"{fetched}: apt install {' '.join(missing)}"


def weaker() -> str:
    """What is weaker than in a container, wherever it runs."""
    found = [*ALWAYS, *filter(None, [unbounded()])]
    if why := seccomp.missing():
        found.append(f"no filter of system calls ({why})")
    if not landlock.abi():
        found.append("no Landlock in this kernel: the credentials are not out of the tools' reach")
    return "weaker there: " + "; ".join(found)


def unclaimed(*, alone: bool) -> Mapping[str, str]:
    """Protections of a container that a sandbox does not have, and why."""
    filtered = {"seccomp": f"no filter of system calls: {why}"} if (why := seccomp.missing()) else {}
    return {**UNCLAIMED, **filtered, **(UNCLAIMED_ALONE if alone else {})}


def unknown(attack: str, *, alone: bool) -> str:
    """Why this kernel's Landlock does not stop an attack that newer ones do; empty where it does."""
    since, why = (OLDER_UNBOXED if alone else OLDER_BOXED).get(attack, (0, ""))
    return why if landlock.abi() < since else ""
