"""Finds the files of a folder that hostrun_table names. Reads names only, follows no link out of the folder."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from agentbox.hostrun_table import FILES, PARTS, PLAIN, SKIPPED

# So many files and folders take about a second.
MOST = 500_000
HOOK, POINTER, CONFIG = "git hook", "git", "git"
_FOLDERS = {name[:-1]: why for name, why in FILES.items() if name.endswith("/")}
_ENDINGS = {name[1:]: why for name, why in FILES.items() if name.startswith("*")}
_NAMES = {name: (why, "") for name, why in FILES.items() if name[0] != "*" and name[-1] != "/"}
_NAMES |= {name: ("runs by name" if part == "scripts" else "git", part) for name, part in PARTS.items()}
_ALL_ENDINGS = tuple(_ENDINGS)
_PARENTS = {name.partition("/")[0] for name in _NAMES if "/" in name}
_GIT_FILES = {"config": (CONFIG, "config"), "config.worktree": (CONFIG, "config"), "commondir": (POINTER, "pointer")}

Kind = tuple[str, str]  # who runs it, and which part of it counts


@dataclass(slots=True)
class Found:
    """Paths and what they are; git directories; folders that could not be read; whether the search was given up."""

    files: dict[str, Kind] = field(default_factory=dict)
    repositories: list[str] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    stopped: bool = False


class Walk:
    """A search through `roots`, breadth first: what is near the top is found whatever lies below."""

    def __init__(self, roots: Iterable[str], most: int = MOST) -> None:
        self.found = Found()
        self.roots = tuple(roots)
        self._left = most
        self._seen: set[tuple[str, str]] = set()
        self._queue: deque[tuple[str, str]] = deque()

    def run(self) -> Found:
        for root in self.roots:
            self.add_folder(root, "")
        return self.finish()

    def finish(self) -> Found:
        """Look into what was added."""
        while self._queue and not self.found.stopped:
            self._folder(*self._queue.popleft())
        return self.found

    def add_folder(self, path: str, why: str) -> None:
        """All files below are run by `why`, or, where that is empty, those that the table names."""
        if (path, why) not in self._seen:
            self._seen.add((path, why))
            self._queue.append((path, why))

    def inside(self, path: str) -> str:
        """The real path of what lies below a root, else an empty string."""
        try:
            real = os.path.realpath(path, strict=True)
        except (OSError, ValueError):
            return ""
        return real if any(real.startswith(root.rstrip("/") + "/") for root in self.roots) else ""

    def _folder(self, path: str, why: str) -> None:
        try:
            with os.scandir(path) as listing:
                entries = list(listing)
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError:
            self.found.unread.append(path)
            return
        self._left -= len(entries)
        if self._left < 0:
            self.found.stopped = True
            return
        base = path[path.rindex("/") + 1 :].lower()
        git = _is_git({entry.name.lower() for entry in entries})
        if git:
            self.found.repositories.append(path)
        for entry in entries:
            name = entry.name.lower()
            if entry.is_dir(follow_symlinks=False):
                self._subfolder(entry.path, name, base, why, git)
            elif entry.is_symlink() and (inner := _folder_rule(name, base, why, git) or _is_pointer(name)):
                self._link(entry.path, inner)
            elif kind := _file_rule(name, base, why, git):
                self.found.files[entry.path] = kind

    def _subfolder(self, path: str, name: str, base: str, why: str, git: bool) -> None:
        if (git and name == "objects") or (name in SKIPPED and not why):
            return
        self.add_folder(path, _folder_rule(name, base, why, git))

    def _link(self, path: str, why: str) -> None:
        """A link in a folder's place counts itself, and so does what it leads to."""
        self.found.files.setdefault(path, (why, ""))
        if real := self.inside(path):
            self.add_folder(real, "" if _is_pointer(path[path.rindex("/") + 1 :].lower()) else why)


def _is_git(names: set[str]) -> bool:
    """Whether git would take a folder with those names for a repository, or for another's common part."""
    return {"objects", "refs"} <= names or {"head", "commondir"} <= names


def _is_pointer(name: str) -> str:
    return POINTER if name == ".git" else ""


def _folder_rule(name: str, base: str, why: str, git: bool) -> str:
    if git and name == "hooks":
        return HOOK
    own = _FOLDERS.get(name) or _FOLDERS.get(f"{base}/{name}")
    return own or ("" if f"{base}/{name}" in PLAIN else why)


def _file_rule(name: str, base: str, why: str, git: bool) -> Kind | None:
    if name == ".git":
        return POINTER, "pointer"
    if git and name in _GIT_FILES:
        return _GIT_FILES[name]
    if kind := _NAMES.get(name) or (_NAMES.get(f"{base}/{name}") if base in _PARENTS else None):
        return kind
    if why:
        return None if why == HOOK and name.endswith(".sample") else (why, "")
    if name.endswith(_ALL_ENDINGS):
        return next((rule, "") for ending, rule in _ENDINGS.items() if name.endswith(ending))
    return None
