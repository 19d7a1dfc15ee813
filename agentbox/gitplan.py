"""What a container is to see of git besides the mounted folders, as plain values; and which places may be bound."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from agentbox.mask import LONGEST
from agentbox.workspace import Mount

# Of the image, where nothing of the host shall appear.
IMAGE = frozenset(
    "agent bin boot dev entrypoint.sh etc lib lib32 lib64 libx32 opt proc root run sbin sys usr var .dockerenv .git "
    ".superproject".split()
)


class Cover(NamedTuple):
    """A file or folder below `root` on the host, at `name` there, to be shown as a read-only copy at `target`."""

    root: Path
    name: str
    target: str

    @property
    def host(self) -> Path:
        return self.root / self.name


@dataclass(slots=True)
class Plan:
    """`mounts` are further folders of the host; `pins` are mounts over themselves, which nobody can move away; at
    `blanks` are to be empty files. `links` are symlinks and what they say, `hollows` empty folders to mount on, both in
    read-only folders at the top that hold nothing else."""

    mounts: list[Mount] = field(default_factory=list)
    pins: list[Mount] = field(default_factory=list)
    covers: list[Cover] = field(default_factory=list)
    blanks: list[str] = field(default_factory=list)
    links: dict[str, str] = field(default_factory=dict)
    hollows: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)


def is_free(target: str, mounts: list[Mount]) -> bool:
    """Whether a place in the container is neither the image's nor below a mounted folder."""
    first = target.split("/")[1]
    return bool(first) and first not in IMAGE and not any(f"{target}/".startswith(f"{each.target}/") for each in mounts)


def can_be_named(path: str) -> bool:
    """Whether a path can travel as JSON through Compose and the engine, which puts another path in front."""
    try:
        return len(path.encode()) <= LONGEST
    except UnicodeEncodeError:
        return False


def steady(path: Path, others: Iterable[set[str]]) -> bool:
    """Whether no running container can put something else in the place of `path` before the engine mounts it: none has
    a folder above it, or it has `path` itself mounted, right below that folder."""
    above = {str(parent) for parent in path.parents}
    return all(not (above & binds) or {str(path), str(path.parent)} <= binds for binds in others)
