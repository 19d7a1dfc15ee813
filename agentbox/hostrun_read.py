"""What of a file counts, as a set of facts: whatever is new in the set has been changed."""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from agentbox import gitconfig
from agentbox.hostrun_table import SCRIPT_KEYS

LARGEST = 1 << 20
DRIVER = re.compile(rb"\s(filter|diff|merge)=")
Facts = frozenset[str]
# Facts that say nothing to a person begin with this; git, JSON and file names cannot hold it.
OPAQUE = "\0"


def facts(path: str, part: str) -> Facts:
    """The facts of a file that may be anything by now; none where it is gone."""
    try:
        info = os.lstat(path)
        found = {OPAQUE + _summary(path, info)} if not part or not stat.S_ISREG(info.st_mode) else None
        if found is not None:
            return frozenset(found)
        return frozenset(READERS[part](content(path)))
    except FileNotFoundError:
        return frozenset()
    except OSError as error:
        return frozenset({f"cannot be read: {error.strerror}"})


def content(path: str) -> bytes:
    """All of a regular file, read through no link. Raises OSError, also for one that is too large."""
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(fd, "rb") as file:
        info = os.fstat(fd)
        if not stat.S_ISREG(info.st_mode):
            raise OSError(0, "is not a regular file")
        if info.st_size > LARGEST:
            raise OSError(0, f"is larger than {LARGEST >> 20} MiB")
        return file.read(LARGEST)


def _summary(path: str, info: os.stat_result) -> str:
    runs = bool(info.st_mode & 0o111)
    if stat.S_ISLNK(info.st_mode):
        text = f"link {os.readlink(path)}"  # noqa: PTH115  as bytes stand there, not normalised
        with suppress(OSError):
            target = Path(path).stat()
            text += f" {target.st_ino} {target.st_size} {target.st_ctime_ns}" if stat.S_ISREG(target.st_mode) else ""
        return text
    if not stat.S_ISREG(info.st_mode):
        return f"special {stat.S_IFMT(info.st_mode)}"
    with suppress(OSError):
        return f"{runs} {hashlib.sha256(content(path)).hexdigest()}"
    return f"{runs} {info.st_ino} {info.st_size} {info.st_ctime_ns}"


def _raw(text: bytes) -> set[str]:
    return {OPAQUE + hashlib.sha256(text).hexdigest()}


def _config(text: bytes) -> set[str]:
    pairs = gitconfig.dangerous(text)
    return _raw(text) if pairs is None else {f"{key} = {value}" for key, value in pairs}


def _scripts(text: bytes) -> set[str]:
    try:
        table = json.loads(text)
    except (ValueError, RecursionError):
        return _raw(text)
    if not isinstance(table, dict):
        return set()
    found = set()
    for key in SCRIPT_KEYS:
        value = table.get(key)
        items = value.items() if isinstance(value, dict) else [("", value)] if value else []
        found |= {
            f"{key}{'.' * bool(name)}{name} = {item if isinstance(item, str) else json.dumps(item)}"
            for name, item in items
        }
    return found


def _attributes(text: bytes) -> set[str]:
    return {os.fsdecode(line.strip()) for line in text.splitlines() if DRIVER.search(line) and line.strip()[:1] != b"#"}


def _pointer(text: bytes) -> set[str]:
    # What every worktree's record says: the repository around it, which is looked into itself.
    return {os.fsdecode(text.strip())} - {"../.."}


READERS: dict[str, Callable[[bytes], set[str]]] = {
    "config": _config,
    "scripts": _scripts,
    "attributes": _attributes,
    "pointer": _pointer,
}
