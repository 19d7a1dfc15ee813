"""After a session: which files did it change that the host would run later, without anybody asking for them by name?

Looked at before and after, on the host, with the container gone. Which files count is a table (hostrun_table); they are
found by name (hostrun_walk) and compared by what counts of them (hostrun_read).
"""

from __future__ import annotations

import os
import subprocess
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from agentbox import gitconfig
from agentbox.errors import one_line
from agentbox.hostrun_read import OPAQUE, Facts, content, facts
from agentbox.hostrun_walk import HOOK, MOST, Kind, Walk
from agentbox.workspace import Mount

# What one program runs is listed up to so many files, so that nothing drowns the rest.
SHOWN = 8
FACTS = 8
WIDTH, LONGEST = 80, 300
# Configuration files that are read (git takes 3 ms for each; of the others any change counts), includes in one another,
# and keys of one that are followed.
CONFIGS, DEEP, FOLLOWED = 256, 10, 256
# A file's time comes from the kernel's own, coarser clock.
CLOCK_NS = 2 * 10**9
FIRST = ("set-user-ID", "git", HOOK)


class State(NamedTuple):
    """The files that count, with their facts; since when, in nanoseconds; the git directories there are; and folders
    that could not be read, and whether the search was given up."""

    roots: tuple[str, ...]
    files: dict[str, tuple[Kind, Facts]]
    since: int
    repositories: tuple[str, ...]
    unread: tuple[str, ...]
    stopped: bool


@dataclass(frozen=True, slots=True)
class Change:
    """One file that is new or says something new: `what` it says, `why` it counts."""

    path: str
    new: bool
    why: str
    what: tuple[str, ...] = field(default=())


def look(mounts: list[Mount], most: int = MOST) -> State:
    """The state of all folders that a container may write to."""
    since = time.time_ns() - CLOCK_NS
    roots = tuple(dict.fromkeys(str(mount.source) for mount in mounts if not mount.read_only))
    walk = Walk(roots, most)
    found = walk.run()
    _follow_configs(walk)
    unread = [path for path, kind in found.files.items() if kind[1] == "config"][CONFIGS:]
    kinds = found.files | dict.fromkeys(unread, ("git", ""))
    files = {path: (kind, facts(path, kind[1])) for path, kind in kinds.items()}
    return State(roots, files, since, tuple(found.repositories), tuple(found.unread), found.stopped)


def _follow_configs(walk: Walk) -> None:
    """What git's configuration names: included files, folders of hooks, programs. Each file once, so a loop ends."""
    done: set[str] = set()
    for _ in range(DEEP):
        paths = [path for path, kind in walk.found.files.items() if kind[1] == "config" and path not in done]
        for path in paths[: max(CONFIGS - len(done), 0)]:
            _follow(walk, path)
        done.update(paths)
        walk.finish()
        if not paths:
            return


def _follow(walk: Walk, path: str) -> None:
    try:
        pairs = (gitconfig.dangerous(content(path)) or [])[:FOLLOWED]
    except OSError:
        return
    folder = path.rpartition("/")[0]
    trees = dict.fromkeys((folder.rpartition("/")[0], folder, *walk.roots)) if pairs else ()
    for target in gitconfig.included(pairs, folder):
        if real := walk.inside(target):
            walk.found.files[real] = ("git", "config")
    for tree in trees:
        for target in gitconfig.hooks_paths(pairs, tree):
            if real := walk.inside(target):
                walk.add_folder(real, HOOK)
        for target, key in gitconfig.programs(pairs, tree):
            if (real := walk.inside(target)) and Path(real).is_file():
                walk.found.files.setdefault(real, (f"git ({key})", ""))


def _gaps(before: State, after: State, most: int) -> list[str]:
    new = [path for path in after.unread if path not in before.unread]
    gaps = [f"{_shown(path)}: cannot be read any more, so nobody looked into it" for path in new[:SHOWN]]
    if after.stopped:
        gaps.append(f"the search ended after {most:,} files and folders: look through the rest yourself")
    return gaps


def changes(before: State, after: State) -> list[Change]:
    """What is new in `after`, the most telling first."""
    found = []
    for path, (kind, now) in after.files.items():
        old = before.files.get(path)
        new = now - old[1] if old else now
        if new:
            what = tuple(sorted(fact for fact in new if not fact.startswith(OPAQUE)))
            found.append(Change(path, old is None, kind[0], what))
    rank = {why: number for number, why in enumerate(FIRST)}
    return sorted(found, key=lambda each: (rank.get(each.why.partition(" (")[0], len(rank)), each.why, each.path))


def marked(search: subprocess.Popen[bytes] | None, since: int) -> list[Change]:
    """Files that got a set-user-ID or set-group-ID bit since; a status change is dated by the kernel, not by tools."""
    names = search.communicate()[0].split(b"\0") if search else []
    return [Change(os.fsdecode(name), True, FIRST[0]) for name in names if name and _is_recent(name, since)]


def _start_marks(roots: tuple[str, ...]) -> subprocess.Popen[bytes] | None:
    """Every file has to be asked for its mode, which find does in a fraction of our time, beside us."""
    command = ["find", *roots, "-type", "f", "(", "-perm", "-4000", "-o", "-perm", "-2000", ")", "-print0"]
    try:
        # In /, so that a relative folder on PATH is not the workspace's.
        return subprocess.Popen(
            command, cwd="/", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
    except OSError:
        return None


def _is_recent(name: bytes, since: int) -> bool:
    with suppress(OSError):
        return os.lstat(name).st_ctime_ns >= since
    return False


def report(before: State, mounts: list[Mount], most: int = MOST) -> list[str]:
    """Lines about the session that began at `before`; none where there is nothing to say."""
    if not before.roots:
        return []
    search = _start_marks(before.roots)
    after = look(mounts, most)
    found = marked(search, before.since) + changes(before, after)
    gaps = _gaps(before, after, most)
    if search is None:
        gaps.append("set-user-ID files: not looked for, as there is no find on PATH")
    if not found and not gaps:
        return []
    count = Counter(each.why for each in found)
    shown: Counter[str] = Counter()
    lines = []
    for each in found:
        shown[each.why] += 1
        if shown[each.why] <= SHOWN:
            lines.append(_line(each, str(mounts[0].source)))
        elif shown[each.why] == count[each.why]:
            lines.append(f"  … and {count[each.why] - SHOWN} more: {one_line(each.why)}")
    plural = "s" if len(found) != 1 else ""
    head = (
        [f"changed meanwhile, and run later by this machine: {len(found)} file{plural} to look at first"]
        if found
        else []
    )
    return [*head, *lines, *(f"  {gap}" for gap in gaps)]


def _line(change: Change, root: str) -> str:
    path = _shown(change.path.removeprefix(root.rstrip("/") + "/"))
    what = "; ".join(_shown(fact, WIDTH) for fact in change.what[:FACTS])
    if len(change.what) > FACTS:
        what += f"; … and {len(change.what) - FACTS} more"
    return f"  {'new' if change.new else 'changed':8} {path}: {one_line(change.why)}{f': {what}' if what else ''}"


def _shown(text: str, longest: int = LONGEST) -> str:
    text = one_line(text)
    return text if len(text) <= longest else f"{text[:longest]}…"
