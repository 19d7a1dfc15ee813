"""Reads the pointers by which git finds a repository from a worktree or a submodule, and judges where they lead."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

from agentbox.errors import one_line
from agentbox.identity import Identity
from agentbox.workspace import Mount, private_dirs

POINTER = re.compile(r"gitdir: (/?[^\0\n]+)\n?")
LONGEST = 4096


class Refused(Exception):
    """Why a pointer is not followed."""


def pointer(path: Path) -> str | None:
    """What a .git file says, None where there is no file. Raises Refused."""
    try:
        regular = stat.S_ISREG(path.lstat().st_mode)
    except OSError:
        return None
    if not regular:
        return None
    match = POINTER.fullmatch(_text(path))
    if not match:
        raise Refused("is a file, but no pointer to a repository")
    return match[1]


def content(path: Path, longest: int = 1 << 20) -> bytes:
    """The beginning of a file. Raises Refused."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(fd, "rb") as file:
            return file.read(longest)
    except OSError:
        raise Refused(f"cannot be followed: {one_line(str(path))} cannot be read") from None


def _text(path: Path) -> str:
    try:
        return content(path, LONGEST).decode()
    except UnicodeDecodeError:
        raise Refused(f"cannot be followed: {one_line(str(path))} is not UTF-8") from None


def line(path: Path) -> str:
    """A file's only line. Raises Refused."""
    text = _text(path).removesuffix("\n")
    if not text or "\0" in text or "\n" in text:
        raise Refused(f"cannot be followed: {one_line(str(path))} is malformed")
    return text


def real(path: Path) -> Path:
    """Where a path leads. Raises Refused."""
    try:
        return path.resolve(strict=True)
    except (OSError, RuntimeError):
        raise Refused(f"points to {one_line(str(path))}, which is not there") from None


def check_repository(folder: Path, own: Path, mount: Mount, identity: Identity) -> None:
    """That `folder`, to which `own` belongs, is a repository of the user's, outside of the mounted folder and of what
    agents keep. Raises Refused."""
    shown = one_line(str(folder))
    try:
        mine = all(path.stat().st_uid == identity.uid for path in (own, folder))
        whole = (folder / "HEAD").is_file() and (folder / "objects").is_dir() and (folder / "refs").is_dir()
    except OSError as error:
        raise Refused(f"points into {shown}: {error.strerror}") from None
    if not mine:
        raise Refused(f"points into {shown}, which is not UID {identity.uid}'s")
    if not whole:
        raise Refused(f"points into {shown}, which is no repository")
    if mount.source in (folder, *folder.parents):
        raise Refused(f"points to {shown}, inside the folder itself")
    if any(folder in (place, *place.parents) or place in folder.parents for place in private_dirs(identity)):
        raise Refused(f"points to {shown}, which holds or belongs to an agent's state")
