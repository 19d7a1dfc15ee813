"""Programs of the host, as a shell finds them, but for one thing."""

from __future__ import annotations

import os
from pathlib import Path


def find(name: str, path: str | None = None) -> str | None:
    """Where `name` is on PATH. A relative folder there may be the workspace's, where a tool can put a program of any
    name; it is passed over."""
    for folder in (os.environ.get("PATH", os.defpath) if path is None else path).split(os.pathsep):
        found = f"{folder}/{name}"
        if folder.startswith("/") and os.access(found, os.X_OK) and not Path(found).is_dir():
            return found
    return None
