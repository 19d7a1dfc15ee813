"""Secrets in the mounted folders: places that a container gets to see as an empty file or folder.

Decided on the host when a container starts, by name (mask_search): an empty read-only file or tmpfs is mounted over
each place, for the agent and its tools alike, and the host's own files are not touched. What appears later is not
covered.
"""

from __future__ import annotations

import stat
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from agentbox.errors import UsageError, one_line
from agentbox.identity import Identity
from agentbox.mask_globs import Globs
from agentbox.mask_search import Search
from agentbox.policy_model import MaskRules
from agentbox.policy_schema import glob_error
from agentbox.workspace import Mount, private_dirs

# A mount costs the engine 2 ms, and agentbox-launch refuses to start where there are more than 512 in all.
MOST = 256
# The engine puts the path of the container's root in front, and 4,096 bytes are the kernel's limit.
LONGEST = 3800


class Mask(NamedTuple):
    """A place in the container to be covered, with an empty folder or an empty file. `host` is what it covers, and
    `inode` which file that was."""

    target: str
    folder: bool
    host: str
    inode: tuple[int, int]


class Wish(NamedTuple):
    """What a command line says about masks: none at all, or not what these globs match."""

    off: bool = False
    show: tuple[str, ...] = ()


class Masks(NamedTuple):
    """`places` to be covered, their `names` for people, and the globs of --unmask that matched nothing."""

    places: list[Mask]
    names: list[str]
    idle: list[str]


class _Shown:
    """The globs of --unmask, and which of them had something to do."""

    def __init__(self, globs: tuple[str, ...]) -> None:
        self.idle = list(globs)
        self._each = [(text, Globs([text.removeprefix("./").removesuffix("/")])) for text in globs]

    def __call__(self, path: str, root: str) -> bool:
        hits = [text for text, glob in self._each if glob.match(path, root)]
        self.idle = [text for text in self.idle if text not in hits]
        return bool(hits)


def find(rules: MaskRules, mounts: list[Mount], identity: Identity, wish: Wish) -> Masks:
    """All places to be covered. Raises UsageError where that cannot be done in full."""
    for text in wish.show:
        if wrong := glob_error(text.removeprefix("./")):
            raise UsageError(f"--unmask {text}", wrong)
    private = private_dirs(identity)
    covered = _places({str(path): True for path in private if path.is_dir()}, mounts)
    if wish.off:
        return Masks(sorted(covered, key=_order), [], [])
    shown = _Shown(wish.show)
    secret = _places(_search(rules, mounts, {str(path) for path in private}, shown), mounts)
    for mask in secret:
        _check(mask)
    if len(secret) > MOST:
        raise _too_many(secret)
    names = [one_line(mask.target.removeprefix(f"{mounts[0].target}/")) for mask in secret]
    return Masks(_outermost({*covered, *secret}), names, shown.idle)


def _search(rules: MaskRules, mounts: list[Mount], private: set[str], shown: _Shown) -> dict[str, bool]:
    """Real paths on the host, and whether they are folders."""
    roots = list(dict.fromkeys(str(mount.source) for mount in mounts))
    search = Search(rules, roots, private, shown)
    search.by_name()
    search.by_inode()
    return {
        path: folder
        for path, folder in search.found.items()
        if not any(path.startswith(root.rstrip("/") + "/") and shown(path, root) for root in roots)
    }


def _places(found: dict[str, bool], mounts: list[Mount]) -> list[Mask]:
    """Where the container shows those paths, which may be several places or none, less what a covered folder holds. A
    mounted folder itself is shown whatever it is called: somebody asked for it."""
    masks = {
        Mask(f"{mount.target}/{path[len(root) + 1 :]}", folder, path, inode)
        for path, folder in found.items()
        if (inode := inode_of(path))
        for mount in mounts
        if path.startswith((root := str(mount.source).rstrip("/")) + "/")
    }
    return _outermost(masks)


def inode_of(path: str) -> tuple[int, int] | None:
    """Device and number; None where it has vanished since it was found: to cover it would make it anew."""
    try:
        info = Path(path).lstat()
    except FileNotFoundError:
        return None
    except OSError:
        return (0, 0)
    return info.st_dev, info.st_ino


def remove_made(masks: list[Mask]) -> None:
    """What vanishes in the second between the search and the start, the engine makes anew to have something to mount
    on: an empty file or folder of root's, on the host. Take it away again."""
    for mask in masks:
        path = Path(mask.host)
        with suppress(OSError):
            info = path.lstat()
            other = (info.st_dev, info.st_ino) != mask.inode
            if not other or (info.st_uid, stat.S_IMODE(info.st_mode)) != (0, 0o755):
                continue
            if stat.S_ISDIR(info.st_mode):
                path.rmdir()
            elif stat.S_ISREG(info.st_mode) and info.st_size == 0:
                path.unlink()


def _outermost(masks: set[Mask]) -> list[Mask]:
    folders = {mask.target for mask in masks if mask.folder}
    outer = [mask for mask in masks if not any(str(parent) in folders for parent in Path(mask.target).parents)]
    return sorted(outer, key=_order)


def _order(mask: Mask) -> tuple[int, str]:
    return mask.target.count("/"), mask.target


def _check(mask: Mask) -> None:
    """A mount point travels as JSON through Compose and the engine."""
    hint = "rename it, or leave it visible with --unmask"
    try:
        size = len(mask.target.encode())
    except UnicodeEncodeError:
        raise UsageError(mask.target, "cannot be masked: its name is not UTF-8", hint) from None
    if size > LONGEST:
        raise UsageError(f"{mask.target[:60]}…", "cannot be masked: its path is too long", hint)


def _too_many(masks: list[Mask]) -> UsageError:
    parents = Counter(mask.target.rpartition("/")[0] for mask in masks)
    folder, count = parents.most_common(1)[0]
    where = f", {count:,} of them in {folder}" if count > 1 else ""
    return UsageError(
        "masks",
        f"{len(masks):,} files match the mask list{where}; {MOST} is the most that can be covered",
        'cover a whole folder with mask.globs = ["that/folder/"], show files with --unmask GLOB, or all with --no-mask',
    )
