"""What a container needs of git that is not in the mounted folder, and what of git its tools shall not change.

A worktree's repository is mounted where the worktree's pointers say, if it names the folder back. Hooks are shown as a
read-only copy: a copy, because an engine resolves what it binds by path, and a container that is running on the same
folder could put a symlink there meanwhile. For the same reason nothing is bound that such a container could exchange.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from agentbox.errors import one_line
from agentbox.identity import Identity
from agentbox.workspace import TARGET, Mount, private_dirs

# Repositories whose hooks are covered, those nearest to the top first; a mount costs the engine 2 ms.
MOST, DEEPEST = 32, 3
# Of the image, where nothing of the host shall appear.
IMAGE = frozenset("agent bin boot dev etc lib lib32 lib64 libx32 proc root run sbin sys usr var".split())
POINTER = re.compile(r"gitdir: (/?[^\0\n]+)\n?")
# In the container's home, what programs expect to make themselves.
OWN_FILES = "/home/agent/."
LONGEST = 4096
UP = "../.."


@dataclass(frozen=True, slots=True)
class Cover:
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
    `blanks` are to be empty files."""

    mounts: list[Mount] = field(default_factory=list)
    pins: list[Mount] = field(default_factory=list)
    covers: list[Cover] = field(default_factory=list)
    blanks: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)


class _Refused(Exception):
    """Why a pointer is not followed."""


def worktrees(mounts: list[Mount], identity: Identity, others: list[set[str]]) -> Plan:
    """The repositories of those folders that are worktrees. `others` is what each running container has mounted."""
    plan = Plan()
    for mount in mounts:
        try:
            common = _linked(mount, mounts, identity)
        except _Refused as why:
            plan.lines.append(f"{one_line(str(mount.source / '.git'))}: {why}; not mounted, git will not work there")
            continue
        if common is None:
            continue
        if not steady(common.source, others):
            plan.lines.append(f"{one_line(str(common.source))}: not mounted: a container that runs could exchange it")
            continue
        if common not in plan.mounts:
            plan.mounts.append(common)
        plan.lines.append(f"a git worktree: mounted its repository, {one_line(str(common.source))}")
    everywhere = [*mounts, *plan.mounts]
    own = [Mount(mount.source / ".git", f"{mount.target}/.git") for mount in mounts]
    plan.blanks = _blanks([*plan.mounts, *own], everywhere)
    return plan


def _linked(mount: Mount, mounts: list[Mount], identity: Identity) -> Mount | None:
    """The repository of a worktree, at the place where its pointer leads in the container; None where it is none."""
    text = _pointer(mount.source / ".git")
    if text is None:
        return None
    own = _real(mount.source / text)
    common = own.parent.parent
    if own.parent.name != "worktrees" or _line(own / "commondir") != UP:
        if "modules" in own.parts:
            raise _Refused(f"a submodule of {one_line(str(_superproject(own)))}: name that with -w to use git")
        raise _Refused(f"points to {one_line(str(own))}, which is no worktree's record")
    _check_back(own, mount)
    _check_common(own, common, mount, identity)
    target = os.path.normpath(Path(TARGET) / text / UP)
    if _real(mount.source / text / UP) != common or not _is_free(target, mounts):
        raise _Refused(f"points to {one_line(target)}, which has no place in the container")
    return Mount(common, target, mount.read_only)


def _blanks(repositories: list[Mount], mounts: list[Mount]) -> list[str]:
    """Where repositories have worktrees, on the host: git takes the record of one that is not there for garbage. Only
    that something is there counts, so nothing of the host is shown, whatever the records say."""
    found = []
    for repository in repositories:
        with suppress(OSError):
            for record in sorted((repository.source / "worktrees").iterdir())[:MOST]:
                with suppress(_Refused):
                    place = Path(repository.target, "worktrees", record.name, _line(record / "gitdir"))
                    found.append(os.path.normpath(place))
    fits = sorted({place for place in found if re.fullmatch(r"/.+/\.git", place) and len(place) < LONGEST})
    fits = [place for place in fits if _is_free(place, mounts) and not place.startswith(OWN_FILES)]
    # The engine makes the folders above as well: none of those may be a file.
    return [place for place in fits if not any(place.startswith(f"{other}/") for other in fits)][:MOST]


def _pointer(path: Path) -> str | None:
    try:
        regular = stat.S_ISREG(path.lstat().st_mode)
    except OSError:
        return None
    if not regular:
        return None
    match = POINTER.fullmatch(_text(path))
    if not match:
        raise _Refused("is a file, but no pointer to a repository")
    return match[1]


def _check_back(own: Path, mount: Mount) -> None:
    try:
        same = (own / _line(own / "gitdir")).resolve(strict=True) == mount.source / ".git"
    except (OSError, RuntimeError):
        same = False
    if not same:
        raise _Refused(f"points to {one_line(str(own))}, which does not name this folder")


def _check_common(own: Path, common: Path, mount: Mount, identity: Identity) -> None:
    shown = one_line(str(common))
    for path in (own, common):
        if path.stat().st_uid != identity.uid:
            raise _Refused(f"points into {shown}, which is not UID {identity.uid}'s")
    if not ((common / "HEAD").is_file() and (common / "objects").is_dir() and (common / "refs").is_dir()):
        raise _Refused(f"points into {shown}, which is no repository")
    if mount.source in (common, *common.parents):
        raise _Refused(f"points to {shown}, inside the folder itself")
    if any(common in (place, *place.parents) or place in common.parents for place in private_dirs(identity)):
        raise _Refused(f"points to {shown}, which holds or belongs to an agent's state")


def _superproject(own: Path) -> Path:
    return next((parent.parent for parent in own.parents if parent.name == ".git"), own)


def _is_free(target: str, mounts: list[Mount]) -> bool:
    first = target.split("/")[1]
    return bool(first) and first not in IMAGE and not any(f"{target}/".startswith(f"{each.target}/") for each in mounts)


def _text(path: Path) -> str:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(fd, "rb") as file:
            return file.read(LONGEST).decode()
    except (OSError, UnicodeDecodeError):
        raise _Refused(f"cannot be followed: {one_line(str(path))} cannot be read") from None


def _line(path: Path) -> str:
    text = _text(path).removesuffix("\n")
    if not text or "\0" in text or "\n" in text:
        raise _Refused(f"cannot be followed: {one_line(str(path))} is malformed")
    return text


def _real(path: Path) -> Path:
    try:
        return path.resolve(strict=True)
    except (OSError, RuntimeError):
        raise _Refused(f"points to {one_line(str(path))}, which is not there") from None


def steady(path: Path, others: Iterable[set[str]]) -> bool:
    """Whether no running container can put something else in the place of `path` before the engine mounts it: none has
    a folder above it, or it has `path` itself mounted, right below that folder."""
    above = {str(parent) for parent in path.parents}
    return all(not (above & binds) or {str(path), str(path.parent)} <= binds for binds in others)


def protect(plan: Plan, mounts: list[Mount], repositories: Iterable[str], others: list[set[str]]) -> None:
    """Add what keeps hooks from being changed: a read-only copy of each repository's, a pin on a folder's own .git."""
    everywhere = [mount for mount in (*mounts, *plan.mounts) if not mount.read_only]
    near = {Path(path): depth for path in repositories if (depth := _depth(Path(path), everywhere)) <= DEEPEST}
    hooks = [path / "hooks" for path in sorted(near, key=lambda path: (near[path], str(path)))]
    for path in [each for each in hooks if each.is_symlink()][:MOST]:
        plan.lines.append(f"{one_line(str(path))}: is a symlink: hooks can be changed inside")
    real = [path for path in hooks if path.is_dir() and not path.is_symlink()]
    if len(real) > MOST:
        plan.lines.append(f"{len(real)} repositories: the hooks of the {MOST} nearest to the top are read-only")
    for path in real[:MOST]:
        plan.covers += _covers(path, everywhere)
    for mount in everywhere:
        own = mount.source / ".git"
        if own.is_dir() and not own.is_symlink() and steady(own, others):
            plan.pins.append(Mount(own, f"{mount.target}/.git"))


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
