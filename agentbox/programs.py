"""Programs of the host, as a shell finds them, but for one thing."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

_typed: list[str] = []


def typed() -> str:
    """PATH as the user's shell has it."""
    return _typed[0] if _typed else os.environ.get("PATH", os.defpath)


def find(name: str, path: str | None = None) -> str | None:
    """Where `name` is on PATH. A relative folder there may be the workspace's, where a tool can put a program of any
    name; it is passed over."""
    for folder in (os.environ.get("PATH", os.defpath) if path is None else path).split(os.pathsep):
        found = f"{folder}/{name}"
        if folder.startswith("/") and os.access(found, os.X_OK) and not Path(found).is_dir():
            return found
    return None


def here() -> list[Path]:
    """The current folder, if it is there and is not the system's own."""
    try:
        folder = Path.cwd()
    except OSError:
        return []
    return [] if folder.is_relative_to("/usr") else [folder]


def leave_out(folders: Iterable[str | Path]) -> None:
    """Take what lies in these folders off PATH, for us and all that we start: a tool can have put a `docker` or a `git`
    into a project's virtual environment, which people have on theirs. What holds the home stays."""
    _typed[:] = [typed()]
    told = os.path.expanduser("~")  # noqa: PTH111  Path's raises where HOME is not set and the user has no entry
    home = os.path.realpath(told) + "/" if told[:1] == "/" else ""
    roots = [root for each in folders if not home.startswith(root := os.path.realpath(each).rstrip("/") + "/")]
    found = os.environ.get("PATH", os.defpath).split(os.pathsep)
    kept = [each for each in found if each[:1] == "/" and not f"{os.path.realpath(each)}/".startswith(tuple(roots))]
    os.environ["PATH"] = os.pathsep.join(kept)
