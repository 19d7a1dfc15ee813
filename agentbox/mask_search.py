"""Finds what the mask list means in the mounted folders. Reads names, and stats only what matches; changes nothing."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from agentbox.errors import UsageError
from agentbox.mask_globs import Globs, of_folders
from agentbox.policy_model import MaskRules

# A ref is a hash and a line's end; a line of its log begins with two hashes.
GIT_REF = re.compile(rb"(?:[0-9a-f]{40}|[0-9a-f]{64})(?:\n\Z| (?:[0-9a-f]{40}|[0-9a-f]{64}) )")
Inode = tuple[int, int]
Shown = Callable[[str, str], bool]


class Search:
    """A walk through the folders `roots`. `found` maps paths to whether they are folders. `private` is left out;
    `shown` says of a path and its root whether the user wants to see it."""

    def __init__(self, rules: MaskRules, roots: list[str], private: set[str], shown: Shown) -> None:
        self.found: dict[str, bool] = {}
        self._roots = roots
        self._files = Globs(of_folders(rules.globs, False))
        self._folders = Globs(of_folders(rules.globs, True))
        self._spared = Globs(rules.spared)
        self._skip = set(rules.skip)
        self._private = private
        self._shown = shown
        self._most = self._left = rules.entries
        self._linked: set[Inode] = set()

    def by_name(self) -> None:
        """Everything whose name, or path below its root, matches; symlinks stand for what they lead to. Each root is
        searched for itself, also one inside another: a path below either may be meant."""
        for root in self._roots:
            folders = [root]
            while folders:
                for entry in self._entries(folders.pop()):
                    path = entry.path
                    if not entry.is_dir(follow_symlinks=False):
                        self._judge_file(entry, root)
                    elif path not in self._private and entry.name not in self._skip:
                        if self._matches(self._folders, path, root):
                            self._add_folder(path)
                        else:
                            folders.append(path)

    def by_inode(self) -> None:
        """The other names (hard links) of what was found and has several; in skipped folders too."""
        numbers = {number for _, number in self._linked}
        folders = list(self._roots) if numbers else []
        self._left = self._most
        while folders:
            for entry in self._entries(folders.pop()):
                if entry.is_dir(follow_symlinks=False):
                    if entry.path not in self._private:
                        folders.append(entry.path)
                elif entry.inode() in numbers and self._is_linked(entry.path):
                    self.found[entry.path] = False

    def _judge_file(self, entry: os.DirEntry[str], root: str) -> None:
        if self._matches(self._files, entry.path, root):
            self._add_file(entry.path)
        if entry.is_symlink() and self._matches(self._folders, entry.path, root):
            self._follow(entry.path, folder=True)

    def _is_linked(self, path: str) -> bool:
        try:
            return _inode(Path(path).lstat()) in self._linked
        except FileNotFoundError:
            return False
        except OSError:  # too long a path: the same number will do
            return True

    def _matches(self, globs: Globs, path: str, root: str) -> bool:
        return globs.match(path, root) and not self._spared.match(path, root) and not self._shown(path, root)

    def _entries(self, folder: str) -> Iterator[os.DirEntry[str]]:
        """What is in a folder. One that cannot be read counts as found: nobody knows what it holds, and the agent, if
        it owns it, could give itself the right to read it."""
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    self._left -= 1
                    if self._left < 0:
                        raise self._too_much()
                    yield entry
        except (FileNotFoundError, NotADirectoryError):  # gone in the meantime
            return
        except OSError as error:
            if folder in self._roots:
                raise UsageError(folder, f"cannot be searched for secrets: {error.strerror}") from None
            self.found[folder] = True

    def _too_much(self) -> UsageError:
        return UsageError(
            ", ".join(self._roots),
            f"more than {self._most:,} files and folders, too many to be searched for secrets",
            "name a smaller folder with -w, raise mask.entries or add to mask.skip in ~/.config/agentbox/config.toml, "
            "or see everything with --no-mask",
        )

    def _add_file(self, path: str) -> None:
        try:
            info = Path(path).lstat()
        except FileNotFoundError:
            return
        except OSError:  # too long a path: found all the same, and refused later
            self.found[path] = False
            return
        if stat.S_ISREG(info.st_mode) and "/refs/" in path and _is_git_ref(path):
            return
        if not stat.S_ISLNK(info.st_mode):
            self.found[path] = False
        self._note_other_names(path, info)

    def _add_folder(self, path: str) -> None:
        self.found[path] = True
        below = [path]
        while below:
            for entry in self._entries(below.pop()):
                if entry.is_dir(follow_symlinks=False):
                    below.append(entry.path)
                else:
                    with suppress(OSError):
                        self._note_other_names(entry.path, Path(entry.path).lstat())

    def _note_other_names(self, path: str, info: os.stat_result) -> None:
        if stat.S_ISLNK(info.st_mode):
            self._follow(path, folder=False)
        elif info.st_nlink > 1:
            self._linked.add(_inode(info))

    def _follow(self, path: str, folder: bool) -> None:
        """Where a symlink leads, if to a place below a root: anything else it does not reach in the container."""
        try:
            target = str(Path(path).resolve(strict=True))
            mode = Path(target).stat().st_mode
        except (OSError, RuntimeError):  # dangling, or a loop
            return
        inside = any(target.startswith(root.rstrip("/") + "/") for root in self._roots)
        if not inside or stat.S_ISDIR(mode) != folder or target in self.found or self._spared.match(target, "/"):
            return
        if folder:
            self._add_folder(target)
        else:
            self._add_file(target)


def _is_git_ref(path: str) -> bool:
    """Whether a file is a branch (gh_pages, say) or its log. Judged by content: a tool can move a folder with a secret
    in it to wherever git keeps its own, but cannot change the secret."""
    try:
        with Path(path).open("rb") as file:
            return GIT_REF.match(file.read(130)) is not None
    except OSError:
        return False


def _inode(info: os.stat_result) -> Inode:
    return info.st_dev, info.st_ino
