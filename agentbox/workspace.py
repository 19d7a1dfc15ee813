"""The folders that a container gets to see: which may be mounted, and where they appear."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import NamedTuple

from agentbox.errors import UsageError
from agentbox.identity import Identity
from agentbox.policy_load import state_folders

TARGET = "/workspace"


class Mount(NamedTuple):
    """A folder of the host, with its real path, and its place in the container."""

    source: Path
    target: str
    read_only: bool = False


def resolve(folders: list[tuple[str, bool]], identity: Identity, *, allow_home: bool) -> list[Mount]:
    """Mounts for `folders` (path, read-only), the first at /workspace, then /workspace-2 and so on.

    Raises UsageError for what is missing, is no folder, or would lay open the home or an agent's state.
    """
    mounts = []
    for number, (text, read_only) in enumerate(folders, 1):
        source = folder(text)
        _check_home(source, text, identity, allow_home)
        _check_state(source, text, identity, allow_home)
        if not read_only:
            _check_own(source, text, identity)
        mounts.append(Mount(source, TARGET if number == 1 else f"{TARGET}-{number}", read_only))
    return mounts


def at_odds(mounts: list[Mount]) -> list[str]:
    """A line for each folder that one mount shows read-only and another, of a folder around it, writable, or the other
    way round."""
    lines = []
    for fixed in [mount for mount in mounts if mount.read_only]:
        for other in [mount for mount in mounts if not mount.read_only]:
            if fixed.source.is_relative_to(other.source):
                place = Path(other.target) / fixed.source.relative_to(other.source)
                lines.append(f"{fixed.source}: read-only at {fixed.target}, but writable at {place}")
            elif other.source.is_relative_to(fixed.source):
                lines.append(f"{other.source}: writable at {other.target}, though {fixed.source} is read-only")
    return lines


def split_option(text: str) -> tuple[str, bool]:
    """`DIR[:ro|:rw]` as path and read-only. A folder whose name ends that way is meant as it is. Raises UsageError."""
    path, colon, option = text.rpartition(":")
    # os.path's, as Path's raise where a folder above is closed: `resolve` says so.
    if colon and option in ("ro", "rw") and path and not os.path.isdir(text):  # noqa: PTH112
        return path, option == "ro"
    if colon and os.path.isdir(path) and not os.path.exists(text):  # noqa: PTH110, PTH112
        hint = "the folders' places are given: /workspace, /workspace-2 and so on"
        raise UsageError(text, f"{option!r} is neither ro nor rw", hint)
    return text, False


def folder(text: str) -> Path:
    """The folder that a person means by `text`. Raises UsageError for what is missing, closed, or no folder."""
    path = Path(text)
    try:
        path = path.expanduser()
        real = path.resolve(strict=True)
        os.listdir(real)  # noqa: PTH208  says why it cannot be read, and that it is a directory
    except FileNotFoundError:
        raise UsageError(text, "there is no such folder", "make it first, or name another with -w") from None
    except NotADirectoryError:
        raise UsageError(text, "is not a folder", f"name the folder it is in: -w {path.parent}") from None
    except (OSError, RuntimeError) as error:
        raise UsageError(text, getattr(error, "strerror", None) or str(error)) from None
    return real


def _check_home(source: Path, text: str, identity: Identity, allow_home: bool) -> None:
    home = _real(identity.home)
    if allow_home or not (source == home or source in home.parents):
        return
    what = "is the whole filesystem" if source == Path("/") else "is your home, or holds it"
    hint = "go to the project's folder, or name it with -w; --allow-home if you really mean all of it"
    raise UsageError(text, what, hint)


def private_dirs(identity: Identity) -> list[Path]:
    """What no tool may see or change through a workspace: every agent's state, and agentbox's own state, settings and
    cache."""
    own = [identity.own_state, identity.own_cache, identity.config_file.parent]
    return [_real(path) for path in (*(identity.home / host for host in state_folders()), *own)]


def _check_state(source: Path, text: str, identity: Identity, allow_home: bool) -> None:
    home = _real(identity.home)
    for private in private_dirs(identity):
        if source == private or private in source.parents:
            raise UsageError(
                text, f"belongs to {private}, which the agent's tools must not reach", "name another folder"
            )
        if source in private.parents and not (allow_home and (source == home or source in home.parents)):
            raise UsageError(
                text, f"holds {private}, which the agent's tools must not reach", "name a folder inside it"
            )


def _check_own(source: Path, text: str, identity: Identity) -> None:
    """What runs agentbox is run without any sandbox at its next start. Who mounts all of a home has been told so."""
    home = _real(identity.home)
    if source == home or source in home.parents:
        return
    python = os.environ.get("PYTHONPATH", "")
    searched = python.split(os.pathsep) if python and not sys.flags.ignore_environment else []
    own = [*map(Path, searched), Path(__file__).parent, Path(sys.prefix), Path(sys.base_prefix)]
    if found := next((path for path in map(_real, own) if path.is_relative_to(source)), None):
        hint = "install it elsewhere (pipx install agentbox), and unset PYTHONPATH; or name another folder"
        raise UsageError(text, f"agentbox itself is run from {found}, which its tools could change", hint)


def _real(path: Path) -> Path:
    try:
        return path.resolve()
    except (OSError, RuntimeError):
        return path
