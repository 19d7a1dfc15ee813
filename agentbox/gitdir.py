"""Mounts what a worktree or a submodule needs: its repository, which is not in the mounted folder.

The folder says where that is, and the folder is the agent's to write. So the repository must name the folder back, and
nothing is bound that a container which is running could exchange for something else.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path

from agentbox import gitconfig
from agentbox.errors import one_line
from agentbox.gitplan import Plan, can_be_named, is_free, steady
from agentbox.gitpointer import LONGEST, Refused, check_repository, content, line, pointer, real
from agentbox.identity import Identity
from agentbox.workspace import Mount

# Worktrees of one repository that are kept from being taken for garbage.
MOST = 32
# In the container's home, what programs expect to make themselves.
OWN_FILES = "/home/agent/."
UP = "../.."
# Where a submodule's repository really is in the container, beside a link that leads from it back to the submodule.
SUPER = "/.superproject"


def linked(mounts: list[Mount], identity: Identity, others: list[set[str]]) -> Plan:
    """The repositories of those folders that have theirs elsewhere. `others` is what each running container has
    mounted."""
    plan = Plan()
    for mount in mounts:
        try:
            _link(plan, mount, mounts, identity, others)
        except Refused as why:
            plan.lines.append(f"{one_line(str(mount.source / '.git'))}: {why}; not mounted, git will not work there")
    own = [Mount(mount.source / ".git", f"{mount.target}/.git") for mount in mounts]
    plan.blanks = _blanks([*plan.mounts, *own], [*mounts, *plan.mounts])
    return plan


def _link(plan: Plan, mount: Mount, mounts: list[Mount], identity: Identity, others: list[set[str]]) -> None:
    text = pointer(mount.source / ".git")
    if text is None:
        return
    own = real(mount.source / text)
    links: dict[str, str] = {}
    if own.parent.name == "worktrees":
        found, what = _of_worktree(text, own, mount, mounts), "worktree"
    else:
        (found, links), what = _of_submodule(text, own, mount), "submodule"
        if plan.hollows:
            raise Refused("a second submodule: one at a time can have its repository")
    check_repository(found.source, own, mount, identity)
    if not can_be_named(str(found.source)) or not can_be_named(found.target):
        raise Refused(f"points into {one_line(str(found.source))[:300]}, no name that can be mounted")
    if not steady(found.source, others):
        raise Refused(f"points into {one_line(str(found.source))}, which a running container could exchange")
    plan.links |= links
    plan.hollows += [found.target] if links else []
    if found not in plan.mounts:
        plan.mounts.append(found)
    plan.lines.append(f"a git {what}: mounted its repository, {one_line(str(found.source))}")


def _of_worktree(text: str, own: Path, mount: Mount, mounts: list[Mount]) -> Mount:
    """Its repository, at the place where the pointer leads in the container."""
    if line(own / "commondir") != UP:
        raise Refused(f"points to {one_line(str(own))}, which is no worktree's record")
    _check_back(own / line(own / "gitdir"), mount.source / ".git", own)
    target = os.path.normpath(Path(mount.target) / text / UP)
    if real(mount.source / text / UP) != own.parent.parent or not is_free(target, mounts):
        raise Refused(f"points to {one_line(target)}, which has no place in the container")
    return Mount(own.parent.parent, target, mount.read_only)


def _of_submodule(text: str, own: Path, mount: Mount) -> tuple[Mount, dict[str, str]]:
    """Its repository, and links so that both pointers hold: the folder's (../.git/modules/NAME) leads to a link, and
    the repository's (../../../NAME), which git follows from where that leads, to a link back to the folder."""
    tree = _tree(own)
    _check_back(own / tree, mount.source, own)
    seen = os.path.normpath(Path(mount.target) / text)
    back = os.path.normpath(Path(SUPER + seen) / tree)
    if not seen.startswith("/.git/modules/") or not back.startswith(f"{SUPER}/") or back.startswith(f"{SUPER}/.git/"):
        raise Refused(f"points to {one_line(seen)}, which has no place in the container")
    return Mount(own, SUPER + seen, mount.read_only), {seen: SUPER + seen, back: mount.target}


def _tree(own: Path) -> str:
    """The work tree that a submodule's repository names."""
    pairs = gitconfig.dangerous(content(own / "config")) or []
    trees = [value for key, value in pairs if key == "core.worktree"]
    if len(trees) != 1:
        raise Refused(f"points to {one_line(str(own))}, which is the record of no worktree or submodule")
    return trees[0]


def _blanks(repositories: list[Mount], mounts: list[Mount]) -> list[str]:
    """Where repositories have worktrees, on the host: git takes the record of one that is not there for garbage. Only
    that something is there counts, so nothing of the host is shown, whatever the records say."""
    found = []
    for repository in repositories:
        with suppress(OSError):
            for record in sorted((repository.source / "worktrees").iterdir())[:MOST]:
                with suppress(Refused):
                    place = Path(repository.target, "worktrees", record.name, line(record / "gitdir"))
                    found.append(os.path.normpath(place))
    fits = sorted({place for place in found if re.fullmatch(r"/.+/\.git", place) and len(place) < LONGEST})
    fits = [place for place in fits if is_free(place, mounts) and not place.startswith(OWN_FILES)]
    # The engine makes the folders above as well: none of those may be a file.
    return [place for place in fits if not any(place.startswith(f"{other}/") for other in fits)][:MOST]


def _check_back(named: Path, wanted: Path, own: Path) -> None:
    try:
        same = named.resolve(strict=True) == wanted
    except (OSError, RuntimeError):
        same = False
    if not same:
        raise Refused(f"points to {one_line(str(own))}, which does not name this folder")
