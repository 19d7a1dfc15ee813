"""The run directory: what one session needs on the host, with both engines. owner.py removes it where it stays."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from agentbox import owner
from agentbox.binds import Options
from agentbox.credentials import Keys
from agentbox.gitcopy import copy
from agentbox.gitplan import Cover, Plan
from agentbox.identity import Identity
from agentbox.policy import render_all
from agentbox.policy_model import Policy
from agentbox.state import make_dir
from agentbox.workspace import Mount

if TYPE_CHECKING:
    from agentbox.audit import Records
    from agentbox.request import Request


def begin(folder: Path, identity: Identity, mounts: list[Mount]) -> str:
    """Make the directory; returns who it belongs to."""
    own = owner.current()
    make_dir(folder, identity)
    (folder / "owner").write_text(own)
    (folder / "workspace").write_bytes(os.fsencode(mounts[0].source) if mounts else b"")
    return own


def render(policy: Policy, etc: Path, keys: Keys) -> Path:
    """Write what will be /etc/agentbox."""
    etc.mkdir(0o755)
    etc.chmod(0o755)
    for name, text in render_all(policy).items():
        path = etc / name
        path.write_text(text)
        path.chmod(0o644)
    placeholders(etc, keys)
    (etc / "probe").symlink_to(f"{policy.vault.tree}/.probe")
    return etc


def placeholders(etc: Path, keys: Keys) -> None:
    """For an agent that a tool starts (containers/base/second.sh)."""
    if keys.placeholders:
        lines = (f"{name}={text}\n" for name, text in keys.placeholders.items())
        (etc / "placeholders").write_text("".join(lines))
        (etc / "placeholders").chmod(0o644)


def options(request: Request, folder: Path, etc: Path, records: Records) -> Options:
    """What a session has mounted, with what must be made for that in its run directory. No command is in it yet."""
    return Options(
        identity=request.identity,
        mounts=[*request.mounts, *request.git.mounts, *request.git.pins],
        environment={},
        command=[],
        etc=etc,
        masks=request.masks,
        empty=empty(folder),
        covers=copied(request.git.covers, folder / "copies"),
        copies=folder / "copies",
        blanks=request.git.blanks,
        tops=tops(request.git, folder / "tops"),
        records=records.inside,
    )


def empty(folder: Path) -> Path:
    """An empty file, to lie over others."""
    path = folder / "empty"
    path.touch(0o444)
    path.chmod(0o444)
    return path


def copied(covers: list[Cover], folder: Path) -> list[Cover]:
    """Those that are still there, copied into `folder` by number."""
    folder.mkdir(0o755)
    folder.chmod(0o755)
    found: list[Cover] = []
    for cover in covers:
        found += [cover] if copy(cover, folder / str(len(found))) else []
    return found


def tops(plan: Plan, folder: Path) -> dict[str, Path]:
    """Folders at the container's top that hold the plan's links and hollows: place to source."""
    for place in plan.hollows:
        (folder / place[1:]).mkdir(parents=True)
    for place, text in plan.links.items():
        (folder / place[1:]).parent.mkdir(parents=True, exist_ok=True)
        (folder / place[1:]).symlink_to(text)
    made = [folder / name for name in sorted({place.split("/")[1] for place in (*plan.hollows, *plan.links)})]
    for path in (each for top in made for each in (top, *top.rglob("*"))):
        if not path.is_symlink():
            path.chmod(0o755)
    return {f"/{path.name}": path for path in made}
