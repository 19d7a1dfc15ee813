"""Keeps tools from changing what the host's git runs by itself: the hooks of the repositories in the mounted folders.

Hooks are shown as a read-only copy. A copy, because an engine resolves what it binds by path, and a container that is
running on the same folder could put a symlink there meanwhile.
"""

from __future__ import annotations

import stat
from collections.abc import Iterable
from pathlib import Path

from agentbox.errors import one_line
from agentbox.gitplan import Cover, Plan, can_be_named, steady
from agentbox.workspace import Mount

# Repositories whose hooks are covered, those nearest to the top first; a mount costs the engine 2 ms.
MOST, DEEPEST = 32, 3
LINE = 300


def protect(plan: Plan, mounts: list[Mount], repositories: Iterable[str], others: list[set[str]]) -> None:
    """Add what keeps hooks from being changed: a read-only copy of each repository's, a pin on a folder's own .git."""
    everywhere = [mount for mount in (*mounts, *plan.mounts) if not mount.read_only]
    near = {Path(path): depth for path in repositories if (depth := _depth(Path(path), everywhere)) <= DEEPEST}
    hooks = [path / "hooks" for path in sorted(near, key=lambda path: (near[path], str(path)))]
    for path in [each for each in hooks if stat.S_ISLNK(_mode(each))][:MOST]:
        plan.lines.append(f"{one_line(str(path))}: is a symlink: hooks can be changed inside")
    real = [path for path in hooks if stat.S_ISDIR(_mode(path))]
    for path in [each for each in real if not can_be_named(str(each))][:MOST]:
        plan.lines.append(f"{one_line(str(path))[:LINE]}: no name that can be mounted: hooks can be changed inside")
    real = [path for path in real if can_be_named(str(path))]
    if len(real) > MOST:
        plan.lines.append(f"{len(real)} repositories: the hooks of the {MOST} nearest to the top are read-only")
    for path in real[:MOST]:
        plan.covers += _covers(path, everywhere)
    for mount in everywhere:
        own = mount.source / ".git"
        if stat.S_ISDIR(_mode(own)) and steady(own, others):
            plan.pins.append(Mount(own, f"{mount.target}/.git"))


def _mode(path: Path) -> int:
    """Of a link its own; 0 where there is nothing, or where that cannot be told."""
    try:
        return path.lstat().st_mode
    except OSError:
        return 0


def _depth(path: Path, mounts: list[Mount]) -> int:
    """How many folders below a mounted one a repository is."""
    lengths = [len(path.relative_to(mount.source).parts) for mount in mounts if path.is_relative_to(mount.source)]
    return min(lengths, default=DEEPEST + 1)


def _covers(path: Path, mounts: list[Mount]) -> list[Cover]:
    return [
        Cover(mount.source, str(path.relative_to(mount.source)), f"{mount.target}/{path.relative_to(mount.source)}")
        for mount in mounts
        if mount.source in path.parents
    ]
