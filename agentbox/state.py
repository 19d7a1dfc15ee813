"""Directories in the host's home that outlive a container. Of what exists only modes are changed, to keep others out of
credentials and their owner in."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

from agentbox.errors import StateError
from agentbox.identity import Identity
from agentbox.policy_model import Policy

MODE = 0o700
PLACE = "HOME, or one of the XDG variables, says where it is"


def make_dir(path: Path, identity: Identity) -> Path:
    """Make `path` and its missing parents, mode 0700, owned by the identity. Raises StateError.

    An existing directory keeps its owner, mode and content; a symlink to a directory is followed, as people do keep
    their settings elsewhere.
    """
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        if path.is_symlink():
            raise StateError(str(path), "is a symlink to nothing", "make its target, or remove the link") from None
        if path.parent != path:
            make_dir(path.parent, identity)
        _make_one(path, identity)
        return path
    except OSError as error:  # ELOOP, ENOTDIR, EACCES
        hint = PLACE if error.errno == errno.EACCES else "a directory must be there"
        raise StateError(str(path), error.strerror or str(error), hint) from None
    if not stat.S_ISDIR(mode):
        raise StateError(str(path), "is not a directory", "a directory must be there: move the file away")
    return path


def _make_one(path: Path, identity: Identity) -> None:
    try:
        path.mkdir(MODE)
        if os.geteuid() == 0:
            os.chown(path, identity.uid, identity.gid, follow_symlinks=False)
    except FileExistsError:
        return
    except OSError as error:
        raise StateError(str(path), f"cannot be made: {error.strerror}", PLACE) from None


def write_file(path: Path, content: bytes, identity: Identity, mode: int = 0o600, *, keep: bool = False) -> None:
    """Write a file of the identity's, whole or not at all: whoever looks sees the old one or the new. With `keep`, what
    is there already stays."""
    part = path.with_name(f".{path.name}.{threading.get_native_id()}")
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, mode), "wb") as file:
            file.write(content)
            os.fchmod(file.fileno(), mode)
            if os.geteuid() == 0:
                os.fchown(file.fileno(), identity.uid, identity.gid)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise OSError(error.errno, error.strerror, str(path)) from None  # a failed write names no file
    if not keep:
        part.replace(path)
        return
    with contextlib.suppress(FileExistsError):
        path.hardlink_to(part)
    part.unlink()


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """One at a time, where files in `folder` are read, changed and written. A killed one holds it no more."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with contextlib.suppress(OSError):  # some network file systems lock no folder
            fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def remove_tree(path: Path) -> None:
    """Remove a directory of agentbox's own; what is not there is no error."""
    import shutil

    shutil.rmtree(path, ignore_errors=True)


def prepare(policy: Policy, identity: Identity) -> list[Path]:
    """Make the agent's state directories. Raises StateError, also for one that the agent's user cannot write."""
    tighten(policy, identity)
    paths = [make_dir(identity.home / state.host, identity) for state in policy.state]
    for path in paths:
        info = path.stat()
        if info.st_uid != identity.uid and not _others_may_write(info, identity):
            cause = f"belongs to UID {info.st_uid}, and the agent runs as UID {identity.uid}"
            fix = f"chown -R {identity.uid}:{identity.gid} {path}"
            wrong_user = info.st_uid == os.geteuid() and "HOST_UID" in os.environ
            raise StateError(str(path), cause, "unset HOST_UID, which says so" if wrong_user else fix)
    return paths


def _others_may_write(info: os.stat_result, identity: Identity) -> bool:
    group = info.st_gid == identity.gid and info.st_mode & stat.S_IWGRP
    return bool(group or info.st_mode & stat.S_IWOTH)


def tighten(policy: Policy, identity: Identity) -> None:
    """Undo what a tool may have done with chmod, which no Landlock domain refuses: credential files are their owner's
    alone, and the directories that lead to them are his to enter."""
    for state in policy.state:
        root, inside = identity.home / state.host, state.path + "/"
        below = [Path(denied.removeprefix(inside)) for denied in policy.vault.deny if denied.startswith(inside)]
        folders = {root / parent for path in below for parent in path.parents}
        for folder in sorted(folders):  # a folder before what is in it
            change_mode(folder, identity, add=stat.S_IRWXU)
        for path in below:
            change_mode(root / path, identity, take=stat.S_IRWXG | stat.S_IRWXO)


def change_mode(path: Path, identity: Identity, *, add: int = 0, take: int = 0) -> bool:
    """Change the mode of the identity's own `path`; nothing for what is missing, a symlink, or somebody else's. Says
    whether it changed."""
    try:
        fd = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    except (OSError, AttributeError):  # macOS has no O_PATH, and no Landlock inside to speak of
        return False
    try:
        info = os.fstat(fd)
        wanted = (stat.S_IMODE(info.st_mode) | add) & ~take
        known = stat.S_ISDIR(info.st_mode) or stat.S_ISREG(info.st_mode)
        if not known or info.st_uid != identity.uid or wanted == stat.S_IMODE(info.st_mode):
            return False
        Path(f"/proc/self/fd/{fd}").chmod(wanted)
        return True
    except OSError:
        return False
    finally:
        os.close(fd)
