"""The folders of installed agents: <cache>/<agent>/<version>, each whole or not there.

A version is built in a folder beside its own and renamed at the end; a lock lets one session build while others wait.
What a killed one leaves is used again where it is a download, and removed where it is half a version.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from agentbox.errors import InstallError, StateError
from agentbox.identity import Identity
from agentbox.state import make_dir, remove_tree

RECORD = "agentbox.json"
LOCK, DOWNLOADS, PART, OLD = ".lock", ".downloads", ".part-", ".old-"
UNUSED_SECONDS = 30 * 86400

Report = Callable[[str], None]


def folder(identity: Identity, agent: str) -> Path:
    return identity.own_cache / agent


def record(root: Path) -> dict[str, Any]:
    """What was written down about an installed version; empty where there is none."""
    try:
        found = json.loads((root / RECORD).read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


@contextlib.contextmanager
def locked(identity: Identity, agent: str, waiting: Callable[[], None]) -> Iterator[Path]:
    """The agent's folder, for one at a time; calls `waiting` where another has it. A killed one holds it no more."""
    try:
        place = make_dir(folder(identity, agent), identity)
    except StateError as error:
        raise InstallError(error.subject, error.cause, "XDG_CACHE_HOME says where the cache is") from None
    try:
        lock = os.open(place / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise InstallError(str(place), error.strerror or str(error), "the cache must be yours to write") from None
    try:
        _own(place / LOCK, identity)
        if not _take(lock):
            waiting()
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield place
    finally:
        os.close(lock)


@contextlib.contextmanager
def building(place: Path, version: str, identity: Identity) -> Iterator[Path]:
    """A folder that becomes `place/version` when all went well. Call it with the lock."""
    sweep(place)
    part = place / f"{PART}{version}"
    part.mkdir(mode=0o755)
    try:
        yield part
        if os.geteuid() == 0:
            _own_tree(part, identity)
        final, old = place / version, place / f"{OLD}{version}"
        if final.exists():  # for another kind of machine, or damaged
            final.rename(old)
        part.rename(final)
        remove_tree(old)
        remove_tree(place / DOWNLOADS)
    finally:
        remove_tree(part)


def downloads(place: Path) -> Path:
    path = place / DOWNLOADS
    path.mkdir(mode=0o700, exist_ok=True)
    return path


def sweep(place: Path) -> list[Path]:
    """Remove what killed ones left of versions. Call it with the lock."""
    left = [path for path in place.glob(".*") if path.name.startswith((PART, OLD))]
    for path in left:
        remove_tree(path)
    return left


def used(root: Path) -> None:
    """Note that somebody starts this version now."""
    with contextlib.suppress(OSError):
        os.utime(root / RECORD)


def clean(identity: Identity, in_effect: dict[str, str]) -> list[Path]:
    """Remove what killed ones left, and versions that are not in effect and that nobody has started for a month. An
    agent that is being installed is left alone."""
    removed = []
    for agent, version in in_effect.items():
        place = folder(identity, agent)
        if not place.is_dir():
            continue
        lock = os.open(place / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            if _take(lock):
                removed += sweep(place)
                stale = [
                    root
                    for root in sorted(place.iterdir())
                    if root.name[0] != "." and root.name != version and _unused(root)
                ]
                stale += [path for path in [place / DOWNLOADS] if path.exists()]
                for root in stale:
                    remove_tree(root)
                removed += stale
        finally:
            os.close(lock)
    return removed


def purge(identity: Identity) -> Path | None:
    """Remove all of the cache. Returns its path if there was one."""
    if not identity.own_cache.is_dir():
        return None
    remove_tree(identity.own_cache)
    return identity.own_cache


def _unused(root: Path) -> bool:
    try:
        return time.time() - (root / RECORD).stat().st_mtime > UNUSED_SECONDS
    except OSError:
        return True


def _take(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _own(path: Path, identity: Identity) -> None:
    if os.geteuid() == 0:
        os.chown(path, identity.uid, identity.gid, follow_symlinks=False)


def _own_tree(root: Path, identity: Identity) -> None:
    _own(root, identity)
    for parent, folders, files in os.walk(root):
        for name in (*folders, *files):
            _own(Path(parent, name), identity)
