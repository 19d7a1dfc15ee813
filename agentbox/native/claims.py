"""What the native engine cannot do that a container does, for people. docs/threat-model.md has the table."""

from __future__ import annotations

from agentbox.native import bubblewrap, landlock, limits, seccomp

ALWAYS = ("the tools are your system's own programs, not an image's",)
ALONE = (
    "your other processes' names can be seen",
    "no file is masked and git's hooks can be changed",
    "no local server can be reached, its own ones neither",
)
UNSCOPED = "the agent can signal your other processes"


def alone() -> str:
    """What Landlock alone leaves open here; empty where there is more than that."""
    why = bubblewrap.missing()
    if not why:
        return ""
    if not landlock.abi():
        return f"{why}, and the kernel has no Landlock: nothing but its own good will keeps the agent from your files"
    found = [*ALONE, *([UNSCOPED] if landlock.abi() < landlock.SCOPE_SINCE else [])]
    return f"{why}, so Landlock alone keeps the agent in: {'; '.join(found)}"


def unbounded() -> str:
    """Which of memory and CPU has no limit here, and why; empty where both have."""
    held = limits.held()
    names = " and ".join(name for name in limits.CONTROLLERS if name not in held.controllers)
    return f"{names} without a limit ({held.why})" if names else ""


def weaker() -> str:
    """What is weaker than in a container, wherever it runs."""
    found = [*ALWAYS, *filter(None, [unbounded()])]
    if why := seccomp.missing():
        found.append(f"no filter of system calls ({why})")
    if not landlock.abi():
        found.append("no Landlock in this kernel: the credentials are not out of the tools' reach")
    return "weaker there: " + "; ".join(found)
