"""agentbox's own files with a session's paths in place of a container's, where a mount cannot put them there."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from agentbox.errors import EngineError

T = TypeVar("T")
SLOT = 1024  # VAULT_PLACE_MAX in csrc/place.h
FIXED = ("/etc/agentbox/vault.policy", "/etc/agentbox/probe")


def moved(path: str, places: Mapping[str, str]) -> str:
    """A path of the container's, where it is now."""
    for old, new in places.items():
        if path == old or path.startswith(f"{old}/"):
            return new + path[len(old) :]
    return path


def translated(value: T, places: Mapping[str, str]) -> T:
    """The same policy, or part of one, with all its absolute paths moved."""
    found: Any = value
    if isinstance(value, str):
        found = moved(value, places)
    elif isinstance(value, tuple):
        items = (translated(item, places) for item in value)
        found = type(value)._make(items) if hasattr(value, "_make") else tuple(items)
    elif isinstance(value, Mapping):
        found = {key: translated(item, places) for key, item in value.items()}
    return found  # type: ignore[no-any-return]  # what went in


def copy(source: Path, target: Path, places: Mapping[str, str]) -> None:
    """A file, or a folder of files, in which the places are named."""
    if source.is_dir():
        target.mkdir(0o755)
        for path in source.iterdir():
            if path.name != "__pycache__":
                copy(path, target / path.name, places)
        return
    # In one go: a home of the host's may be called as one of a container's is.
    named = re.compile(b"|".join(re.escape(old.encode()) for old in places) or rb"(?!)")
    content = named.sub(lambda found: places[found[0].decode()].encode(), source.read_bytes())
    target.write_bytes(content)
    target.chmod(0o755)


def compiled(source: Path, target: Path, places: Mapping[str, str]) -> None:
    """One of the objects of csrc/, with the places of place.h."""
    content = source.read_bytes()
    for old in FIXED:
        slot, new = old.encode().ljust(SLOT, b"\0"), moved(old, places).encode()
        if len(new) >= SLOT or content.count(slot) != 1:
            raise EngineError(str(source), "cannot take this session's paths", "build agentbox anew: pip install .")
        content = content.replace(slot, new.ljust(SLOT, b"\0"))
    target.write_bytes(content)
    target.chmod(0o755)
