"""What is the same at each start, and costs a process or a library to find out: kept in the cache with the facts that
it depends on."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

from agentbox import identity as identities
from agentbox.errors import AgentboxError
from agentbox.identity import Identity
from agentbox.state import make_dir, write_file


def find(name: str, facts: list[str]) -> Any:
    """What was kept under these facts, else None."""
    try:
        found = json.loads(_file(identities.current(), name).read_bytes())
        return found["value"] if found["facts"] == facts else None
    except (OSError, ValueError, KeyError, TypeError, AgentboxError):
        return None


def keep(name: str, facts: list[str], value: Any) -> None:
    """Keep it, where that can be done."""
    with contextlib.suppress(OSError, AgentboxError):
        who = identities.current()
        file = _file(who, name)
        make_dir(file.parent, who)
        write_file(file, json.dumps({"facts": facts, "value": value}).encode(), who)


def forget() -> None:
    """Some of it has turned out to be wrong."""
    with contextlib.suppress(OSError, AgentboxError):
        for file in _file(identities.current(), "").parent.glob("*.json"):
            file.unlink(missing_ok=True)


def text(path: str) -> str:
    """A small file as a fact, empty where it cannot be read."""
    try:
        return Path(path).read_text(errors="replace").strip()
    except OSError:
        return ""


def _file(identity: Identity, name: str) -> Path:
    return identity.own_cache / "native" / f"{name}.json"
