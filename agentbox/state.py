"""Directories in the host's home that outlive a container. What exists is never changed."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from agentbox.errors import StateError
from agentbox.identity import Identity
from agentbox.policy_model import Policy

MODE = 0o700


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
        raise StateError(str(path), error.strerror or str(error), "the agent's state must be a directory") from None
    if not stat.S_ISDIR(mode):
        raise StateError(str(path), "is not a directory", "the agent's state lives there: move the file away")
    return path


def _make_one(path: Path, identity: Identity) -> None:
    try:
        path.mkdir(MODE)
        if os.geteuid() == 0:
            os.chown(path, identity.uid, identity.gid, follow_symlinks=False)
    except FileExistsError:
        return
    except OSError as error:
        raise StateError(str(path), f"cannot be made: {error.strerror}") from None


def prepare(policy: Policy, identity: Identity) -> list[Path]:
    """Make the agent's state directories. Raises StateError, also for one that the agent's user cannot write."""
    paths = [make_dir(identity.home / state.host, identity) for state in policy.state]
    for path in paths:
        info = path.stat()
        if info.st_uid != identity.uid and not _others_may_write(info, identity):
            raise StateError(
                str(path),
                f"belongs to UID {info.st_uid}, and the agent runs as UID {identity.uid}",
                f"chown -R {identity.uid}:{identity.gid} {path}",
            )
    return paths


def _others_may_write(info: os.stat_result, identity: Identity) -> bool:
    group = info.st_gid == identity.gid and info.st_mode & stat.S_IWGRP
    return bool(group or info.st_mode & stat.S_IWOTH)
